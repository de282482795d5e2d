"""Forms inside the details: change what is there, add what is not; each is a plan of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.errors import ConflictError, LabvirtError, SpecError
from labvirt.model.editing import edits
from labvirt.widgets.forms.labels import label_of
from labvirt.widgets.forms.planning import PlanForm
from labvirt.widgets.forms.words import words
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.parts import cell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labvirt.model.spec import Spec
    from labvirt.plan import Plan
    from labvirt.widgets.forms.tree import Section

__all__ = ["AddForm", "EditForm", "PageForm"]


class PageForm(PlanForm[Any]):
    """A form that is a part of another view, which closes it."""

    CLAIMS = False

    #: The domain is not there any more.
    is_gone = False

    def hold(self, gone: bool) -> None:  # noqa: FBT001 - reads as it is
        """Let nothing be made while the domain is gone."""
        if gone != self.is_gone:
            self.is_gone = gone
            self.refresh()

    def blocked(self) -> str:
        """Return why nothing can be made now; empty when it can."""
        return _("The VM is gone.") if self.is_gone else super().blocked()

    def more(self) -> dict[str, Any]:
        """Return preview and progress; the checklist of a short form is the form itself."""
        found = super().more()
        found.pop("checklist", None)
        return found


class AddForm(PageForm):
    """A form that adds something: after that it may add another one."""

    def _outcome(self) -> str:
        if self.phase == "done":
            name = getattr(self.result, "name", "")
            return _("Added: {name}").format(name=name)
        return super()._outcome()


class EditForm(PageForm):
    """A form over what is there: only what is another value by now is changed.

    What somebody else changed meanwhile is told, and never overwritten: where both changed the
    same, the plan is refused until one has looked at it (Revert).

    Args:
        spec: the class, with optional fields only.
        values: what holds now, by field.
        title: heading.
        host: the host.
        read: reads what holds; it may wait for the host.
        change: makes the plan of edits.
        sections: parts of the form.
    """

    def __init__(
        self,
        spec: type[Spec],
        values: Mapping[str, Any],
        *,
        title: str,
        host: Any,
        read: Callable[[], Mapping[str, Any]],
        change: Callable[..., Plan[Any]],
        sections: tuple[Section, ...] = (),
    ) -> None:
        super().__init__(
            spec, title=title, verb=N_("Apply"), plan=self._plan_edits, host=host, sections=sections
        )
        self._read, self._change = read, change
        self.values: dict[str, Any] = dict(values)
        #: What somebody else made of it while there are edits here.
        self.newer: dict[str, Any] | None = None
        self.state.load(self.values)

    @property
    def edits(self) -> dict[str, Any]:
        """What is another value than on the host, as far as it was last read."""
        with self._lock:
            spec = self.state.check().spec
        return {} if spec is None else self._edits_of(spec)

    def _edits_of(self, spec: Spec) -> dict[str, Any]:
        return edits(self.state.cls.model_validate(self.values), spec)

    def take(self, values: Mapping[str, Any]) -> None:
        """Take note of what holds now; edits stay, and what differs from them is told."""
        with self._lock:
            if self.phase in {"planning", "running"}:
                return
            now = dict(values)
            if now == self.values:
                self.newer = None
            elif self.phase == "done" or not self._is_edited():
                self.values, self.newer = now, None
                self.state.load(now)
            else:
                self.newer = now
        self.refresh()

    def _is_edited(self) -> bool:
        spec = self.state.check().spec
        return spec is None or bool(self._edits_of(spec))

    def clear(self) -> None:
        """Revert: show what holds on the host again."""
        with self._lock:
            self.values, self.newer = self.newer or self.values, None
            self._asked = False
            self.state.load(self.values)
        self._update()

    def blocked(self) -> str:
        """Return why nothing can be changed now; empty when it can."""
        if self.is_gone or self.host.readonly or self.phase in {"planning", "running"}:
            return super().blocked()
        if not self._is_edited():
            return _("Nothing is other than before.")
        return ""

    def changed(self) -> None:
        """Work out the plan again, unless there is nothing to change."""
        if self._is_edited():
            super().changed()
            return
        with self._lock:
            self._plan_errors, self._preview = {}, {"state": "none"}
            if self.phase in {"failed", "cancelled", "done"}:
                self.phase, self.error, self._progress, self.job = "idle", "", {}, None

    def more(self) -> dict[str, Any]:
        """Return the words of an edit, and what somebody else has changed."""
        notes: list[tuple[str, str]] = []
        if self.newer is not None:
            text = _("Somebody else has changed it meanwhile: {what}. Revert shows what holds now.")
            notes.append(("warning", text.format(what=_told(self._moved(self.newer)))))
        tips = _("Take back the edits that were not applied, and show what holds now")
        none = _("The plan is shown here when something is another value.")
        own = {**words(), "clear": _("Revert edits"), "clear_tip": tips, "none": none}
        return {**super().more(), "notes": notes, "words": own}

    def _status(self, errors: Mapping[str, str], seen: Mapping[str, str]) -> str:
        if self._said or errors:
            return super()._status(errors, seen)
        found = [_(label_of(name, self.state.cls.__name__)) for name in self.edits]
        if not found:
            return _("Nothing is other than before.")
        return _("Changed here: {names}.").format(names=", ".join(found))

    def _outcome(self) -> str:
        return _("Done.") if self.phase == "done" else super()._outcome()

    def _moved(self, now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {
            name: (self.values.get(name), now.get(name))
            for name in self.values
            if self.values.get(name) != now.get(name)
        }

    def _plan_edits(self, spec: Spec) -> Plan[Any]:
        """Return the plan, after a look at what holds at this moment.

        Raises:
            SpecError: nothing is another value.
            ConflictError: somebody else has changed the same meanwhile.
            LabvirtError: the host refuses, or what was edited is gone.
        """
        found = self._edits_of(spec)
        if not found:
            raise SpecError(_("Nothing is other than before."))
        now = dict(self._read())
        moved = {
            name: pair
            for name, pair in self._moved(now).items()
            if name in found and now.get(name) != found[name]
        }
        if moved:
            with self._lock:
                self.newer = now
            raise ConflictError(
                _(self.title),
                uri=self.host.label,
                libvirt_text=_("somebody else has changed it meanwhile: {what}").format(
                    what=_told(moved)
                ),
                hint=_("Revert shows what holds now; nothing was overwritten"),
            )
        return self._change(**found)

    def look_again(self) -> None:
        """Read what holds, aside, and take note of it; a host that is away changes nothing."""

        def read() -> None:
            try:
                self.take(self._read())
            except LabvirtError as error:
                self.say(str(error))
                self.refresh()

        self.worker.later("read", read)


def _told(moved: Mapping[str, tuple[Any, Any]]) -> str:
    return ", ".join(
        f"{_(label_of(name))}: {cell(old) or '-'} → {cell(new) or '-'}"
        for name, (old, new) in moved.items()
    )
