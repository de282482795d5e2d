"""Mending images of a host: faults inside a file, and a file that stands under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.errors import ConflictError, NotFoundError
from labvirt.host.storage.mending_actions import MoveImage, files_of_image
from labvirt.images.image import Image
from labvirt.plan import Plan

if TYPE_CHECKING:
    from labvirt.host.host import Host

__all__ = ["plan_move", "plan_rebase", "plan_repair"]


def plan_move(host: Host, source: str, target: str) -> Plan[None]:
    """Return the plan of `Host.move_image`."""
    asked = f"move {source} to {target}"
    files = files_of_image(host, asked)
    info = files.require(source, asked)
    if files.stat(target) is not None:
        raise ConflictError(asked, uri=host.label, libvirt_text=f"{target} exists already")
    return Plan(
        title=asked,
        host=host,
        actions=(MoveImage(source, target, info.st_ino),),
        result=lambda: None,
        python=f"{host.python}.move_image({source!r}, {target!r})",
        journal=host.journal,
    )


def _image(host: Host, path: str, form: str, asked: str) -> Any:
    """Return an image of the host as this process finds it."""
    files = files_of_image(host, asked)
    files.require(path, asked)
    return Image(files.here(files.resolve(path)), format=form or None, host=host)


def plan_repair(host: Host, path: str, what: str, form: str, *, confirm: bool) -> Plan[Image]:
    """Return the plan of `Host.repair_image`."""
    plan: Plan[Image] = _image(host, path, form, f"repair {path}").repair.plan(
        what, confirm=confirm
    )
    return plan


def plan_rebase(
    host: Host, path: str, base: str, base_format: str, *, confirm: bool
) -> Plan[Image]:
    """Return the plan of `Host.rename_base`."""
    asked = f"write another base into {path}"
    files = files_of_image(host, asked)
    if files.stat(base) is None:
        raise NotFoundError(asked, uri=host.label, libvirt_text=f"{base} does not exist")
    image = _image(host, path, "", asked)
    plan: Plan[Image] = image.rebase.plan(
        base, backing_format=base_format, unsafe=True, confirm=confirm
    )
    return plan
