"""Checks of what protects the host: confinement of guests, open ports, services, logins (6, 7)."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, not_here, ok, unknown, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case

__all__ = ["fcontext", "listeners"]

_UNCONFINED: Final = "guests of a lab are not confined: they are the user's own"
_IMAGES: Final = "/var/lib/libvirt/images"
#: Services that a host of guests has no need of (G6-02), by the name of their process.
_NEEDLESS: Final = {
    "automount": "autofs",
    "rpc.mountd": "NFS server",
    "nfsd": "NFS server",
    "vsftpd": "FTP",
    "proftpd": "FTP",
    "pure-ftpd": "FTP",
    "httpd": "HTTP",
    "apache2": "HTTP",
    "nginx": "HTTP",
    "ypserv": "NIS",
    "ypbind": "NIS",
    "telnetd": "telnet",
    "in.telnetd": "telnet",
    "xinetd": "inetd",
    "inetd": "inetd",
    "sendmail": "mail",
    "exim4": "mail",
    "cupsd": "printing",
    "avahi-daemon": "mDNS",
    "smbd": "SMB",
    "bluetoothd": "Bluetooth",
}
#: Ports that show more than a host should, or without encryption.
_RISKY: Final = {
    ("tcp", 21): "FTP: passwords in plain text",
    ("tcp", 23): "telnet: passwords in plain text",
    ("tcp", 25): "mail",
    ("tcp", 79): "finger",
    ("tcp", 111): "rpcbind",
    ("udp", 111): "rpcbind",
    ("tcp", 512): "rexec: no encryption",
    ("tcp", 513): "rlogin: no encryption",
    ("tcp", 514): "rsh: no encryption",
    ("tcp", 631): "printing",
    ("tcp", 445): "SMB",
    ("tcp", 873): "rsync",
    ("tcp", 2049): "NFS",
    ("tcp", 3260): "iSCSI",
    ("udp", 5353): "mDNS",
    ("tcp", 10809): "NBD: no encryption",
    ("tcp", 16509): "libvirt by TCP: no encryption; whoever gets in is root",
}
_LOCAL: Final = re.compile(r"(?P<address>.*?)(%\S+)?:(?P<port>\d+)$")


@check("host.apparmor", "Does AppArmor confine the guests?", guide="G7-03")
def apparmor(case: Case) -> Seen:
    """Look whether the kernel enforces it, and whether libvirt uses it."""
    if not reading.is_qemu(case) or reading.is_lab(case):
        return not_here(_UNCONFINED if reading.is_lab(case) else "only for QEMU")
    if reading.family(case) == "redhat":
        return not_here("this distribution uses SELinux")
    enabled = (reading.text(case, "/sys/module/apparmor/parameters/enabled") or "").strip()
    models = case.patient.once("capabilities", case.host.capabilities).security_models
    used = f"libvirt uses: {', '.join(models) or 'nothing'}"
    if "selinux" in models:
        return not_here(used)
    if enabled != "Y":
        return warning(
            f"the kernel has no AppArmor; {used}",
            "nothing but its user holds back a guest that breaks out of QEMU",
            "boot with apparmor=1 security=apparmor; apt install apparmor; restart the daemon",
        )
    if "apparmor" not in models and not reading.is_session(case):
        cause = "the kernel enforces AppArmor, and libvirt does not use it for guests"
        return warning(
            used, cause, 'security_driver = "apparmor" in /etc/libvirt/qemu.conf; restart'
        )
    return _profiles(case, used)


def _profiles(case: Case, used: str) -> Seen:
    """Look for profiles that forbid nothing."""
    profiles = (reading.text(case, "/sys/kernel/security/apparmor/profiles") or "").splitlines()
    soft = [one for one in profiles if "libvirt" in one and "(complain)" in one]
    if soft:
        cause = "these profiles only write down what they should forbid"
        name = soft[0].partition(" ")[0]
        return warning("; ".join(soft[:4]), cause, f"aa-enforce {name}")
    held = sum("libvirt" in one for one in profiles)
    return ok(f"{used}" + (f"; {held} profiles of libvirt" if profiles else ""))


@check("host.selinux", "Does SELinux confine the guests, and fit the images?", guide="G7.1-01")
def selinux(case: Case) -> Iterator[Seen]:
    """Look at the mode now and at the next boot, and at the labels of the pools' folders."""
    if reading.is_lab(case):
        yield not_here(_UNCONFINED)
        return
    enforcing = (reading.text(case, "/sys/fs/selinux/enforce") or "").strip()
    conf = reading.settings(reading.text(case, "/etc/selinux/config")).get("SELINUX", "")
    if not enforcing:
        if reading.family(case) == "redhat":
            yield warning(
                f"SELinux is off; /etc/selinux/config: {conf or 'nothing'}",
                "nothing but its user holds back a guest that breaks out of QEMU",
                "SELINUX=enforcing in /etc/selinux/config; touch /.autorelabel; reboot",
            )
        else:
            yield not_here("this kernel has no SELinux")
        return
    seen = f"{'enforcing' if enforcing == '1' else 'permissive'}; next boot: {conf or '?'}"
    remedy = "setenforce 1; SELINUX=enforcing in /etc/selinux/config, so that it stays"
    if enforcing != "1" or (conf and conf != "enforcing"):
        yield warning(seen, "it only writes down what it should forbid", remedy)
    else:
        yield ok(seen)
    yield from _labels(case)


