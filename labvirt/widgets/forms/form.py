"""Form: a spec as labelled, checked controls in a notebook; everything it does a script can do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from labvirt.errors import LabvirtError
from labvirt.model.spec import Spec
from labvirt.widgets.batch import is_batch
from labvirt.widgets.forms.choices import Choices
from labvirt.widgets.forms.state import FormState
from labvirt.widgets.forms.static import as_html, as_plain
from labvirt.widgets.forms.tree import section_nodes
from labvirt.widgets.forms.words import words
from labvirt.widgets.forms.worker import Worker
from labvirt.widgets.i18n import _, language, ngettext
from labvirt.widgets.registry import registry
from labvirt.widgets.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.widgets.forms.tree import Section
    from labvirt.widgets.view import LiveView

__all__ = ["Form"]

S = TypeVar("S", bound=Spec)


class Form(Shown, Generic[S]):
    """A form for one spec. Shown by being the last line of a cell.

    Args:
        spec: the class that is asked for.
        title: heading, in English.
        sections: parts of the form; one with every field when left out.
        host: whose pools, networks and numbers are offered; they are asked for on a thread.
    """

    #: It is a view of its own; a form inside of another view is closed by that one.
    CLAIMS: ClassVar[bool] = True

    def __init__(
        self,
        spec: type[S],
        *,
        title: str,
        sections: Sequence[Section] = (),
        host: Any | None = None,
    ) -> None:
        super().__init__()
        self.title = title
        self.host: Any = host
        names = tuple(name for _key, _title, fields in sections for name in fields)
        self.state: FormState[S] = FormState(spec, only=names)
        every = tuple(field.name for field in self.state.fields)
        self.sections: tuple[Section, ...] = tuple(sections) or (("all", title, every),)
        self.choices = Choices(host)
        self.worker = Worker(f"labvirt-form {title}")
        self._lock = threading.RLock()
        self._asked = False
        self._focus = (0, "")
        self._seen: dict[str, int] = {}
        self._said = ""
        self._view: LiveView | None = None
        self._is_closed = False
        self._changed: list[Callable[[], object]] = []
        if self.CLAIMS:
            registry.claim(self, f"form {spec.__name__} {getattr(host, 'label', '')}")

    def __repr__(self) -> str:
        """Return one line."""
        state = "closed" if self._is_closed else f"{len(self.errors)} errors"
        return f"<Form {self.state.cls.__name__}: {state}>"

    # -- a script's side ---------------------------------------------------------------------------

    def set(self, path: str, value: Any) -> None:
        """Give a value as a person would: text, or True and False.

        Args:
            path: the field, e.g. ``disks[0].source.size``.
            value: text with or without a unit; empty text takes it away.

        Raises:
            SpecError: there is no such field, or no form could give such a value.
        """
        with self._lock:
            self.state.set(path, value)
        self._update()

    def add(self, path: str) -> str:
        """Add an element to a list, e.g. ``disks``; return its path."""
        with self._lock:
            made = self.state.add(path)
        self._update()
        return made

    def remove(self, path: str) -> None:
        """Take an element of a list away, e.g. ``disks[0]``."""
        with self._lock:
            self.state.remove(path)
        self._update()

    def load(self, spec: Spec | Mapping[str, Any]) -> tuple[str, ...]:
        """Fill the form from a spec; return what it could not take."""
        with self._lock:
            left = self.state.load(spec)
        self._update()
        return left

    def clear(self) -> None:
        """Take everything away that was given."""
        with self._lock:
            self.state.clear()
            self._asked = False
        self._update()

    def spec(self) -> S:
        """Return the spec that the form has now.

        Raises:
            SpecError: every problem found.
        """
        with self._lock:
            return self.state.spec()

    @property
    def errors(self) -> Mapping[str, str]:
        """What is wrong, by path of the field; the path is empty for what belongs to none."""
        with self._lock:
            return self.state.check().errors

    def on_change(self, fn: Callable[[], object]) -> Callable[[], None]:
        """Call `fn` when a value is another one; returns what ends that."""
        self._changed.append(fn)

        def stop() -> None:
            if fn in self._changed:
                self._changed.remove(fn)

        return stop

    # -- shown -------------------------------------------------------------------------------------

    @property
    def widget(self) -> Any:
        """The ipywidget, for layouts of one's own.

        Raises:
            LabvirtError: the form is closed.
        """
        from labvirt.widgets.view import LiveView

        with self._lock:
            if self._is_closed:
                raise LabvirtError(f"{_(self.title)}: this form is closed.")
            if self._view is None:
                self._view = LiveView("forms", self._receive)
                self._load_choices()
            return self._view

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget for a front end, and a table of parameters for everything else."""
        if self._is_closed:
            return {"text/plain": repr(self)}
        if is_batch():
            return self.bundle()
        widget = self.widget
        if self._view is not None:
            self._view.send_code()
        bundle: Any = widget._repr_mimebundle_(**options)
        # A box of widgets gives its data alone, an anywidget metadata with it.
        data, *rest = bundle if isinstance(bundle, tuple) else (bundle, {})
        return ({**data, **self.bundle()}, *rest)

    def bundle(self) -> dict[str, Any]:
        """Return the form as a table of parameters by MIME type, as every reader shows it."""
        with self._lock:
            errors = self.state.check().errors
            title = _(self.title)
            return {
                "text/html": as_html(title, self.state, errors),
                "text/plain": as_plain(title, self.state, errors),
            }

    def close(self) -> None:
        """End the form. Twice is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            view, self._view = self._view, None
        self.worker.close()
        registry.forget(self)
        if view is not None:
            view.send_all({"t": "closed", "text": _("Closed")}, [])
            view.end()

    # -- for forms that do more ----------------------------------------------------------------------

    def more(self) -> dict[str, Any]:
        """Return what a form of another kind adds to its data."""
        return {}

    def pressed(self, name: str, value: str) -> None:
        """Do what a button of a form of another kind stands for."""

    def changed(self) -> None:
        """Take note that a value is another one."""

    def given_elsewhere(self) -> Mapping[str, str]:
        """Return errors that somebody else found than the spec, by field."""
        return {}

    def offered(self) -> Mapping[str, tuple[str, ...]]:
        """Return what this form proposes for its fields, besides what the host has."""
        return {}

    def say(self, text: str) -> None:
        """Say something in the status line until something changes."""
        self._said = text

    def focus_first(self) -> bool:
        """Show every error and go to the first; return whether there is one."""
        with self._lock:
            self._asked = True
            errors = self._errors()
            if errors:
                self._focus = (self._focus[0] + 1, next((path for path in errors if path), ""))
        return bool(errors)

    # -- inside --------------------------------------------------------------------------------------

    def _load_choices(self) -> None:
        if self.choices.state in {"asked", "failed"}:
            self.choices.state = "loading"
            self.worker.read("choices", self.host, self._ask_host)

    def _ask_host(self) -> None:
        self.choices.load()
        self.changed()
        self.refresh()

    def _update(self) -> None:
        self._said = ""
        self.changed()
        for fn in tuple(self._changed):
            fn()
        self.refresh()

    def _errors(self) -> dict[str, str]:
        found = dict(self.state.check().errors)
        for path, text in self.given_elsewhere().items():
            found.setdefault(path, text)
        return found

    def model(self) -> dict[str, Any]:
        """Return the form as data, as a page gets it."""
        with self._lock:
            errors = self._errors()
            seen = {
                path: text
                for path, text in errors.items()
                if self._asked or path in self.state.raw or (not path and self.state.raw)
            }
            return {
                "t": "form",
                "title": _(self.title),
                "language": language(),
                "sections": section_nodes(
                    self.state, self.sections, self.choices, seen, self.offered()
                ),
                "general": seen.get("", ""),
                "status": self._status(errors, seen),
                "is_wrong": bool(seen),
                "loading": self.choices.state,
                "loading_error": self.choices.error,
                "focus": list(self._focus),
                "seen": dict(self._seen),
                "words": words(),
                **self.more(),
            }

    def _status(self, errors: Mapping[str, str], seen: Mapping[str, str]) -> str:
        if self._said:
            return self._said
        missing = [e for e in self.state.entries() if e.state == "missing"]
        given = sum(entry.state == "given" for entry in self.state.entries())
        parts = []
        wrong = len([path for path in seen if path not in {e.path for e in missing}])
        if wrong:
            text = ngettext("{count} field is wrong", "{count} fields are wrong", wrong)
            parts.append(text.format(count=wrong))
        if missing:
            names = ", ".join(_(entry.field.label) for entry in missing)
            parts.append(_("Missing: {names}").format(names=names))
        if not parts and not errors:
            parts.append(_("Everything needed is given"))
        text = ngettext("{count} value given", "{count} values given", given)
        parts.append(text.format(count=given))
        return ". ".join(part[:1].upper() + part[1:] for part in parts) + "."

    def refresh(self) -> None:
        """Send the form to the pages that show it."""
        with self._lock:
            view = self._view
            model = self.model() if view is not None else None
        if view is not None and model is not None:
            view.send_all(model, [])

    def _receive(self, message: Mapping[str, Any]) -> None:
        """Do what a page says; what it cannot mean is told in the status line."""
        kind, path = message.get("t"), str(message.get("path", ""))
        with self._lock:
            view, number = str(message.get("view", "")), message.get("n")
            if isinstance(number, int) and len(self._seen) < 100:
                self._seen[view] = number
        try:
            if kind == "set":
                self.set(path, message.get("value"))
            elif kind == "add":
                self.add(path)
            elif kind == "remove":
                self.remove(path)
            elif kind == "press":
                self._press(str(message.get("name", "")), str(message.get("value", "")))
            elif kind == "hello":
                self.refresh()
        except LabvirtError as error:
            self.say(str(error))
            self.refresh()

    def _press(self, name: str, value: str) -> None:
        if name == "clear":
            self.clear()
        elif name == "reload":
            self._load_choices()
            self.refresh()
        else:
            self.pressed(name, value)
