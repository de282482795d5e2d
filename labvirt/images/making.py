"""New images: created, converted from others, shrunk; never half-made under their own name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labvirt.errors import ConflictError, Problem, SpecError
from labvirt.images import tool
from labvirt.images.actions import ACTIONS, MakeImage
from labvirt.images.files import (
    dependents,
    full_path,
    part_name,
    parts_of,
    require_image,
    require_new,
)
from labvirt.images.machine import HERE
from labvirt.images.reading import ImageReading
from labvirt.model.units import Size
from labvirt.plan import Journal, Plan, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MakingVerbs", "python_text"]

LONG_S = 6 * 3600.0
#: Least characters of a new passphrase (G17.3-06).
PASSPHRASE_LEAST = 16
_PREALLOCATIONS = ("off", "metadata", "falloc", "full")


def python_text(call: str, *args: object, **options: object) -> str:
    """Return a call as Python text; options that are None or False are left out."""
    shown = [repr(arg) for arg in args if arg is not None or call == "rebase"]
    shown += [f"{key}={value!r}" for key, value in options.items() if value not in (None, False)]
    return f"{call}({', '.join(shown)})"


class MakingVerbs(ImageReading):
    """The verbs that make an image."""

    @property
    def journal(self) -> Journal:
        """The user's journal of plans."""
        return Journal()

    @property
    def python(self) -> str:
        """Python text that names this image."""
        more = f", format={self.format!r}" if self.format else ""
        more += ", passphrase=..." if self.passphrase is not None else ""
        return f"labvirt.images.Image({self.path!r}{more})"

    @verb
    def create(
        self,
        size: str | Size | None = None,
        *,
        backing: str | os.PathLike[str] | None = None,
        backing_format: str | None = None,
        preallocation: str | None = None,
        options: Mapping[str, object] | None = None,
        overwrite: bool = False,
        confirm: bool = False,
        timeout_s: float | None = LONG_S,
    ) -> Plan[Self]:
        """Make this image new: qcow2 unless another format was named (G17.3-02).

        With a passphrase it is encrypted with LUKS (formats qcow2 and luks), which took the place
        of the old 128-bit AES of qcow (G17.3-06).

        Args:
            size: what a guest sees, with a unit; may be left out above a backing image.
            backing: image below: only what differs from it is stored.
            backing_format: its format; must be given with it, a guess would be a hole.
            preallocation: ``off``, ``metadata``, ``falloc`` or ``full``.
            options: options of the format (``qemu-img create -f FORMAT -o help``).
            overwrite: replace a file that exists.
            confirm: agree to that.
            timeout_s: limit in seconds; None has none.

        Raises:
            SpecError: no size, no format of the backing image, a short passphrase, an option that
                the format does not have.
            ConflictError: the file exists.
            UnsupportedError: this qemu-img cannot make the format; says which can be made.
        """
        form = self.format or "qcow2"
        text = f"create {self.path} ({form})"
        more = _options(
            text, form, preallocation, options, passphrase=self.passphrase, key_id="sec0"
        )
        words = ["create", "-q", "-f", form, *more]
        if backing is not None:
            below = full_path(backing, text)
            require_image(below, text)
            if not backing_format:
                why = "is missing: a guess would let a guest choose what its disk stands on"
                raise SpecError(
                    f"cannot {text}:", [Problem("backing_format", "", why, "'qcow2', 'raw' ...")]
                )
            words += ["-b", below, "-F", backing_format]
        elif size is None:
            raise SpecError(f"cannot {text}:", [Problem("size", "", "is missing", "'20 GiB'")])
        part = part_name(self.path)
        words += [part, *([str(int(Size.of(size)))] if size is not None else [])]
        secrets = {"sec0": self.passphrase} if self.passphrase is not None else {}
        shown: dict[str, object] = {
            "backing": backing and str(backing),
            "backing_format": backing_format,
        }
        shown |= {"preallocation": preallocation, "options": options and dict(options)}
        call = python_text("create", size and str(size), **shown, overwrite=overwrite)
        action = MakeImage(
            text,
            tuple(words),
            self.path,
            timeout_s,
            secrets,
            part=part,
            overwrite=overwrite,
            mode=0o600 if secrets else None,
        )
        return self._making(action, self, f"{self.python}.{call}", confirm=confirm)

    @verb
    def convert(
        self,
        target: str | os.PathLike[str] | Self,
        *,
        format: str | None = None,  # noqa: A002 - the field's own word
        compress: bool = False,
        snapshot: str | None = None,
        backing: str | os.PathLike[str] | None = None,
        backing_format: str | None = None,
        preallocation: str | None = None,
        options: Mapping[str, object] | None = None,
        sparse: str | Size | None = None,
        rate: str | Size | None = None,
        coroutines: int | None = None,
        out_of_order: bool | None = None,
        overwrite: bool = False,
        confirm: bool = False,
        timeout_s: float | None = LONG_S,
    ) -> Plan[Self]:
        """Copy what a guest sees of this image into a new one of any format (G17.3-04).

        The new image is written under a name beside its place and renamed when it is whole.

        Args:
            target: path of the new image, or an `Image` with format and passphrase.
            format: its format; that of `target`, else ``qcow2``.
            compress: compress it (qcow2, vmdk streamOptimized, qcow).
            snapshot: convert this snapshot inside the image instead of the present state.
            backing: let the new image stand on this one, which must show the same where they agree.
            backing_format: its format; must be given with it.
            preallocation: ``off``, ``metadata``, ``falloc`` or ``full``.
            options: options of the new format.
            sparse: zeroes of at least this length become holes; ``"0 bytes"`` makes none.
            rate: most bytes per second, with a unit.
            coroutines: how many stretches are copied at once, 1 to 16.
            out_of_order: write them as they come: faster; True for raw, else False by default.
            overwrite: replace a file that exists.
            confirm: agree to that.
            timeout_s: limit in seconds; None has none.

        Returns:
            The new image.

        Raises:
            NotFoundError: this image does not exist.
            ConflictError: the target exists, or a running domain writes to this image.
            UnsupportedError: this qemu-img cannot write the format.
        """
        goal = target if isinstance(target, MakingVerbs) else type(self)(target)
        form = format or goal.format or "qcow2"
        text = f"convert {self.path} to {goal.path} ({form})"
        require_image(self.path, text)
        if os.path.realpath(self.path) == os.path.realpath(goal.path):
            raise SpecError(f"cannot {text}: it is the same file", hint="shrink() works in place")
        secrets: dict[str, str] = {}
        more = _options(
            text, form, preallocation, options, passphrase=goal.passphrase, key_id="sec1"
        )
        if goal.passphrase is not None:
            secrets["sec1"] = goal.passphrase
        if coroutines is not None and not 1 <= coroutines <= 16:
            raise SpecError(f"cannot {text}:", [Problem("coroutines", str(coroutines), "1 to 16")])
        named, keys = self._words()
        words = ["convert", "-p", "-O", form, *more, *("-c",) * compress]
        words += ["-l", f"snapshot.name={tool.as_option(snapshot)}"] if snapshot else []
        words += _backing(text, backing, backing_format)
        words += ["-S", str(int(Size.of(sparse)))] if sparse is not None else []
        words += ["-r", str(int(Size.of(rate)))] if rate is not None else []
        words += ["-m", str(coroutines)] if coroutines else []
        loose = form == "raw" and not compress if out_of_order is None else out_of_order
        part = part_name(goal.path)
        words += [*("-W",) * loose, *named, part]
        shown: dict[str, object] = {"format": form, "compress": compress, "snapshot": snapshot}
        shown |= {"preallocation": preallocation, "options": options and dict(options)}
        shown |= {"backing": backing and str(backing), "backing_format": backing_format}
        shown |= {"rate": rate and str(rate), "overwrite": overwrite}
        action = MakeImage(
            text,
            tuple(words),
            goal.path,
            timeout_s,
            {**keys, **secrets},
            part=part,
            overwrite=overwrite,
            before=lambda: self._before_convert(text, goal, overwrite=overwrite),
            blame=self.in_use,
            mode=0o600 if secrets else None,
        )
        made = type(self)(goal.path, format=form, passphrase=goal.passphrase, host=self.host)
        call = python_text("convert", goal.path, **shown)
        return self._making(action, made, f"{self.python}.{call}", confirm=confirm)

    def _before_convert(self, text: str, goal: MakingVerbs, *, overwrite: bool) -> None:
        """Look whether anybody has open what is replaced; qemu-img itself looks at what it reads."""
        if overwrite and os.path.lexists(goal.path):
            goal.read_by("info", text, "--output=json")

    @verb
    def shrink(
        self, *, compress: bool = False, confirm: bool = False, timeout_s: float | None = LONG_S
    ) -> Plan[Self]:
        """Write the image anew without its empty clusters; a guest sees no difference (G17.3-07).

        Snapshots inside the image and its place on a backing image would be lost: then it is
        refused. ``image.disk_usage()`` before and after tells what was saved.

        Args:
            compress: compress it too (G17.3-05: what a guest rewrites is uncompressed again).
            confirm: agree that the file is replaced.
            timeout_s: limit in seconds; None has none.
        """
        record = self.info()
        above = dependents(self.path)
        why = (
            f"it has snapshots ({', '.join(one.name for one in record.snapshots)})"
            if record.snapshots
            else f"it stands on {record.backing}"
            if record.backing
            else f"{', '.join(above)} stand on it"
            if above
            else ""
        )
        if why:
            raise ConflictError(
                f"shrink {self.path}", libvirt_text=why, hint="convert() to a new image"
            )
        goal = type(self)(self.path + ".shrunk", format=record.format, passphrase=self.passphrase)
        verbs: Any = self
        plan = verbs.convert.plan(goal, compress=compress, timeout_s=timeout_s)
        made = plan.actions[0]
        assert isinstance(made, MakeImage)
        text = f"shrink {self.path}"
        words = tuple(word for word in made.words)
        action = replace(
            made, text=text, words=words, path=self.path, overwrite=True, like=self.path,
            before=lambda: self._before_convert(text, self, overwrite=True),
        )  # fmt: skip
        call = python_text("shrink", compress=compress)
        return self._making(action, self, f"{self.python}.{call}", confirm=confirm)

    def _making(
        self, action: MakeImage, made: ImageReading, python: str, *, confirm: bool
    ) -> Plan[Any]:
        """Return the plan that makes an image, after cleaning what a killed process left."""
        told = [str(one) for one in self.journal.recover(HERE, ACTIONS)]
        require_new(action.path, action.text, overwrite=action.overwrite)
        told += [f"{one} is half-made and in nobody's journal" for one in parts_of(action.path)]
        if _is_odd(action.path):
            told.append(f"{Path(action.path).suffix} is an unusual end for this format")
        return Plan(
            title=action.text,
            host=HERE,
            actions=(action,),
            result=lambda: made,
            warnings=tuple(told),
            python=python,
            confirmed=confirm,
            journal=self.journal,
        )