def fcontext(path: str) -> str:
    """Return the two commands that let guests of KVM have images in a folder (G7.1-05, G7.1-07)."""
    quoted = shlex.quote(f"{path.rstrip('/')}(/.*)?")
    return f"semanage fcontext -a -t virt_image_t {quoted}; restorecon -R -v {shlex.quote(path)}"


def _labels(case: Case) -> Iterator[Seen]:
    for pool in case.patient.pools:
        record = case.patient.pool_record(pool)
        if record.type == "netfs":
            found = reading.ran(case, "getsebool", "virt_use_nfs")
            if found and "off" in found.out:
                cause = "guests may not use images on NFS"
                yield warning(
                    found.out.strip(), cause, "setsebool -P virt_use_nfs on", about=pool.name
                )
            continue
        if record.type not in {"dir", "fs"} or not record.path:
            continue
        found = reading.ran(case, "ls", "-Zd", record.path)
        label = found.out.split()[0] if found and found.out.split() else ""
        if label.count(":") < 2 or re.search(r":(virt_\w+|svirt_\w+)(:|$)", label):
            continue
        cause = f"images outside {_IMAGES} need its label, else QEMU may not open them"
        told = f"{record.path}: {label}"
        yield warning(told, cause, fcontext(record.path), about=pool.name)


@check("host.services", "Do only services run that a host needs?", guide="G6-02", needs="machine")
def services(case: Case) -> Seen:
    """Compare processes with the guide's list of what to switch off."""
    if reading.is_lab(case) and reading.is_session(case):
        return not_here("a session lab lives on a machine that is for other things too")
    found = reading.ran(case, "ps", "-eo", "pid=,comm=")
    if not found:
        return unknown("ps shows nothing")
    there: dict[str, str] = {}
    for line in found.out.splitlines():
        pid, _, name = line.strip().partition(" ")
        if name.strip() in _NEEDLESS:
            there.setdefault(name.strip(), pid)
    count = len(found.out.splitlines())
    if not there:
        return ok(f"none of {len(_NEEDLESS)} among {count} processes")
    seen = ", ".join(f"{_NEEDLESS[name]}: {name} (process {pid})" for name, pid in there.items())
    names = " ".join(_unit(name) for name in there)
    cause = "each service more can be attacked, and whoever takes the host has all guests"
    return warning(
        seen, cause, f"systemctl disable --now {names}, unless guests are installed from it"
    )


def _unit(process: str) -> str:
    return {
        "automount": "autofs",
        "rpc.mountd": "nfs-server",
        "nfsd": "nfs-server",
        "cupsd": "cups",
        "bluetoothd": "bluetooth",
        "in.telnetd": "telnet.socket",
        "telnetd": "telnet.socket",
    }.get(process, process)


def listeners(lines: list[str]) -> list[tuple[str, str, int, str]]:
    """Return what is listened on beyond the machine itself: protocol, address, port, program.

    Args:
        lines: of ``ss -H -lntup``.
    """
    found = []
    for line in lines:
        words = line.split()
        match = _LOCAL.match(words[4]) if len(words) > 4 else None
        if match is None or match["address"].startswith(("127.", "[::1]", "[::ffff:127.")):
            continue
        program = re.search(r'\(\("([^"]+)",pid=(\d+)', line)
        name = f"{program[1]}, process {program[2]}" if program else ""
        found.append((words[0], match["address"], int(match["port"]), name))
    return found


