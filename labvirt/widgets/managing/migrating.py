"""Moving a domain to another host: what stands in the way, the plan, progress, cancel, result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from labvirt.errors import LabvirtError, NotFoundError, PreconditionError
from labvirt.host.host import Host
from labvirt.model.spec import Spec
from labvirt.widgets.forms.choices import Offers
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.page_forms import PageForm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.widgets.forms.tree import Section

__all__ = ["MigrateForm", "MigrationChoice"]


class MigrationChoice(Spec):
    """Where to, and how."""

    destination: str = Field(
        min_length=1,
        description="a host that is open here, or any libvirt URI",
        examples=["qemu+ssh://root@kvm7/system"],
    )
    live: bool = Field(default=True, description="the guest runs while its memory is copied")
    persistent: bool = Field(default=True, description="the destination keeps the definition")
    undefine: bool = Field(default=True, description="the definition on this host is removed")
    copy_storage: bool = Field(
        default=False, description="disks that are not shared are copied too; they must be there"
    )
    bandwidth_mib_s: int | None = Field(
        None, ge=1, le=1_000_000, description="limit of the transfer, MiB a second"
    )
    max_downtime_ms: int | None = Field(
        None, ge=1, le=2_000_000, description="how long the guest may stand still at the end"
    )
    timeout_s: int = Field(600, ge=1, le=86_400, description="give up after so many seconds")


SECTIONS: Final[tuple[Section, ...]] = (
    (
        "way",
        N_("Where to, and how"),
        ("destination", "live", "persistent", "undefine", "copy_storage"),
    ),
    ("limits", N_("Limits"), ("bandwidth_mib_s", "max_downtime_ms", "timeout_s")),
)
#: Fields that are called otherwise in `MigrationSpec`.
_FIELDS: Final = {"persistent": "persist", "undefine": "undefine_source"}


class MigrateForm(PageForm):
    """A form over `Domain.migrate`.

    Args:
        domain: what is moved.
        hosts: gives the hosts that are open; its own is left out.
    """

    def __init__(self, domain: Domain, hosts: Callable[[], Sequence[Host]]) -> None:
        super().__init__(
            MigrationChoice,
            title=N_("Migrate to another host"),
            verb=N_("Migrate"),
            plan=self._plan_move,
            host=domain.host,
            sections=SECTIONS,
        )
        self.domain, self._hosts = domain, hosts
        self._opened: dict[str, Host] = {}
        self._verdict: tuple[str, str] | None = None
        self.choices = Offers(None, {"destination": self._names})
        self.choices.state = "asked"

    def known(self) -> dict[str, Host]:
        """Return the other hosts that are open, by name."""
        return {each.name: each for each in self._hosts() if each != self.domain.host}

    def _names(self) -> tuple[str, ...]:
        return tuple(self.known())

    def _destination(self, text: str) -> Host:
        """Return the host that a name means, or open the one of a URI; it is closed with the form.

        Raises:
            LabvirtError: neither, or nobody answers there.
        """
        found = self.known().get(text) or self._opened.get(text)
        if found is not None:
            return found
        if ":" not in text:
            raise NotFoundError(
                _("migrate {name} to {host}").format(name=self.domain.name, host=text[:60]),
                libvirt_text=_("no open host is called so"),
                hint=", ".join(self.known()) or _("give a URI such as qemu+ssh://root@kvm7/system"),
            )
        made = self._opened[text] = Host.open(text)
        return made

    def _plan_move(self, spec: MigrationChoice) -> Plan[Any]:
        """Return the plan; what is known of whether it can work is shown as a note."""
        target: Any = self.domain
        given = {
            _FIELDS.get(name, name): getattr(spec, name)
            for name, field in type(spec).model_fields.items()
            if name not in {"destination", "copy_storage"} and getattr(spec, name) != field.default
        }
        if spec.copy_storage:
            given["storage"] = "copy"
        try:
            made: Plan[Any] = target.migrate.plan(self._destination(spec.destination), **given)
        except PreconditionError as error:
            self._judge(can=False, why=error.what)
            raise
        except LabvirtError:
            self._verdict = None
            raise
        self._judge(can=True, why="")
        return made

    def _judge(self, *, can: bool, why: str) -> None:
        words = _("Can migrate: yes, as far as both hosts tell.")
        if not can:
            words = _("Can migrate: no, because {why}").format(why=why.partition(": ")[2] or why)
        with self._lock:
            self._verdict = ("info" if can else "warning", words)

    def changed(self) -> None:
        """Ask anew."""
        self._verdict = None
        super().changed()

    def more(self) -> dict[str, Any]:
        """Return the verdict before anything is moved."""
        notes = [self._verdict] if self._verdict is not None else []
        return {**super().more(), "notes": notes}

    def _outcome(self) -> str:
        return str(self.result) if self.phase == "done" else super()._outcome()

    def close(self) -> None:
        """End the form, and close the hosts that it opened."""
        super().close()
        opened, self._opened = self._opened, {}
        for host in opened.values():
            host.close()
