"""Typed views of the repeated parts of a domain that are no devices: timers, features, labels."""

from __future__ import annotations

from labvirt.model.xml.table import Choice, Int, Text, YesNo
from labvirt.model.xml.view import View

__all__ = ["CpuFeatureXml", "FirmwareFeatureXml", "SeclabelXml", "TimerXml"]


class TimerXml(View):
    """A timer of the guest's clock."""

    TAG = "timer"

    name = Choice(
        "@name", "which timer", values="platform hpet kvmclock pit rtc tsc hypervclock armvtimer"
    )
    present = YesNo("@present", "the guest has it")
    tick_policy = Choice(
        "@tickpolicy", "what happens to lost ticks", values="delay catchup merge discard"
    )
    track = Choice("@track", "what it follows", values="boot guest wall realtime")
    frequency_hz = Int("@frequency", "fixed frequency of tsc, in Hz")


class CpuFeatureXml(View):
    """A feature of the CPU."""

    TAG = "feature"

    name = Text("@name", "name, e.g. vmx")
    policy = Choice(
        "@policy", "how it is asked for", values="force require optional disable forbid"
    )


class FirmwareFeatureXml(View):
    """A feature that the firmware chosen by libvirt must or must not have."""

    TAG = "feature"

    name = Choice("@name", "name", values="enrolled-keys secure-boot")
    enabled = YesNo("@enabled", "must it have the feature")


class SeclabelXml(View):
    """How the domain's process is confined."""

    TAG = "seclabel"

    type = Choice("@type", "who makes the label", values="dynamic static none")
    model = Text("@model", "selinux, apparmor, dac ...")
    relabel = YesNo("@relabel", "label the files too")
    label = Text("label", "the label itself")