@check("host.ports", "Are only ports open that a host needs?", guide="G7-04", needs="machine")
def ports(case: Case) -> Iterator[Seen]:
    """Compare what is listened on from outside with what is known to be risky."""
    if reading.is_lab(case) and reading.is_session(case):
        yield not_here("a session lab lives on a machine that is for other things too")
        return
    if not reading.ran(case, "ss", "-H", "-lntup"):
        remedy = reading.install(case, debian="iproute2", redhat="iproute")
        yield unknown("ss is not there", remedy)
        return
    found = [one for one in listeners(reading.listening(case)) if not one[3].startswith("dnsmasq")]
    seen = sorted({f"{port}/{kind}" + (f" ({who})" if who else "") for kind, _, port, who in found})
    told = set()
    for kind, address, port, who in found:
        risk = _RISKY.get((kind, port))
        if risk is None or (kind, port) in told:
            continue
        told.add((kind, port))
        cause = f"{risk}; a host should be open at 22 and, as needed, 16514, 5900 on, 49152-49215"
        remedy = (
            f"stop {who.partition(',')[0] or 'what listens there'}, or let it listen on 127.0.0.1"
        )
        if port == 16509:
            remedy = "systemctl disable --now libvirtd-tcp.socket (virtproxyd-tcp.socket); use ssh or tls"
        yield warning(f"{address}:{port} {who}".strip(), cause, remedy, about=f"{port}/{kind}")
    if not told:
        yield ok(f"open to others: {', '.join(seen[:12]) or 'nothing'}")


@check("host.vnc-default", "Are displays of guests closed to others by default?", guide="G13.2-01",
       needs="machine")  # fmt: skip
def vnc_default(case: Case) -> Seen:
    """Look at qemu.conf: where displays listen when a domain does not say."""
    if not reading.is_qemu(case):
        return not_here("only for QEMU")
    conf = reading.qemu_conf(case)
    path = f"{reading.config_folder(case)}/qemu.conf"
    open_ones = [
        f"{kind}_listen = {conf[f'{kind}_listen']}"
        for kind in ("vnc", "spice")
        if conf.get(f"{kind}_listen") in {"0.0.0.0", "::"}  # noqa: S104 - what is looked for
        and conf.get(f"{kind}_tls") != "1"
    ]
    if open_ones:
        cause = "every display listens on all addresses, without encryption"
        remedy = (
            f'vnc_listen = "127.0.0.1" in {path} (or vnc_tls = 1); view by ssh; restart the daemon'
        )
        return warning("; ".join(open_ones), cause, remedy)
    listen = conf.get("vnc_listen")
    tls = "; vnc_tls = 1" if conf.get("vnc_tls") == "1" else ""
    return ok(
        f"vnc_listen = {listen}{tls}" if listen else f"127.0.0.1, as {path} says nothing else"
    )


@check("host.ssh-root", "Is root's log-in by password closed?", guide="G13.1-01", needs="machine")
def ssh_root(case: Case) -> Seen:
    """Look at what sshd allows root."""
    if reading.is_lab(case):
        return not_here("a host of a lab is reached by its socket")
    runs = reading.ran(case, "pgrep", "-x", "sshd")
    ready = any(
        one.get("ActiveState") == "active" for one in reading.units(case, "ssh.socket").values()
    )
    if not runs and not ready:
        return not_here("no sshd runs")
    conf = _sshd(case)
    if not conf:
        return unknown("sshd_config is closed to this user", "sudo sshd -T | grep -i permitroot")
    root = conf.get("permitrootlogin", "prohibit-password")
    by_words = conf.get("passwordauthentication", "yes")
    seen = f"PermitRootLogin {root}, PasswordAuthentication {by_words}"
    if root == by_words == "yes":
        return warning(
            seen,
            "whoever guesses root's password has the host and all guests",
            "echo 'PermitRootLogin prohibit-password' > /etc/ssh/sshd_config.d/10-root.conf; "
            "systemctl reload ssh (sshd); keys by labvirt: SshFolder().ensure_key(), authorise_there",
        )
    return ok(seen)


def _sshd(case: Case) -> dict[str, str]:
    """Return sshd's settings, lower case: as it tells itself, else from its files; first one counts."""
    told = reading.ran(case, "sshd", "-T") or reading.ran(case, "/usr/sbin/sshd", "-T")
    if told:
        pairs = [line.partition(" ")[::2] for line in told.out.splitlines()]
        return {name: value.strip() for name, value in reversed(pairs)}
    folder = "/etc/ssh/sshd_config.d"
    files = [f"{folder}/{name}" for name in reading.names(case, folder) if name.endswith(".conf")]
    raw = "\n".join(reading.text(case, path) or "" for path in [*files, "/etc/ssh/sshd_config"])
    found: dict[str, str] = {}
    for line in raw.partition("\nMatch ")[0].splitlines():
        words = line.split("#")[0].split()
        if len(words) == 2:
            found.setdefault(words[0].lower(), words[1])
    return found or ({"": ""} if raw.strip() else {})
