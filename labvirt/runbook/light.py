"""Loading less: for processes that are labvirt's own and live for one run."""

from __future__ import annotations

import sys

__all__ = ["load_less"]


def load_less() -> None:
    """Keep ``jsonschema``, which nbformat loads, from building a grammar that nobody here needs.

    It would build one for internationalised resource identifiers, a second of processor time in
    each process; notebooks have no field of that kind, and without it the rest is the same. To be
    called before nbformat is loaded, and never in a process that runs other people's code.
    """
    if "jsonschema" not in sys.modules:
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as documented
