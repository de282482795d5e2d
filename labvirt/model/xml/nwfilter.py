"""A network filter's XML; see https://libvirt.org/formatnwfilter.html."""

from __future__ import annotations

from labvirt.model.xml.table import Children, Choice, Int, Text
from labvirt.model.xml.view import View

__all__ = ["FilterParameterXml", "FilterRefXml", "NwFilterXml", "NwRuleXml"]


class FilterParameterXml(View):
    """A value for a variable of a filter."""

    TAG = "parameter"

    name = Text("@name", "name of the variable, without $")
    value = Text("@value", "its value")


class FilterRefXml(View):
    """The use of a filter, by another filter or by an interface of a domain."""

    TAG = "filterref"

    filter = Text("@filter", "name of the filter")
    parameters = Children("parameter", FilterParameterXml, "values for its variables")


class NwRuleXml(View):
    """One rule; what it matches stands in a child named after the protocol."""

    TAG = "rule"

    action = Choice("@action", "what happens", values="drop accept reject return continue")
    direction = Choice("@direction", "seen from the guest", values="in out inout")
    priority = Int("@priority", "lower ones are tried first")
    statematch = Choice("@statematch", "connections are tracked unless this says false",
                        values="false 0")  # fmt: skip


class NwFilterXml(View):
    """The definition of a network filter."""

    TAG = "filter"

    name = Text("@name", "name, unique on the host")
    chain = Text("@chain", "chain that its rules are in")
    priority = Int("@priority", "lower ones are tried first")
    uuid = Text("uuid", "UUID")
    refs = Children("filterref", FilterRefXml, "filters that are part of it")
    rules = Children("rule", NwRuleXml, "its rules")
