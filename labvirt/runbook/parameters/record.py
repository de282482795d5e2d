"""What a parameter is, and what the given values came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView

__all__ = ["Parameter", "Settled"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a runbook.

    Attributes:
        name: its name.
        type: its type, as an object pydantic understands.
        type_text: its type as written.
        default: its default value as the cell has it, `...` when it must be given.
        help: what it means: the description in its ``Field``, else the comment beside or above it.
        secret: its value is a secret; only references (``env:NAME``) are ever written down.
        unit: its unit when the annotation names one (``Annotated[int, "MiB"]``), else empty.
        plain: its default is written in JSON's types where the type has others, e.g. text for a
            date; given values reach the book in the same form.
        line: line of the cell where it stands, from 1.
    """

    name: str
    type: Any
    type_text: str
    default: Any
    help: str
    secret: bool = False
    unit: str = ""
    plain: bool = False
    line: int = 0

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is ...


class Settled:
    """Given values, checked; ``dict(settled)`` and ``settled[name]`` are the plain values.

    Attributes:
        values: the values in their declared Python types; secrets as ``SecretStr`` of their
            reference. Defaults are left to the notebook.
        plain: the same in JSON's types, secrets as references: what may be written down. Settling
            it once more gives the same values.
        secrets: reference of every secret of the book by name, those left at their default too.
        environment: variables for the kernel's process and nothing else; may hold secret values.
        code: source of the cell `injected-parameters`; empty when nothing was given.
    """

    def __init__(
        self,
        *,
        values: dict[str, Any],
        plain: dict[str, Any],
        secrets: dict[str, str],
        environment: dict[str, str],
        code: str,
    ) -> None:
        self.values = values
        self.plain = plain
        self.secrets = secrets
        self.environment = environment
        self.code = code

    def __getitem__(self, name: str) -> Any:
        return self.plain[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)

    def keys(self) -> KeysView[str]:
        """Return the names of what was given."""
        return self.plain.keys()

    def __repr__(self) -> str:
        """Show the plain values; never the environment, which may hold secrets."""
        return f"Settled({self.plain!r})"
