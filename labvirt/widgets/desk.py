"""Desk: the buttons over a console: run, pause, shut down, force off; and what the VM is like."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.widgets.i18n import _

if TYPE_CHECKING:
    from collections.abc import Callable

    from labvirt.host import Domain
    from labvirt.status import Change

__all__ = ["Desk", "desk_words"]


def desk_words() -> dict[str, str]:
    """Return the texts of the buttons, in the language of now."""
    return {
        "run": _("Run"),
        "run_tip": _("Start the VM, or let a paused one go on"),
        "pause": _("Pause"),
        "pause_tip": _("Let the VM stand still; its memory is kept"),
        "shutdown": _("Shut down"),
        "shutdown_tip": _("Ask the guest to shut down"),
        "destroy": _("Force off"),
        "destroy_tip": _("Pull the power cord: what is not on disk is lost"),
        "destroy_ask": _("Force off? What the guest has not written to its disks is lost."),
        "force": _("Take over"),
        "force_tip": _("Take the console away from whoever has it"),
        "force_ask": _("Take the console away from its other reader?"),
        "yes": _("Yes"),
        "no": _("Cancel"),
        "disconnected": _(
            "Disconnected: the kernel gives no answer. It goes on by itself when the kernel answers; "
            "after a restart of the kernel run the cell again."
        ),
        "closed": _("Closed"),
    }


class Desk:
    """Does what buttons ask for, on threads, and tells of the VM's state.

    Args:
        domain: whose buttons.
        changed: called when the VM's state is another one.
        say: takes what came of a button: the text, and whether it went well.
    """

    def __init__(
        self, domain: Domain, changed: Callable[[], None], say: Callable[[str, bool], None]
    ) -> None:
        self.domain = domain
        self._changed, self._say = changed, say
        self._busy = ""
        self._lock = threading.Lock()
        self._stop = self._listen()

    def _listen(self) -> Callable[[], None]:
        uuid = self.domain.uuid

        def heard(changes: tuple[Change, ...]) -> None:
            if any(change.kind == "domain" and change.uuid == uuid for change in changes):
                self._changed()

        return self.domain.host.listen(heard)

    def move(self, domain: Domain) -> None:
        """Go on with the domain on another host."""
        self._stop()
        self.domain = domain
        self._stop = self._listen()
        self._changed()

    def close(self) -> None:
        """Listen no more."""
        self._stop()

    @property
    def facts(self) -> dict[str, Any]:
        """What views show: the VM's state, which buttons may be pressed, and whose they are."""
        domain = self.domain
        host = domain.host
        record = host.news.record("domain", domain.uuid)
        state = record.state.value if record is not None else ""
        running = state in {"running", "blocked"}
        can = {
            "run": record is not None and not running,
            "pause": running,
            "shutdown": running,
            "destroy": running or state in {"paused", "pmsuspended", "crashed", "shutdown"},
        }
        why = ""
        if host.readonly:
            can = dict.fromkeys(can, False)
            why = _("The connection is read-only: open the host again without readonly=True.")
        where = {"name": domain.name, "uuid": domain.uuid, "host": host.name, "uri": host.label}
        words = _(record.state.text) if record is not None else ""
        return {"vm": state, "vm_text": words, "can": can, "why": why, "where": where}

    def act(self, do: str, *, confirmed: bool = False) -> None:
        """Press a button; returns at once."""
        if do not in {"run", "pause", "shutdown", "destroy"}:
            return
        if do == "destroy" and not confirmed:
            self._refuse(_("Force off was not confirmed; nothing has been done."))
            return
        with self._lock:
            if self._busy:
                self._refuse(_("Wait until this is done: {what}").format(what=self._busy))
                return
            self._busy = desk_words()[do]
        threading.Thread(
            target=self._do, args=(do,), name=f"labvirt-desk {do}", daemon=True
        ).start()

    def _refuse(self, why: str) -> None:
        self._say(why, False)  # noqa: FBT003 - it did not go well

    def _do(self, do: str) -> None:
        said, good = "", True
        try:
            self._perform(do)
            said = _("Asked: {what}").format(what=self._busy)
        except LabvirtError as error:
            said, good = str(error), False
        except Exception as error:  # noqa: BLE001 - a thread's error would end under some other cell
            said, good = str(error) or type(error).__name__, False
        finally:
            self._busy = ""
        self._say(said, good)
        with contextlib.suppress(LabvirtError):
            self.domain.info()
        self._changed()

    def _perform(self, do: str) -> None:
        domain = self.domain
        if do == "run" and domain.is_active:
            domain.resume()
        elif do == "run":
            domain.start()
        elif do == "pause":
            domain.suspend()
        elif do == "shutdown":
            domain.shutdown(timeout_s=0)
        else:
            domain.destroy(confirm=True)
