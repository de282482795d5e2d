"""Doctor: looks, changes nothing, and says for each question what was seen and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labvirt.lazy import lazily

if TYPE_CHECKING:
    from labvirt.doctor.connecting import connection

__all__ = ["connection"]

_load, __dir__ = lazily(__name__, {"labvirt.doctor.connecting": ("connection",)})
__getattr__ = _load
