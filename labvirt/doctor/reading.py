"""What several checks read of a host's machine, each fact once: files, commands, its daemon."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from labvirt.errors import LabError, NotFoundError

if TYPE_CHECKING:
    from labvirt.doctor.case import Case
    from labvirt.doctor.machine import Ran

__all__ = [
    "command_line",
    "config_folder",
    "daemon_conf",
    "daemon_file",
    "daemon_home",
    "daemon_link",
    "daemon_open_files",
    "daemon_pid",
    "daemon_program",
    "family",
    "has_systemd",
    "install",
    "is_lab",
    "is_qemu",
    "is_session",
    "listening",
    "meminfo",
    "names",
    "per_family",
    "qemu_conf",
    "qemu_user",
    "ran",
    "settings",
    "state_folder",
    "text",
    "units",
    "user_here",
]

_DAEMONS: Final = ("virtqemud", "libvirtd")
_LINE: Final = re.compile(r"^\s*(\w+)\s*=\s*(.*?)\s*$")


def text(case: Case, path: str) -> str | None:
    """Return the text of a file of the machine; None when it is not there or stays closed."""
    return case.patient.once(("text", path), lambda: case.machine.read(path))


def names(case: Case, path: str) -> list[str]:
    """Return the names in a folder of the machine; none when it is not there."""
    return case.patient.once(("names", path), lambda: case.machine.listdir(path))


def ran(case: Case, *words: str, timeout_s: float = 3.0) -> Ran | None:
    """Return how a command ended on the machine; None when it is not installed there."""

    def run() -> Ran | None:
        try:
            return case.machine.run(*words, timeout_s=timeout_s)
        except NotFoundError:
            return None
        except LabError as error:
            # So the keeper of a lab says that there is no such program.
            if "No such file" in str(error):
                return None
            raise

    return case.patient.once(("ran", words), run)


def is_qemu(case: Case) -> bool:
    """Whether the host runs guests by QEMU."""
    return bool(case.host.connection.uri.driver == "qemu")


def is_lab(case: Case) -> bool:
    """Whether the host belongs to an embedded lab: no service of the machine, and for learning."""
    return bool(case.host.facts.lab)


def is_session(case: Case) -> bool:
    """Whether the daemon is that of an ordinary user: no networks, no cgroups of its own."""
    return str(case.host.connection.uri.path).startswith("/session")


def has_systemd(case: Case) -> bool:
    """Whether systemd runs the machine."""
    return case.patient.once("systemd", lambda: case.machine.exists("/run/systemd/system"))


def units(case: Case, *wanted: str) -> dict[str, dict[str, str]]:
    """Return properties of systemd's units by name: LoadState, ActiveState, UnitFileState.

    Those that do not exist are left out; without systemd there are none.
    """
    if not has_systemd(case):
        return {}
    shown = "Id,LoadState,ActiveState,UnitFileState"
    found = ran(case, "systemctl", "show", "--no-pager", f"--property={shown}", *wanted)
    blocks = (found.out if found else "").strip().split("\n\n")
    pairs = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
    return {
        one["Id"]: one for one in pairs if one.get("Id") and one.get("LoadState") != "not-found"
    }


def meminfo(case: Case) -> dict[str, int]:
    """Return the kernel's account of memory by name, in bytes (pages as a count)."""
    found = {}
    for line in (text(case, "/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


def family(case: Case) -> Literal["debian", "redhat", "other"]:
    """Return whose commands the machine knows, by its os-release."""
    release = text(case, "/etc/os-release") or ""
    known = dict(line.partition("=")[::2] for line in release.splitlines())
    words = f"{known.get('ID', '')} {known.get('ID_LIKE', '')}".replace('"', "").split()
    if {"debian", "ubuntu"} & set(words):
        return "debian"
    return "redhat" if {"fedora", "rhel", "centos"} & set(words) else "other"


def per_family(case: Case, *, debian: str, redhat: str) -> str:
    """Return the command for the machine's distribution; both when it is another one."""
    kind = family(case)
    if kind == "other":
        return f"Debian, Ubuntu: {debian}; Fedora, RHEL: {redhat}"
    return debian if kind == "debian" else redhat


def install(case: Case, *, debian: str, redhat: str) -> str:
    """Return how packages are installed there."""
    return per_family(case, debian=f"apt install {debian}", redhat=f"dnf install {redhat}")


def daemon_pid(case: Case) -> int:
    """Return the process of the daemon, as the machine numbers it; 0 when it is not known.

    Of a machine that is not seen from here, the oldest process of its name.
    """
    if case.machine.daemon_pid:
        return case.machine.daemon_pid
    if is_session(case):
        return 0
    for name in _DAEMONS:
        found = ran(case, "pgrep", "-o", "-x", name)
        if found and found.out.split():
            return int(found.out.split()[0])
    return 0


def daemon_file(case: Case, name: str) -> str | None:
    """Return a file of the daemon's folder below /proc: ``limits``, ``environ``; None when closed."""

    def read() -> str | None:
        pid = daemon_pid(case)
        if not pid:
            return None
        if pid != case.machine.daemon_pid:
            return case.machine.read(f"/proc/{pid}/{name}")
        try:
            # Its number is that of this side, also where it lives in namespaces of its own.
            return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
        except OSError:
            return None

    return case.patient.once(("daemon", name), read)


def command_line(case: Case) -> list[str]:
    """Return the words with which the daemon was started; none when they cannot be read."""
    return [word for word in (daemon_file(case, "cmdline") or "").split("\0") if word]


def config_folder(case: Case) -> str:
    """Return where the daemon looks for qemu.conf: that of the system, or of its user."""
    if not is_session(case):
        return "/etc/libvirt"
    raw = daemon_file(case, "environ")
    env = dict(one.partition("=")[::2] for one in raw.split("\0")) if raw else dict(os.environ)
    return f"{env.get('XDG_CONFIG_HOME') or env.get('HOME', '') + '/.config'}/libvirt"


def settings(raw: str | None) -> dict[str, str]:
    """Return the settings of one of libvirt's configuration files, quotes taken off; lists as text."""
    found = {}
    for line in (raw or "").splitlines():
        if match := _LINE.match(line):
            found[match[1]] = match[2].strip().strip("\"'")
    return found


def qemu_conf(case: Case) -> dict[str, str]:
    """Return what qemu.conf says."""
    return settings(text(case, f"{config_folder(case)}/qemu.conf"))


def qemu_user(case: Case) -> str:
    """Return as whom QEMU runs on a system host: by qemu.conf, else as the distribution does."""
    usual = {"debian": "libvirt-qemu", "redhat": "qemu"}.get(family(case), "qemu")
    return qemu_conf(case).get("user") or usual


def daemon_conf(case: Case) -> dict[str, str]:
    """Return what the daemon's own file says; of a modular one virtproxyd's beside."""
    words = command_line(case)
    for flag in ("-f", "--config"):
        if flag in words[:-1]:
            return settings(text(case, words[words.index(flag) + 1]))
    folder = config_folder(case)
    found: dict[str, str] = {}
    modular = any(word.endswith("virtqemud") for word in words[:1])
    for name in ("virtproxyd", "virtqemud") if modular else ("libvirtd",):
        found |= settings(text(case, f"{folder}/{name}.conf"))
    return found


def daemon_open_files(case: Case) -> int:
    """Return how many files the daemon has open; 0 when that stays closed."""
    pid = daemon_pid(case)
    if not pid:
        return 0
    if pid != case.machine.daemon_pid:
        return len(names(case, f"/proc/{pid}/fd"))
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def state_folder(case: Case) -> str:
    """Return where the daemon keeps its own files: saved guests, snapshots, TPM states."""
    if not is_session(case):
        return "/var/lib/libvirt"
    raw = daemon_file(case, "environ")
    env = dict(one.partition("=")[::2] for one in raw.split("\0")) if raw else dict(os.environ)
    return f"{env.get('XDG_CONFIG_HOME') or env.get('HOME', '') + '/.config'}/libvirt"


def user_here() -> str:
    """Return the name of the user of this process."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def listening(case: Case) -> list[str]:
    """Return the lines of ``ss`` of what is listened on, TCP and UDP; programs as far as visible."""
    found = ran(case, "ss", "-H", "-lntup")
    return [line.strip() for line in found.out.splitlines()] if found else []


def daemon_link(case: Case, name: str) -> str:
    """Return where a link in the daemon's folder below /proc leads; empty when it stays closed."""
    pid = daemon_pid(case)
    if not pid:
        return ""
    if pid != case.machine.daemon_pid:
        found = ran(case, "readlink", f"/proc/{pid}/{name}")
        return found.out.strip() if found else ""
    try:
        return str(Path(f"/proc/{pid}/{name}").readlink())
    except OSError:
        return ""


def daemon_program(case: Case) -> str:
    """Return the program the daemon runs; ``(deleted)`` behind it when that was replaced."""
    return daemon_link(case, "exe")


def daemon_home(case: Case) -> str:
    """Return the home of the daemon's user, as the daemon was told."""
    raw = daemon_file(case, "environ")
    env = dict(one.partition("=")[::2] for one in raw.split("\0")) if raw else dict(os.environ)
    return env.get("HOME", "")
