"""Image: a disk image of this machine, with qemu-img's verbs as plans."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from labvirt.errors import ConflictError, Problem, SpecError
from labvirt.images import tool
from labvirt.images.actions import ACTIONS, ChangeImage, CommitImage
from labvirt.images.files import dependents, full_path, require_image
from labvirt.images.machine import HERE
from labvirt.images.making import MakingVerbs, python_text
from labvirt.images.reading import ImageReading
from labvirt.model.units import Size
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Image"]

#: Limit of one long call, seconds.
LONG_S = 6 * 3600.0


class Image(MakingVerbs, ImageReading):
    """A disk image of this machine (guide 17.3). Verbs mean what they mean in qemu-img.

    Calling one does it: ``image.resize("20 GiB")``. Each can be seen before:
    ``image.resize.plan("20 GiB")``, and run in the background: ``image.resize.job("20 GiB")``.
    An image that a running domain has open is never changed.
    """

    def _change(
        self,
        text: str,
        words: tuple[str, ...],
        python: str,
        *,
        loses: tuple[str, ...] = (),
        warnings: tuple[str, ...] = (),
        confirm: bool = False,
        timeout_s: float | None = tool.SHORT_S,
        tail: tuple[str, ...] = (),
        kind: Callable[..., ChangeImage] = ChangeImage,
        **more: Any,
    ) -> Plan[Self]:
        """Return the plan of one call that changes this image in place."""
        require_image(self.path, text)
        named, secrets = self._words()
        if words[0] == "snapshot":
            # The one sub-command that does not take -f.
            secrets = {}
            named = ("--image-opts", self.node_of("sec0", secrets))
        action = kind(
            text,
            (*words, *named, *tail),
            self.path,
            timeout_s=timeout_s,
            secrets=secrets,
            before=lambda: self.require_idle(text),
            loses=loses,
            **more,
        )
        told = tuple(str(one) for one in self.journal.recover(HERE, ACTIONS))
        return Plan(
            title=text,
            host=HERE,
            actions=(action,),
            result=lambda: self,
            warnings=(*told, *warnings),
            python=f"{self.python}.{python}",
            confirmed=confirm,
            journal=self.journal,
        )

    def require_idle(self, asked: str) -> None:
        """Refuse to change an image that somebody has open.

        Raises:
            ConflictError: names the domain when the host is known.
        """
        require_image(self.path, asked)
        self.read_by("info", asked, "--output=json")

    # -- chains -------------------------------------------------------------------------------

    @verb
    def commit(
        self,
        base: str | os.PathLike[str] | None = None,
        *,
        keep: bool = False,
        rate: str | Size | None = None,
        confirm: bool = False,
        timeout_s: float | None = LONG_S,
    ) -> Plan[Self]:
        """Write what this image holds into the image below it (G17.3-03).

        The image is empty then and still stands on the base. Cut short, it still holds everything:
        the next plan on images tells so until the commit was done again.

        Args:
            base: an image further below; those between can be used no more.
            keep: do not empty this image.
            rate: most bytes per second, with a unit.
            confirm: agree that the base is changed for good.
            timeout_s: limit in seconds; None has none.

        Raises:
            SpecError: nothing is below this image, or `base` is not.
            ConflictError: a domain has one of them open.
        """
        record = self.info()
        chain = [os.path.realpath(one.path) for one in record.chain]
        if not chain:
            raise SpecError(
                f"cannot commit {self.path}: it stands on no other image",
                hint="image.info().chain shows what an image stands on",
            )
        below = full_path(base, "commit") if base is not None else record.chain[0].path
        if os.path.realpath(below) not in chain:
            why = "is not below this image"
            problem = Problem("base", below, why, f"below are: {', '.join(chain)}")
            raise SpecError(f"cannot commit {self.path}:", [problem])
        words = ["commit", "-p", *("-d",) * (keep or base is not None)]
        words += ["-b", below] * (base is not None) + _rate(rate)
        between = chain[: chain.index(os.path.realpath(below))]
        mine = {os.path.realpath(self.path), *between}
        others = [one for one in dependents(below) if os.path.realpath(one) not in mine]
        return self._change(
            f"commit {self.path} into {below}",
            tuple(words),
            python_text("commit", base and str(base), keep=keep, rate=rate and str(rate)),
            loses=(
                f"what {below} was before",
                *(f"{one}, which stands on {below}" for one in others),
                *(f"{one}, which lies between" for one in between),
            ),
            confirm=confirm,
            timeout_s=timeout_s,
            kind=CommitImage,
            base=below,
            base_mtime_ns=Path(below).stat().st_mtime_ns,
        )

    @verb
    def rebase(
        self,
        backing: str | os.PathLike[str] | None,
        *,
        backing_format: str | None = None,
        unsafe: bool = False,
        confirm: bool = False,
        timeout_s: float | None = LONG_S,
    ) -> Plan[Self]:
        """Let this image stand on another one; the guest sees no difference (safe mode).

        Safe mode first copies what differs, then changes the header: cut short, the image still
        stands on the old one and is whole.

        Args:
            backing: what it shall stand on; None makes it stand alone.
            backing_format: format of that image; must be given with it.
            unsafe: only write another name into the header (``-u``): for a base that was moved.
            confirm: agree to an unsafe change.
            timeout_s: limit in seconds; None has none.

        Raises:
            SpecError: no format for the new base, or a circle.
            NotFoundError: the new base does not exist (safe mode).
        """
        asked = f"rebase {self.path}"
        below = "" if backing is None else full_path(backing, asked)
        if below and not backing_format:
            problem = Problem("backing_format", "", "is missing", "'qcow2', 'raw' ...")
            raise SpecError(f"cannot {asked}:", [problem])
        if below and not unsafe:
            require_image(below, asked)
            self._refuse_circle(below, backing_format, asked)
        text = f"{asked} onto {below or 'nothing'}{' (header only)' if unsafe else ''}"
        words: tuple[str, ...] = ("rebase", *(("-u",) if unsafe else ("-p",)), "-b", below)
        words += ("-F", str(backing_format)) if below else ()
        shown = {"backing_format": backing_format, "unsafe": unsafe}
        return self._change(
            text,
            words,
            python_text("rebase", None if backing is None else str(backing), **shown),
            loses=(f"what {self.path} shows, unless {below or 'nothing'} is equal to its base",)
            * unsafe,
            confirm=confirm,
            timeout_s=timeout_s,
        )

    def _refuse_circle(self, below: str, form: str | None, asked: str) -> None:
        """Refuse a base that stands on this image itself."""
        chain = type(self)(below, format=form).info().chain
        if os.path.realpath(self.path) in {
            os.path.realpath(p) for p in (below, *(o.path for o in chain))
        }:
            problem = Problem("backing", below, "stands on this image itself")
            raise SpecError(f"cannot {asked}:", [problem])

    # -- size, faults, options ----------------------------------------------------------------

    @verb
    def resize(
        self,
        size: str | Size,
        *,
        shrink: bool = False,
        preallocation: str | None = None,
        confirm: bool = False,
    ) -> Plan[Self]:
        """Give the image another size; the file systems in it stay as they are.

        Args:
            size: new size with a unit.
            shrink: it may become smaller.
            preallocation: ``off``, ``metadata``, ``falloc`` or ``full`` for what is added.
            confirm: agree to lose what lies beyond the new end.

        Raises:
            SpecError: smaller without `shrink`, or no size.
            UnsupportedError: the format cannot be resized.
        """
        wanted, now = Size.of(size), self.info()
        if wanted < now.virtual_size and not shrink:
            raise SpecError(
                f"cannot resize {self.path}: {wanted} is less than {now.virtual_size}",
                hint="shrink=True, once the partitions and file systems inside are small enough",
            )
        words = ["resize", *(("--preallocation", preallocation) if preallocation else ())]
        words += ["--shrink"] * (wanted < now.virtual_size)
        lost = f"what lies beyond {wanted} in {self.path}"
        above = tuple(f"{one} stands on it and keeps its own size" for one in self.overlays())
        return self._change(
            f"resize {self.path} from {now.virtual_size} to {wanted}",
            tuple(words),
            python_text("resize", str(size), shrink=shrink, preallocation=preallocation),
            loses=(lost,) if wanted < now.virtual_size else (),
            warnings=above,
            confirm=confirm,
            tail=(str(int(wanted)),),
        )

    @verb
    def repair(
        self, what: str = "leaks", *, confirm: bool = False, timeout_s: float | None = LONG_S
    ) -> Plan[Self]:
        """Give lost clusters back, or mend faults too (``qemu-img check -r``).

        Args:
            what: ``leaks`` is harmless; ``all`` mends faults and may lose what they held.
            confirm: agree to ``all``.
            timeout_s: limit in seconds; None has none.
        """
        if what not in ("leaks", "all"):
            raise SpecError(f"cannot repair {what!r} of {self.path}", hint="'leaks' or 'all'")
        self.check()
        return self._change(
            f"repair {what} of {self.path}",
            ("check", "-r", what),
            python_text("repair", what),
            loses=(f"what the broken clusters of {self.path} held",) if what == "all" else (),
            confirm=confirm,
            timeout_s=timeout_s,
        )

    @verb
    def amend(
        self, options: Mapping[str, object], *, confirm: bool = False, timeout_s: float = 3600.0
    ) -> Plan[Self]:
        """Change options of the format, such as ``compat`` and ``lazy_refcounts`` of qcow2.

        Args:
            options: options of the format (``qemu-img amend -f FORMAT -o help``).
            confirm: nothing is lost; taken for the sake of all verbs being alike.
            timeout_s: limit in seconds.
        """
        if not options:
            raise SpecError(f"cannot amend {self.path}: no options", hint="{'compat': 'v3'}")
        shown = tool.options_text(options)
        return self._change(
            f"amend {self.path}: {shown}",
            ("amend", "-p", "-o", shown),
            python_text("amend", dict(options)),
            confirm=confirm,
            timeout_s=timeout_s,
        )

    # -- snapshots inside ---------------------------------------------------------------------

    @verb
    def snapshot_create(self, name: str) -> Plan[Self]:
        """Keep the present state under a name inside the image (G17.3-10).

        Raises:
            ConflictError: the name is taken.
            UnsupportedError: the format keeps no snapshots.
        """
        _line(name, f"make a snapshot of {self.path}")
        if name in {one.name for one in self.info().snapshots}:
            raise ConflictError(
                f"make snapshot {name} of {self.path}", libvirt_text="the name is taken"
            )
        return self._snapshot("make", "-c", name, "snapshot_create")

    @verb
    def snapshot_apply(self, name: str, *, confirm: bool = False) -> Plan[Self]:
        """Bring a kept state back; the present one is lost unless it is kept too."""
        self._known(name)
        lost = f"the present state of {self.path}"
        return self._snapshot("apply", "-a", name, "snapshot_apply", (lost,), confirm=confirm)

    @verb
    def snapshot_delete(self, name: str, *, confirm: bool = False) -> Plan[Self]:
        """Forget a kept state; the present one stays."""
        self._known(name)
        lost = f"snapshot {name} of {self.path}"
        return self._snapshot("delete", "-d", name, "snapshot_delete", (lost,), confirm=confirm)

    def _known(self, name: str) -> None:
        names = [one.name for one in self.info().snapshots]
        if name not in names:
            problem = Problem("name", name, "no such snapshot", f"there are: {names or 'none'}")
            raise SpecError(f"{self.path} has no snapshot {name!r}", [problem])

    def _snapshot(
        self,
        word: str,
        flag: str,
        name: str,
        call: str,
        loses: tuple[str, ...] = (),
        *,
        confirm: bool = False,
    ) -> Plan[Self]:
        text = f"{word} snapshot {name} of {self.path}"
        words = ("snapshot", flag, name)
        return self._change(text, words, python_text(call, name), loses=loses, confirm=confirm)


def _rate(rate: str | Size | None) -> list[str]:
    return [] if rate is None else ["-r", str(int(Size.of(rate)))]


def _line(name: str, asked: str) -> None:
    if not name or not name.isprintable() or len(name.encode()) > 255:
        problem = Problem("name", name[:60], "must be one line of at most 255 bytes")
        raise SpecError(f"cannot {asked}:", [problem])
