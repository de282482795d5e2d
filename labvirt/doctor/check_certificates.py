"""Checks of the host's certificates: how long they count, and who can read their keys (13.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.errors import SpecError
from labvirt.hostprep.certificates import read_certificate
from labvirt.hostprep.pki import Authority
from labvirt.hostprep.pki_places import PLACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.doctor.case import Case
    from labvirt.hostprep.certificates import Certificate

__all__: list[str] = []

_SOON_DAYS: Final = 30
_DASHED: Final = ("ca-cert.pem", "server-cert.pem", "client-cert.pem")
_FOLDERS: Final = (
    "default_tls_x509_cert_dir",
    "vnc_tls_x509_cert_dir",
    "spice_tls_x509_cert_dir",
    "migrate_tls_x509_cert_dir",
    "chardev_tls_x509_cert_dir",
    "nbd_tls_x509_cert_dir",
    "backup_tls_x509_cert_dir",
)


def _places(case: Case) -> list[str]:
    """Return where daemon and QEMU look for certificates, as their files say and by default."""
    daemon, qemu = reading.daemon_conf(case), reading.qemu_conf(case)
    found = [daemon[name] for name in ("ca_file", "cert_file") if name in daemon]
    for name in _FOLDERS:
        if folder := qemu.get(name):
            found += [f"{folder}/{file}" for file in _DASHED]
    if reading.is_session(case):
        home = reading.daemon_home(case)
        found += [f"{home}/.pki/libvirt/{name}cert.pem" for name in ("ca", "server", "client")]
        return list(dict.fromkeys(found))
    for name, place in PLACES.items():
        if "user" not in name and name != "pkipath":
            found += [f"/{place.ca}", f"/{place.cert}"]
    found += [f"/etc/pki/qemu/{file}" for file in _DASHED]
    return list(dict.fromkeys(found))


@check(
    "host.tls-expiry",
    "Do the host's certificates count, and for long?",
    guide="G13.2-02",
    needs="machine",
)
def tls_expiry(case: Case) -> Iterator[Seen]:
    """Read every certificate of daemon and QEMU, and look until when it counts."""
    good: list[Certificate] = []
    for path in _places(case):
        text = case.machine.read(path)
        if text is None:
            if case.machine.exists(path):
                yield unknown(
                    f"{path} is closed to this user", f"sudo chmod a+r {path}", about=path
                )
            continue
        try:
            found = read_certificate(text.encode(), path)
        except SpecError as error:
            yield fail(
                error.what, "it is no certificate", f"certtool -i --infile {path}", about=path
            )
            continue
        seen = _judged(path, found, _renewal(case, path))
        if seen.verdict == "ok":
            good.append(found)
        else:
            yield seen
    if good:
        first = min(good, key=lambda one: one.ends)
        yield ok(f"{len(good)} count; the first to end: {first.subject}, {first.ends:%Y-%m-%d}")
    elif not any(case.machine.exists(path) for path in _places(case)):
        yield not_here("there are none: nothing is reached by TLS")


def _renewal(case: Case, path: str) -> Callable[[], Any] | None:
    """Return what makes the plan that signs it anew; None where its authority is not beside it."""
    if case.machine.is_far:
        return None
    seen = case.machine.path(path).resolve()
    authority = Authority(seen.parent.parent)
    try:
        bundle = next((one for one in authority.bundles if one.cert.resolve() == seen), None)
    except OSError:
        return None
    if bundle is None:
        return None
    return lambda: authority.renew.plan(bundle)


def _judged(path: str, found: Certificate, renewal: Callable[[], Any] | None) -> Seen:
    role = "ca" if "ca" in found.uses else (found.uses or ("server",))[0]
    problems = found.problems(role, warn_days=_SOON_DAYS)  # type: ignore[arg-type]  # one of its own uses
    told = f"{path}: {found.subject}, {found.begins:%Y-%m-%d} to {found.ends:%Y-%m-%d %H:%M} UTC"
    whys = [one.why for one in problems if one.field in {"begins", "ends"}]
    if not whys:
        return ok(told)
    remedy = (
        "sign it anew where the authority is: pki.Authority(FOLDER).renew(bundle), then "
        f"pki_places.install(bundle, ...), or certtool --generate-certificate --outfile {path}; "
        "virt-admin server-update-tls libvirtd"
    )
    if any("not valid yet" in why for why in whys):
        return fail(told, f"it {whys[0]}", "see host.ntp; date -u", about=path)
    if found.days_left <= 0:
        cause = (
            f"it ended {-found.days_left:.0f} days ago: whoever checks it refuses the connection"
        )
        return fail(told, cause, remedy, fix=renewal, about=path)
    return warning(told, f"it {whys[0]}", remedy, fix=renewal, about=path)
