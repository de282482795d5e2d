"""A form that makes something: preview of the plan, one button, progress, cancel, the result."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from labvirt.errors import CancelledError, LabvirtError, SpecError
from labvirt.model.spec import Spec
from labvirt.widgets.forms.clashes import free_names, name_clash, taken_names
from labvirt.widgets.forms.form import Form
from labvirt.widgets.forms.static import status_word
from labvirt.widgets.i18n import _
from labvirt.widgets.spoken import spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from labvirt.plan import Job, Plan
    from labvirt.plan.job import Progress
    from labvirt.widgets.forms.tree import Section

__all__ = ["PlanForm"]

S = TypeVar("S", bound=Spec)
_PAUSE_S = 0.35  # after the last key before a plan is worked out
_TICK_S = 0.1  # between two reports of progress
Phase = Literal["idle", "planning", "running", "done", "failed", "cancelled"]


class PlanForm(Form[S]):
    """A form whose values become a plan of a host.

    Args:
        spec: the class.
        title: heading, in English.
        verb: what the button says, in English.
        plan: makes the plan of a spec; called on a thread.
        host: the host.
        sections: parts of the form.
        options: what is asked for besides the spec: name to label, help and value; each is handed
            to ``plan`` by name.
    """

    #: Options that are the form's own and no matter of the plan.
    _own: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        spec: type[S],
        *,
        title: str,
        verb: str,
        plan: Callable[..., Plan[Any]],
        host: Any,
        sections: Sequence[Section] = (),
        options: Mapping[str, tuple[str, str, bool]] | None = None,
    ) -> None:
        super().__init__(spec, title=title, sections=sections, host=host)
        self.verb, self._plan_of = verb, plan
        self._options = dict(options or {})
        self.options = {name: value for name, (_label, _help, value) in self._options.items()}
        self._preview: dict[str, Any] = {"state": "none"}
        self._plan_errors: dict[str, str] = {}
        self._agreed: tuple[str, ...] = ()
        self._planned: Any = None
        self.phase: Phase = "idle"
        self.job: Job[Any] | None = None
        self.result: Any = None
        self.error = ""
        self._progress: dict[str, Any] = {}
        self._told = 0.0
        self._done: list[Callable[[Any], object]] = []

    # -- a script's side -----------------------------------------------------------------------------

    def plan(self) -> Plan[Any]:
        """Return the plan for what the form has now; nothing is changed yet.

        Raises:
            SpecError: every problem found.
            LabvirtError: the host refuses.
        """
        with self._lock:
            spec = self.state.spec()
            options = {name: value for name, value in self.options.items() if name not in self._own}
        made: Plan[Any] = self._plan_of(spec, **options)
        return made

    def start(self) -> bool:
        """Begin to make it, on a thread; return whether that was begun.

        It is not when something is wrong, the host is read-only, or it is being made or was made
        already: a second click makes nothing twice.
        """
        with self._lock:
            # What a host refused it may allow by now; it is asked again.
            self._plan_errors = {}
            if self.blocked() or (self.state.check().errors and self.focus_first()):
                self.refresh()
                return False
            self.phase, self.error, self.result = "planning", "", None
            self._progress = {"stage": _("Working out the plan …"), "step": 0, "steps": 0}
        self.worker.later("apply", self._apply)
        self.refresh()
        return True

    def cancel(self) -> None:
        """Stop, and undo what was done so far; returns at once."""
        with self._lock:
            job = self.job
            if self.phase == "planning":
                self.phase = "cancelled"
        if job is not None:
            job.cancel()
        self.refresh()

    def wait(self, timeout_s: float = 60.0) -> Any:
        """Wait for what `start` began, and return what was made.

        Raises:
            LabvirtError: it failed, was not begun, or has not ended in time.
        """
        until = time.monotonic() + timeout_s
        while self.phase in {"planning", "running"} and time.monotonic() < until:
            time.sleep(0.02)
        if self.phase != "done":
            raise LabvirtError(self.error or f"{_(self.title)}: {self.phase}")
        return self.result

    def on_done(self, fn: Callable[[Any], object]) -> Callable[[], None]:
        """Call `fn` with what was made, on the job's thread; returns what ends that."""
        self._done.append(fn)

        def stop() -> None:
            if fn in self._done:
                self._done.remove(fn)

        return stop

    def blocked(self) -> str:
        """Return why nothing can be made now; empty when it can."""
        if self.host.readonly:
            return _("This connection is read-only; open the host again without readonly=True.")
        if self.phase in {"planning", "running"}:
            return _("It is being made.")
        if self.phase == "done":
            return _("It was made; change a value to make another one.")
        return ""

    # -- for the page ----------------------------------------------------------------------------------

    def more(self) -> dict[str, Any]:
        """Return preview, options, checklist and progress."""
        why = self.blocked()
        return {
            "verb": {"label": _(self.verb), "tip": why or _("Do what the plan says")},
            "blocked": why,
            "options": [
                *self._agreement(),
                *(
                    {
                        "path": f"@{name}",
                        "kind": "flag",
                        "label": _(label),
                        "help": _(text),
                        "value": self.options[name],
                    }
                    for name, (label, text, _value) in self._options.items()
                ),
            ],
            "preview": self._preview,
            "job": {"phase": self.phase, "said": self._outcome(), **self._progress},
            "checklist": [
                [
                    entry.path,
                    _(entry.field.label),
                    entry.value,
                    entry.state,
                    status_word(entry.state),
                ]
                for entry in self.state.entries()
                if entry.state != "default" or "." not in entry.path
            ],
        }

    def _agreement(self) -> list[dict[str, Any]]:
        """Return the box by which one agrees to what the plan destroys, when it does."""
        losses = self._preview.get("destroys", ())
        if not losses:
            return []
        agreed = tuple(losses) == self._agreed
        text = _("Without this nothing is made. Lost for good: {what}")
        return [
            {
                "path": "@confirm",
                "kind": "flag",
                "label": _("I agree to what is lost"),
                "help": text.format(what="; ".join(losses)),
                "value": agreed,
            }
        ]

    def judged(self, plan: Plan[Any]) -> dict[str, Any]:
        """Return what a form of another kind says of its plan; it may ask the host."""
        del plan
        return {}

    def _outcome(self) -> str:
        if self.phase == "done":
            name = getattr(self.result, "name", "")
            return _("Made: {name}").format(name=name)
        if self.phase == "cancelled":
            return self.error or _("Cancelled; what was done is undone.")
        return self.error

    def set(self, path: str, value: Any) -> None:
        """Give a value; see `Form.set`. An option is ``@`` and its name."""
        if not path.startswith("@"):
            super().set(path, value)
            return
        if path == "@confirm" and isinstance(value, bool):
            with self._lock:
                self._agreed = tuple(self._preview.get("destroys", ())) if value else ()
            self.refresh()
            return
        if path[1:] not in self.options or not isinstance(value, bool):
            raise SpecError(f"the form: {path[:80]!r} is no option that is True or False")
        self.options[path[1:]] = value
        self._update()

    def pressed(self, name: str, value: str) -> None:
        """Do what a button stands for."""
        del value
        if name == "make":
            self.start()
        elif name == "cancel":
            self.cancel()

    def changed(self) -> None:
        """Work out the plan again, a moment after the last change."""
        with self._lock:
            self._plan_errors = {}
            if self.phase in {"done", "failed", "cancelled"}:
                self.phase, self.error, self._progress, self.job = "idle", "", {}, None
            spec = self.state.check().spec
            if spec is None:
                self._preview = {"state": "none"}
            elif self._view is not None:
                self._preview = {**self._preview, "state": "working"}
        if spec is not None and self._view is not None:
            self.worker.later("preview", self._show_plan, _PAUSE_S)

    def given_elsewhere(self) -> Mapping[str, str]:
        """Return what the host refused, and what is taken on it, by field."""
        if self.phase in {"planning", "running", "done"}:
            return self._plan_errors
        return {**self.clashes(), **self._plan_errors}

    def clashes(self) -> Mapping[str, str]:
        """Return what is taken on the host, by field; the plan looks again before anything."""
        name = self.state.raw.get("name", "")
        return name_clash(name, self.names_taken(), self.host.name)

    def names_taken(self) -> Collection[str]:
        """Return the names that are in use."""
        return taken_names(self.state.cls.__name__, self.choices.offer)

    def offered(self) -> Mapping[str, tuple[str, ...]]:
        """Propose a name that is free."""
        given = str(self.state.raw.get("name", ""))
        names = free_names(self.state.cls.__name__, given, self.names_taken())
        return {"name": names} if self.choices.offer is not None else {}

    # -- on the worker -----------------------------------------------------------------------------------

    def _show_plan(self) -> None:
        with self._lock:
            if self.phase in {"planning", "running", "done"}:
                return  # what is made, or was, would stand in its own way
            asked = self.state.data()
        try:
            plan = self.plan()
        except SpecError as error:
            self._refuse(asked, str(error), self.state.placed(error))
        except LabvirtError as error:
            self._refuse(asked, str(error), {})
        else:
            preview = _preview_of(plan) | self.judged(plan)
            with self._lock:
                if self.state.data() == asked:
                    self._preview = preview
        self.refresh()

    def _refuse(self, asked: Mapping[str, Any], text: str, errors: dict[str, str]) -> None:
        with self._lock:
            if self.state.data() == asked:
                self._preview = {"state": "failed", "error": spoken(text)}
                self._plan_errors = errors

    def _apply(self) -> None:
        """Plan and begin; the job goes on by itself."""
        try:
            plan = self.plan()
            with self._lock:
                if self.phase != "planning":
                    return
                self._preview = {**self._preview, **_preview_of(plan)}
                job = plan.start(
                    confirm=bool(self._agreed) and tuple(plan.destroys) == self._agreed
                )
                self.job, self.phase = job, "running"
        except SpecError as error:
            with self._lock:
                self._plan_errors = self.state.placed(error)
                self._preview = {"state": "failed", "error": spoken(str(error))}
            self._fail(str(error), focus=True)
        except LabvirtError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - a form must never hang at "working"
            self._fail(f"{type(error).__name__}: {error}")
        else:
            job.listen(self._report)
            if job.progress.stage and not job.done():
                self._report(job.progress)  # what it said before anybody listened
            job.then(self._end)
            self.refresh()

    def _fail(self, text: str, *, focus: bool = False) -> None:
        with self._lock:
            self.phase, self.error, self._progress = "failed", spoken(text), {}
            if focus:
                self.focus_first()
        self.refresh()

    def _report(self, progress: Progress) -> None:
        with self._lock:
            before = self._progress.get("step")
            self._progress = {
                "stage": spoken(progress.stage),
                "step": progress.step,
                "steps": progress.steps,
                "fraction": progress.fraction,
            }
            now = time.monotonic()
            if before == progress.step and now - self._told < _TICK_S:
                return
            self._told = now
        self.refresh()

    def _end(self, job: Job[Any]) -> None:
        try:
            result = job.result(0)
        except CancelledError as error:
            with self._lock:
                self.phase, self.error, self._progress = "cancelled", str(error), {}
        except LabvirtError as error:
            self._fail(str(error))
            return
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever looks at the form
            self._fail(f"{type(error).__name__}: {error}")
            return
        else:
            with self._lock:
                self.phase, self.result, self._progress = "done", result, {}
            for fn in tuple(self._done):
                with contextlib.suppress(Exception):
                    fn(result)
            # What is taken now is another thing than before.
            self.worker.later("choices", self._ask_again)
        self.refresh()

    def _ask_again(self) -> None:
        self.choices.load()
        self.refresh()


def _preview_of(plan: Plan[Any]) -> dict[str, Any]:
    """Return a plan as texts: they are shown as they are."""
    tabs = [
        ["xml", "XML", plan.diff],
        ["virsh", "virsh", plan.virsh],
        ["virt-install", "virt-install", plan.virt_install],
        ["python", "Python", plan.python],
    ]
    return {
        "state": "ready",
        "title": spoken(plan.title),
        "steps": [spoken(action.title) for action in plan.actions],
        "warnings": [spoken(each) for each in plan.warnings],
        "destroys": [spoken(each) for each in plan.destroys],
        "tabs": [each for each in tabs if each[2]],
    }
