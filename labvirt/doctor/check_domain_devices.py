"""Checks of what a domain shows and holds: its screen, devices of the host, secrets."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor.check_domain import virsh
from labvirt.doctor.check_domain_log import folders
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import AccessDeniedError, LabvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case
    from labvirt.model.xml.devices import HostdevXml
    from labvirt.model.xml.domain import DomainXml

__all__: list[str] = []

_WORLD: Final = frozenset({"0.0.0.0", "::", "*"})  # noqa: S104 - looked for, not listened on


def _stored(case: Case) -> DomainXml:
    return case.patient.document(case.domain, stored=case.record.persistent)


@check("domain.display", "Is the screen of {name} kept from strangers?", guide="G7-04")
def display(case: Case) -> Iterator[Seen]:
    """Look where graphics listen, and whether a password or TLS stands before them."""
    graphics = [each for each in case.document.graphics if each.type in {"vnc", "spice"}]
    if not graphics:
        yield not_here("it shows no screen over the network")
        return
    settings = case.patient.once("qemu.conf", lambda: _settings(case))
    locked = _passwords(case)
    for number, each in enumerate(graphics):
        about = each.type if len(graphics) > 1 else ""
        has_password = locked[number] or f"{each.type}_password" in settings
        has_tls = settings.get(f"{each.type}_tls") == "1"
        yield _judged(case, each, has_password, has_tls, about or "")


def _judged(case: Case, view: Any, has_password: bool | None, has_tls: bool, about: str) -> Seen:  # noqa: FBT001 - what was seen
    kind = (view.listen_type or "address", view.listen_address or view.listen)
    if kind[0] in {"none", "socket"} or view.listen_socket or view.socket:
        return ok(f"{view.type} on a socket of the host", about=about)
    address = kind[1] or "127.0.0.1"
    words = {True: "with a password", False: "without a password", None: "password not known"}
    port = view.port if (view.port or 0) > 0 else "a free one"
    seen = f"{view.type} on {address}, port {port}, {words[has_password]}"
    seen += ", TLS" if has_tls else ", no TLS"
    if address in {"127.0.0.1", "::1", "localhost"}:
        return ok(seen, about=about)
    remedy = "domain.update('graphics', listen_address='127.0.0.1'), and labvirt or ssh brings it"
    update = partial(case.domain.update.plan, view.type, listen_address="127.0.0.1")
    fix = update if case.record.persistent and _has_one(case) else None
    where = "everybody who reaches the host" if address in _WORLD else f"whoever reaches {address}"
    if has_password is False and not has_tls:
        cause = f"{where} sees the screen and types on it"
        return fail(seen, cause, remedy, fix=fix, about=about)
    cause = f"{where} may try; VNC's passwords have 8 characters, and the picture is in the clear"
    if has_tls:
        return ok(seen, about=about)
    return warning(seen, cause, remedy, fix=fix, about=about)


def _has_one(case: Case) -> bool:
    return len(case.document.graphics) == 1


def _passwords(case: Case) -> list[bool | None]:
    """Return for each screen whether it has a password: only who may change things learns that."""
    number = len([each for each in case.document.graphics if each.type in {"vnc", "spice"}])
    try:
        root = case.patient.once(
            ("passwords", case.domain.uuid), lambda: _locked(case.domain.xml(secure=True))
        )
    except AccessDeniedError:
        return [None] * number
    return [*root, *[None] * number][:number]


def _locked(xml: str) -> list[bool | None]:
    """Return only whether there is a password, so that none of them is kept."""
    from labvirt.model.xml.domain import DomainXml

    graphics = DomainXml.parse(xml).graphics
    return [each.password is not None for each in graphics if each.type in {"vnc", "spice"}]


def _settings(case: Case) -> dict[str, str]:
    """Return what qemu.conf says of passwords and TLS; only that a password is there."""
    text = case.machine.read(f"{folders(case).config}/qemu.conf") or ""
    found = re.findall(r'(?m)^\s*((?:vnc|spice)_(?:password|tls))\s*=\s*"?([^"\n]*)', text)
    return {name: "set" if "password" in name else value.strip() for name, value in found}


@check("domain.devices", "Are the host's devices that {name} takes still there?", guide="G15-31")
def devices(case: Case) -> Seen | list[Seen]:
    """Look each device of the host up, and each folder that the guest mounts."""
    document = _stored(case)
    found = [_hostdev(case, each) for each in document.hostdevs]
    for each in document.filesystems:
        path = each.source_dir
        if path and not case.machine.exists(path):
            cause = "the folder that the guest mounts is not there: the domain cannot start"
            found.append(fail(path, cause, f"mkdir -p {path}", about=each.target_dir or path))
        elif path:
            found.append(ok(path, about=each.target_dir or path))
    return found or not_here("it takes none")


def _hostdev(case: Case, view: HostdevXml) -> Seen:
    records = case.patient.once("node devices", lambda: list(case.host.devices.records))
    if view.type == "usb" and view.usb_vendor:
        name = f"usb {view.usb_vendor}:{view.usb_product}"
        fits = [
            one
            for one in records
            if (one.vendor_id, one.product_id) == (view.usb_vendor, view.usb_product)
        ]
    elif view.type == "pci":
        parts = (view.pci_domain, view.pci_bus, view.pci_slot, view.pci_function)
        numbers = [int(part or "0", 0) for part in parts]
        name = "{:04x}:{:02x}:{:02x}.{:x}".format(*numbers)
        fits = [one for one in records if one.address == name]
    else:
        return unknown(f"{view.type}: how to find it is not known", about=view.type or "device")
    if fits:
        return ok(f"{fits[0].what}, driver {fits[0].driver or 'none'}", about=name)
    remedy = f"plug it in, or {virsh(case, 'edit', case.name)} without that <hostdev>"
    return fail("not among the host's devices", "the domain cannot start", remedy, about=name)


@check("domain.secrets", "Are the secrets that {name} needs known to libvirt?", guide="G7-03")
def secrets(case: Case) -> Seen | list[Seen]:
    """Look each secret up by its UUID or usage; its value is never read."""
    wanted = [
        (element.get("uuid") or "", element.get("usage") or "")
        for element in _stored(case).element.iter("secret")
    ]
    if not wanted:
        return not_here("it needs none")
    try:
        records = case.patient.once("secrets", lambda: list(case.host.secrets.records))
    except LabvirtError as error:
        return unknown(error.what)
    known = {one.uuid for one in records} | {one.usage for one in records}
    found = []
    for uuid, usage in dict.fromkeys(wanted):
        name = uuid or usage
        if name.lower() in known or name in known:
            found.append(ok("libvirt has it", about=name))
            continue
        cause = "libvirt has no such secret: the encrypted or remote disk cannot be opened"
        remedy = (
            f"{virsh(case, 'secret-define', 'FILE')}, then secret-set-value; or host.make_secret()"
        )
        found.append(fail(name, cause, remedy, about=name))
    return found
