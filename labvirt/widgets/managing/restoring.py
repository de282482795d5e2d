"""Restoring a saved machine (G16.6-01): a form over `Host.restore`, for the manager's hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from labvirt.errors import LabvirtError, UnsupportedError
from labvirt.model.fields import AbsolutePath
from labvirt.model.spec import Spec
from labvirt.widgets.forms.capacity import short
from labvirt.widgets.forms.choices import Offers
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.page_forms import PageForm

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.plan import Plan

__all__ = ["RestoreChoice", "RestoreForm", "restore_form"]

_PAUSED: Final = {"as it was": None, "running": False, "paused": True}


class RestoreChoice(Spec):
    """Which file, and what the VM does then."""

    path: AbsolutePath = Field(
        description="file on the host that Save or virsh save wrote",
        examples=["/var/lib/libvirt/save/web1.save"],
    )
    then: Literal["as it was", "running", "paused"] = Field(
        "as it was", description="what the VM does after it was restored"
    )


def restore_form(host: Host) -> RestoreForm:
    """Return the form that restores a saved VM on a host; open it as a tab, close it after use."""
    return RestoreForm(host)


class RestoreForm(PageForm):
    """The form; see `restore_form`. What is in the file is told before it is restored."""

    def __init__(self, host: Any) -> None:
        super().__init__(
            RestoreChoice,
            title=N_("Restore a saved VM"),
            verb=N_("Restore"),
            plan=self._plan_restore,
            host=host,
        )
        self._note = ""
        self.choices = Offers(None, {"path": self._files})
        self.choices.state = "asked"

    def _files(self) -> tuple[str, ...]:
        """Return the saved files beside the one that is written, on this machine."""
        text = str(self.state.raw.get("path", ""))
        folder = Path(text) if text.endswith("/") else Path(text).parent
        if not text.startswith("/") or not folder.is_dir():
            return ()
        try:
            return tuple(each.path for each in self.host.saved_images(str(folder)))
        except (OSError, UnsupportedError):
            return ()

    def _plan_restore(self, spec: RestoreChoice) -> Plan[Any]:
        try:
            image = self.host.saved_image(spec.path)
        except LabvirtError:
            self._note = ""
            raise
        size = short(image.size) if image.size is not None else "?"
        files = ", ".join(image.files) or _("none")
        text = _("In the file: VM {name}, {size}; its disks: {files}")
        self._note = text.format(name=image.domain, size=size, files=files)
        made: Plan[Any] = self.host.restore.plan(spec.path, paused=_PAUSED[spec.then])
        return made

    def changed(self) -> None:
        """Look at the file anew, and at what lies beside it."""
        self._note = ""
        self.worker.later("choices", self._ask_again, 0.4)
        super().changed()

    def more(self) -> dict[str, Any]:
        """Return what is in the file."""
        return {**super().more(), "notes": [("info", self._note)] if self._note else []}

    def _outcome(self) -> str:
        if self.phase == "done":
            return _("Restored: {name}").format(name=getattr(self.result, "name", ""))
        return super()._outcome()
