"""Moving a domain to another host: what stands in the way, the plan, progress, cancel, result."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
from pydantic import Field

from labvirt.errors import LabvirtError, NotFoundError, PreconditionError
from labvirt.host.host import Host
from labvirt.model.migration import MigrationSpec
from labvirt.widgets.forms.choices import Offers
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.page_forms import PageForm
from labvirt.widgets.managing.parts import close_tree, put, unbind_tree
from labvirt.widgets.observing import migration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.domain import Domain
    from labvirt.plan import Plan
    from labvirt.status.finding import Finding
    from labvirt.widgets.forms.tree import Section
    from labvirt.widgets.observing import Observatory

__all__ = ["MigrateForm", "MigrationChoice"]


class MigrationChoice(MigrationSpec):
    """Where to, and how."""

    destination: str = Field(
        min_length=1,
        description="a host that is open here, or any libvirt URI",
        examples=["qemu+ssh://root@kvm7/system"],
    )


#: What few people need is `labvirt.widgets.forms.depends.FOLDED`.
SECTIONS: Final[tuple[Section, ...]] = (
    (
        "way",
        N_("Where to, and how"),
        ("destination", "live", "offline", "mode", "peer_uri", "migrate_uri", "tls", "tls_name"),
    ),
    ("disks", N_("Disks"), ("storage", "disks", "pool", "unsafe")),
    (
        "converge",
        N_("Limits, and what helps it to end"),
        (
            *("bandwidth_mib_s", "max_downtime_ms", "timeout_s", "on_timeout", "auto_converge"),
            *("postcopy", "throttle_initial", "throttle_increment", "postcopy_after_s"),
            *("compression", "parallel"),
        ),
    ),
    ("after", N_("Afterwards"), ("persist", "undefine_source", "paused", "rename")),
)
#: As many findings are told in the form; all of them stand in `Domain.can_migrate`.
_MOST: Final = 8


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
        self._verdict: list[tuple[str, str]] = []
        #: The observatory of what the form has begun; `watching` is where it stands in a page.
        self.observatory: Observatory | None = None
        self.watching = w.VBox([])
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
        """Return the plan; what is known of whether it can work is shown as notes."""
        domain: Any = self.domain
        given = {
            name: getattr(spec, name)
            for name, field in MigrationSpec.model_fields.items()
            if name in spec.model_fields_set and getattr(spec, name) != field.default
        }
        try:
            destination = self._destination(spec.destination)
            made: Plan[Any] = domain.migrate.plan(destination, **given)
        except PreconditionError as error:
            self._judge(error.what, self._findings(destination, given))
            raise
        except LabvirtError:
            self._verdict = []
            raise
        self._judge("", self._findings(destination, given))
        return made

    def _findings(self, destination: Host, given: dict[str, Any]) -> list[Finding]:
        """Return what deserves a thought; nothing when nobody can be asked."""
        if self.phase in {"planning", "running"}:
            return []  # it was told before
        with contextlib.suppress(LabvirtError):
            found = self.domain.can_migrate(destination, measure_s=0, **given)
            return [one for one in found if one.verdict in {"fail", "warning"}]
        return []

    def _judge(self, why: str, findings: Sequence[Finding]) -> None:
        words = _("Can migrate: yes, as far as both hosts tell.")
        if why:
            words = _("Can migrate: no, because {why}").format(why=why.partition(": ")[2] or why)
        notes = [("warning" if why else "info", words)]
        notes += [("warning", _told(one)) for one in findings[:_MOST]]
        if len(findings) > _MOST:
            notes.append(("info", _("and {count} more").format(count=len(findings) - _MOST)))
        with self._lock:
            if findings or not self._verdict or self.phase not in {"planning", "running"}:
                self._verdict = notes

    def start(self) -> bool:
        """Begin, and show the observatory; see `PlanForm.start`."""
        begun = super().start()
        if begun:
            self._watch()
        return begun

    def _watch(self) -> None:
        """Show what is seen of the migration below the form, where the form is shown."""
        if self._view is None:
            return
        if self.observatory is None:
            self.observatory = migration(self.domain)
            put(self.watching, children=(self.observatory.widget,))
            unbind_tree(self.watching)
        self.observatory.feed.expect()

    def changed(self) -> None:
        """Ask anew."""
        self._verdict = []
        super().changed()

    def more(self) -> dict[str, Any]:
        """Return the verdict before anything is moved."""
        return {**super().more(), "notes": list(self._verdict)}

    def _outcome(self) -> str:
        return str(self.result) if self.phase == "done" else super()._outcome()

    def close(self) -> None:
        """End the form, and close the hosts that it opened."""
        super().close()
        if self.observatory is not None:
            self.observatory.close()
        # A page that was never turned to this form does not hold it.
        close_tree(self.watching)
        opened, self._opened = self._opened, {}
        for host in opened.values():
            host.close()


def _told(finding: Finding) -> str:
    """Return a finding in a line: what is the matter, and what to do."""
    text = f"{finding.question} {finding.reason}"
    return f"{text} → {finding.remedy}" if finding.remedy else text
