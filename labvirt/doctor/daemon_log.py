"""The daemon's log: where it is, and what its known lines mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__ = ["KNOWN", "Known", "explained", "lines"]

_MOST: Final = 400


@dataclass(frozen=True, slots=True)
class Known:
    """A line of the log whose cause is known.

    Attributes:
        key: short name.
        pattern: what the line contains.
        cause: what it means.
        remedy: what to do.
    """

    key: str
    pattern: re.Pattern[str]
    cause: str
    remedy: str


def _known(key: str, pattern: str, cause: str, remedy: str) -> Known:
    return Known(key, re.compile(pattern), cause, remedy)


#: Trouble of the daemon itself; what concerns one guest or network is told of that one.
KNOWN: Final[tuple[Known, ...]] = (
    _known(
        "user", r"Failed to parse (user|group) '",
        "the user or group of qemu.conf does not exist: the QEMU driver does not start",
        "apt install libvirt-daemon-system, or set user= and group= in qemu.conf",
    ),
    _known(
        "virtlogd", r"Failed to connect socket to '.*virtlogd-sock'",
        "virtlogd does not run: no guest can start",
        'systemctl enable --now virtlogd.socket, or stdio_handler = "file" in qemu.conf',
    ),
    _known(
        "virtlockd", r"Failed to connect socket to '.*virtlockd-sock'",
        "virtlockd does not run, and qemu.conf asks for its locks",
        "systemctl enable --now virtlockd.socket",
    ),
    _known(
        "clients", r"Too many active clients|client(s)? limit|max_clients",
        "there are more clients than the daemon takes: new ones wait",
        "raise max_clients in libvirtd.conf (virtqemud.conf), or find who opens so many",
    ),
    _known(
        "files", r"Too many open files",
        "the daemon may open no more files",
        "systemctl edit libvirtd: [Service] LimitNOFILE=65536; restart it",
    ),
    _known(
        "disk-full", r"No space left on device",
        "a file system of the daemon is full",
        "df -h /var /run /tmp; make room",
    ),
    _known(
        "memory", r"Cannot allocate memory|out of memory",
        "the host had no memory left",
        "see host.memory; dmesg | grep -i 'out of memory'",
    ),
    _known(
        "probe", r"Failed to (probe|kill) QEMU|Failed to start QEMU binary .* for probing",
        "QEMU could not be asked what it can do: a broken or half-updated package",
        "qemu-system-x86_64 -version; reinstall it; rm -r /var/cache/libvirt/qemu; restart",
    ),
    _known(
        "config", r"(libvirtd|virt\w+d|qemu)\.conf: \d+: |unable to parse|Failed to load config",
        "a configuration file of libvirt has a mistake",
        "the line names file and number; mend it and restart the daemon",
    ),
    _known(
        "tls", r"(certificate|Certificate) .*(expired|not.* yet valid|failed validation)",
        "the daemon's certificate does not count (any more): TLS connections are refused",
        "see host.tls-expiry",
    ),
    _known(
        "firewalld", r"Unable to .*firewalld|The name org\.fedoraproject\.FirewallD1 was not provided",
        "firewalld went away while the daemon used it: rules of networks may be gone",
        "systemctl restart firewalld; systemctl restart libvirtd (virtnetworkd)",
    ),
    _known(
        "iptables", r"(iptables|ip6tables|nft|ebtables)\S* .*(not found|No such file|Permission denied)",
        "the firewall tool failed: rules of networks are missing",
        "see host.firewall-backend",
    ),
    _known(
        "apparmor", r"(internal error: )?cannot load AppArmor profile",
        "the AppArmor profile of a guest could not be made or loaded",
        "aa-status; journalctl -k | grep apparmor; the profile template in /etc/apparmor.d/libvirt",
    ),
)  # fmt: skip


def explained(line: str) -> Known | None:
    """Return what a line of the log means, None when it is not known as trouble."""
    return next((one for one in KNOWN if one.pattern.search(line)), None)


def lines(case: Case) -> tuple[list[str] | None, str]:
    """Return the last lines that the daemon wrote since it started, and where they stand.

    None when they cannot be read: then the second is why.
    """
    path = _file(case)
    if path:
        found = reading.ran(case, "tail", "-n", str(_MOST), path)
        if found:
            return _since_start(found.out.splitlines()), path
    pid = reading.daemon_pid(case)
    if not pid or not reading.has_systemd(case):
        return None, f"{path or 'no file'}, and no journal of systemd"
    words = ("journalctl", f"_PID={pid}", "-q", "-b", "-n", str(_MOST), "-o", "cat", "--no-pager")
    found = reading.ran(case, *words)
    if not found:
        return None, "journalctl is closed to this user"
    return found.out.splitlines(), "journal"


def _file(case: Case) -> str:
    """Return the file the daemon writes to; empty when it writes to the journal or is unknown."""
    outputs = reading.daemon_conf(case).get("log_outputs", "")
    if match := re.search(r"\d:file:(\S+)", outputs):
        return match[1]
    target = reading.daemon_link(case, "fd/2")
    return target if target.startswith("/") and not target.startswith("/dev/") else ""


def _since_start(found: list[str]) -> list[str]:
    """Return the lines from the last start on: it begins with libvirt's version."""
    starts = [place for place, line in enumerate(found) if "libvirt version:" in line]
    return found[starts[-1] :] if starts else found
