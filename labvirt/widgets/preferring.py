"""Preferences: a form for what a user wants everywhere; it is kept, and holds at once (G16.8-01)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabvirtError
from labvirt.preferences import Preferences
from labvirt.widgets.forms.form import Form
from labvirt.widgets.i18n import N_, _, set_language

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labvirt.host.host import Host
    from labvirt.widgets.forms.tree import Section

__all__ = ["PreferencesForm"]

_SECTIONS: Final[tuple[Section, ...]] = (
    (
        "numbers",
        N_("Numbers"),
        (
            *("interval_s", "slow_interval_s", "history_s"),
            *("poll_disk", "poll_network", "poll_memory"),
        ),
    ),
    (
        "views",
        N_("Views"),
        ("confirm", "language", "console_auto_open", "console_grab_keys"),
    ),
)


class PreferencesForm(Form[Preferences]):
    """The user's preferences: period and length of the numbers, what is read, Apply, language.

    ``Preferences.load()`` reads the same, ``preferences.save()`` keeps it, ``host.prefer()`` lets
    an open host keep to it.

    Args:
        hosts: the open hosts, which keep to them at once.
    """

    def __init__(self, hosts: Callable[[], Sequence[Host]] = tuple) -> None:
        super().__init__(Preferences, title=N_("Preferences"), sections=_SECTIONS)
        self._hosts = hosts
        self._ended: tuple[str, str] = ("idle", "")
        self.load(Preferences.load())

    def save(self) -> bool:
        """Keep what the form has, and let it hold at once; return whether that was done."""
        if self.focus_first():
            self.refresh()
            return False
        try:
            preferred = self.spec()
            path = preferred.save()
            set_language(None if preferred.language == "system" else preferred.language)
            for host in self._hosts():
                host.prefer(preferred)
        except LabvirtError as error:
            self._ended = ("failed", str(error))
        else:
            text = _(
                "Kept in {path}. Views that are opened from now on keep to it, numbers at once."
            )
            self._ended = ("done", text.format(path=path))
        self.refresh()
        return self._ended[0] == "done"

    def more(self) -> dict[str, Any]:
        """Return the button, and how the last press of it ended."""
        phase, said = self._ended
        return {
            "verb": {"label": _("Save"), "tip": _("Keep these preferences; they hold at once")},
            "blocked": "",
            "options": [],
            "job": {"phase": phase, "said": said},
        }

    def pressed(self, name: str, value: str) -> None:
        """Do what a button stands for."""
        del value
        if name == "make":
            self.worker.later("save", self.save)

    def changed(self) -> None:
        """Forget how the last press ended: now it is another thing."""
        self._ended = ("idle", "")
