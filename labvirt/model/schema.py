"""Libvirt's own RELAX NG schemas: is a document valid, and if not, where and why.

This is the one module of the room that reads files: the grammars that libvirt ships. Libvirt
itself says of an invalid document little more than that it is; see
https://libvirt.org/formatdomain.html and ``VIR_DOMAIN_DEFINE_VALIDATE``.
"""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lxml import etree

from labvirt.errors import Problem, SpecError
from labvirt.model.grammar.explain import Explainer
from labvirt.model.grammar.load import Grammar
from labvirt.model.grammar.words import problem_at
from labvirt.model.spec import did_you_mean
from labvirt.model.xml.order import ORDER
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

__all__ = ["KINDS", "SCHEMA_FOLDER", "Schema"]

SCHEMA_FOLDER: Final = "/usr/share/libvirt/schemas"

KINDS: Final[Mapping[str, str]] = {
    "domain": "domain.rng",
    "network": "network.rng",
    "pool": "storagepool.rng",
    "volume": "storagevol.rng",
    "snapshot": "domainsnapshot.rng",
    "checkpoint": "domaincheckpoint.rng",
    "backup": "domainbackup.rng",
    "interface": "interface.rng",
    "nwfilter": "nwfilter.rng",
    "secret": "secret.rng",
    "nodedev": "nodedev.rng",
    "capabilities": "capability.rng",
    "domain_capabilities": "domaincaps.rng",
}
"""What can be checked, and the file of its grammar."""


class Schema:
    """The schemas of one installed libvirt.

    Use :meth:`load`. Grammars are read when they are first needed, and kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._grammars: dict[str, _Grammar] = {}

    @staticmethod
    def load(folder: str | Path = SCHEMA_FOLDER) -> Schema:
        """Return the schemas in ``folder``; the same object for the same folder.

        Raises:
            SpecError: there is no schema in this folder.
        """
        return _load(Path(folder))

    def check(self, document: str | bytes | XmlDoc, kind: str = "domain") -> tuple[Problem, ...]:
        """Return everything that libvirt's schema refuses in a document; empty when valid.

        Args:
            document: XML text, or a document, as it stands after edits.
            kind: one of :data:`KINDS`.

        Raises:
            SpecError: the text is not XML, or there is no such kind.
        """
        doc = document if isinstance(document, XmlDoc) else XmlDoc.parse(document)
        grammar = self._grammar(kind)
        if grammar.accepts(doc.root):
            return ()
        # Lines and paths are those of the text as it will be sent.
        root = XmlDoc.parse(doc.text()).root
        return grammar.explainer.explain(root) or (grammar.raw_problem(root),)

    def require(self, document: str | bytes | XmlDoc, kind: str = "domain") -> None:
        """Raise unless the document is valid.

        Raises:
            SpecError: every problem, each with XPath, line and what is allowed.
        """
        problems = self.check(document, kind)
        if problems:
            raise SpecError(f"this {kind} XML is not valid for libvirt's schema", problems)

    def _grammar(self, kind: str) -> _Grammar:
        if kind not in KINDS:
            problem = Problem("kind", kind, "is no kind of document", did_you_mean(kind, (*KINDS,)))
            raise SpecError("the document cannot be checked", (problem,))
        if kind not in self._grammars:
            self._grammars[kind] = _Grammar(self._folder, KINDS[kind])
        return self._grammars[kind]


class _Grammar:
    """One grammar: libxml2's judge, and our own explainer, each made when first needed."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._files: dict[str, Element] = {}
        self._judge = etree.RelaxNG(self._read(name).getroottree())

    def accepts(self, root: Element) -> bool:
        """Tell whether libxml2, which libvirt uses too, finds the document valid."""
        return bool(self._judge(root))

    def raw_problem(self, root: Element) -> Problem:
        """Return why libxml2 refuses what RELAX NG allows.

        Libxml2 wants the parts of one group of a nested interleave side by side, such as <name>
        and <uuid> of a running domain. Where libvirt's own order cures it, that place is named;
        libxml2's own words are the last resort.
        """
        self._judge(root)
        errors = list(self._judge.error_log)
        said = errors[-1].message if errors else "the schema refuses it"
        for element in [one for one in root.iter() if one.tag in ORDER]:
            order = ORDER[str(element.tag)]
            before = list(element)
            element[:] = sorted(before, key=lambda one: _rank(one, order))
            cured = self.accepts(root)
            wanted = ", ".join(dict.fromkeys(str(one.tag) for one in element if one.tag in order))
            element[:] = before
            if cured:
                return problem_at(
                    element, "", "its elements stand in another order than libvirt's", wanted
                )
        return problem_at(root, "", said, "compare with what virsh dumpxml shows")

    @cached_property
    def explainer(self) -> Explainer:
        """The explainer of this grammar."""
        return Explainer(Grammar(self._read(self._name), self._read).start)

    def _read(self, name: str) -> Element:
        if name not in self._files:
            path = self._folder / name
            try:
                # The grammars are trusted; libxml2 itself reads what they include.
                self._files[name] = etree.parse(str(path)).getroot()
            except (OSError, etree.XMLSyntaxError) as failure:
                problem = Problem("schema", str(path), "cannot be read", "install libvirt-daemon")
                raise SpecError("libvirt's schema cannot be read", (problem,)) from failure
        return self._files[name]


def _rank(element: Element, order: tuple[str, ...]) -> int:
    return order.index(element.tag) if element.tag in order else len(order)


@cache
def _load(folder: Path) -> Schema:
    if not (folder / KINDS["domain"]).is_file():
        problem = Problem("folder", str(folder), "holds no schema of libvirt", SCHEMA_FOLDER)
        raise SpecError("libvirt's schemas are not there", (problem,))
    return Schema(folder)