def _is_odd(path: str) -> bool:
    return Path(path).suffix.lower() in {".iso", ".txt", ".xml", ".py"}


def _backing(text: str, backing: str | os.PathLike[str] | None, form: str | None) -> list[str]:
    if backing is None:
        return []
    below = full_path(backing, text)
    require_image(below, text)
    if not form:
        problem = Problem("backing_format", "", "is missing", "'qcow2', 'raw' ...")
        raise SpecError(f"cannot {text}:", [problem])
    return ["-B", below, "-F", form]


def _options(
    text: str,
    form: str,
    preallocation: str | None,
    options: Mapping[str, object] | None,
    *,
    passphrase: str | None,
    key_id: str,
) -> list[str]:
    """Return ``-o`` with everything that stands in it."""
    found: dict[str, object] = dict(options or {})
    if any("secret" in name or name == "encrypt" for name in found):
        why = "passphrases are not given as options"
        raise SpecError(f"cannot {text}:", [Problem("options", "", why, "Image(passphrase=...)")])
    if preallocation is not None:
        if preallocation not in _PREALLOCATIONS:
            hint = ", ".join(_PREALLOCATIONS)
            problem = Problem("preallocation", preallocation, "is not known", hint)
            raise SpecError(f"cannot {text}:", [problem])
        found["preallocation"] = preallocation
    if passphrase is not None:
        if len(passphrase) < PASSPHRASE_LEAST:
            why = f"has fewer than {PASSPHRASE_LEAST} characters"
            raise SpecError(f"cannot {text}:", [Problem("passphrase", "", why)])
        if form not in ("luks", "qcow2"):
            why = "cannot be encrypted"
            raise SpecError(f"cannot {text}:", [Problem("format", form, why, "qcow2 or luks")])
        if form == "qcow2":
            found["encrypt.format"] = "luks"
        found["key-secret" if form == "luks" else "encrypt.key-secret"] = key_id
    return ["-o", tool.options_text(found)] if found else []
