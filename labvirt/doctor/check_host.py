"""Checks of the host's programs and people: QEMU and its user, the daemon's log, groups, updates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labvirt.doctor import daemon_log, reading
from labvirt.doctor.checks import Seen, check, fail, not_here, ok, unknown, warning
from labvirt.status.finding import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case

__all__: list[str] = []

_DIGITS: Final = re.compile(r"\d+")
#: Part of the CPUs that programs beside the guests may take before it is said.
_FOREIGN: Final = 50.0


@check("host.qemu", "Is QEMU there, in the version the daemon knows?", guide="G17.7-02")
def qemu(case: Case) -> Iterator[Seen]:
    """Look at the emulators of libvirt's capabilities, and for the tools beside them."""
    if not reading.is_qemu(case):
        yield not_here("only for QEMU")
        return
    seen = case.patient.once("capabilities", case.host.capabilities)
    own = seen.guest()
    packages = reading.install(
        case, debian="qemu-system-x86 qemu-utils", redhat="qemu-kvm qemu-img"
    )
    if own is None or not own.emulator:
        said = ", ".join(sorted({one.arch for one in seen.guests})) or "none"
        cause = f"there is no QEMU for {seen.arch}, or the daemon has not looked since it is there"
        yield fail(f"guests can be of: {said}", cause, f"{packages}; restart the daemon")
        return
    known = case.host.version().hypervisor_version
    told = reading.ran(case, own.emulator, "--version")
    if told is None:
        yield fail(own.emulator, "it is gone since the daemon has looked", packages)
        return
    match = re.search(r"version (\d+\.\d+\.\d+)", told.out)
    line = f"{own.emulator} {match[1] if match else told.out.strip()[:60]}"
    if match and known and match[1] != known:
        cause = f"the daemon knows {known}: QEMU was changed since it started"
        yield warning(line, cause, "systemctl restart libvirtd (virtqemud); guests keep running")
    else:
        yield ok(f"{line}; {len({one.arch for one in seen.guests})} architectures")
    if not reading.ran(case, "qemu-img", "--version"):
        remedy = reading.install(case, debian="qemu-utils", redhat="qemu-img")
        yield fail("qemu-img: not there", "images cannot be made", remedy, about="qemu-img")


@check("host.qemu-user", "Does the user who runs QEMU exist?", guide="G7-01", needs="machine")
def qemu_user(case: Case) -> Seen:
    """Look up user and group of qemu.conf; root is a risk on a host that counts."""
    if not reading.is_qemu(case) or reading.is_session(case):
        return not_here("guests of a session daemon run as its user")
    set_by = reading.qemu_conf(case)
    user, group = reading.qemu_user(case), set_by.get("group", "")
    seen = f"user {user}" + (f", group {group}" if group else "")
    seen += "" if "user" in set_by else " (by the distribution, not set in qemu.conf)"
    who = reading.ran(case, "id", user.lstrip("+"))
    if not who and not _DIGITS.fullmatch(user.lstrip("+")):
        if "user" not in set_by and reading.family(case) == "other":
            return unknown(seen, "grep -E '^(user|group)' /etc/libvirt/qemu.conf")
        cause = f"there is no user {user}: the daemon cannot start its QEMU driver"
        remedy = reading.install(
            case, debian="libvirt-daemon-system", redhat="libvirt-daemon-driver-qemu"
        )
        return fail(
            seen, cause, f"{remedy} (makes the user), or set user= in /etc/libvirt/qemu.conf"
        )
    if user in {"root", "+0", "0"} and not reading.is_lab(case):
        cause = "QEMU runs as root: a guest that breaks out of it owns the host"
        return warning(seen, cause, "remove user= and group= from /etc/libvirt/qemu.conf; restart")
    return ok(f"{seen}: {who.out.strip()}" if who else seen)


@check("host.logging", "Does the daemon's log tell of trouble?", guide="G19-01", needs="machine")
def logging(case: Case) -> Iterator[Seen]:
    """Read what the daemon has written since it started, and explain what is known."""
    lines, where = daemon_log.lines(case)
    if lines is None:
        yield unknown(f"its log cannot be read: {where}", "journalctl -u libvirtd -u virtqemud")
        return
    told = set()
    for line in lines:
        known = daemon_log.explained(line)
        if known is not None and known.key not in told:
            told.add(known.key)
            yield warning(
                f"{where}: {line.strip()[-300:]}", known.cause, known.remedy, about=known.key
            )
    if not told:
        errors = sum(1 for line in lines if ": error :" in line)
        yield ok(f"{where}: {len(lines)} lines, {errors} errors, none that matters")


@check(
    "host.groups", "Who else may manage guests, and so the host?", guide="G6-03", needs="machine"
)
def groups(case: Case) -> Seen:
    """List the members of the groups that libvirt's socket is open to."""
    if reading.is_session(case) or reading.is_lab(case):
        return not_here("the daemon serves one user")
    lines = (reading.text(case, "/etc/group") or "").splitlines()
    members = {
        line.split(":")[0]: [one for one in line.split(":")[3].split(",") if one]
        for line in lines
        if line.count(":") == 3
    }
    group = reading.daemon_conf(case).get("unix_sock_group") or "libvirt"
    there = {name: members[name] for name in dict.fromkeys((group, "kvm")) if name in members}
    seen = "; ".join(f"{name}: {', '.join(who) or 'nobody'}" for name, who in there.items())
    conf = reading.daemon_conf(case)
    open_to_all = conf.get("unix_sock_rw_perms", "").endswith(("6", "7"))
    if open_to_all and conf.get("auth_unix_rw") == "none":
        return fail(
            f"unix_sock_rw_perms = {conf['unix_sock_rw_perms']}, auth_unix_rw = none",
            "every user of the host may manage guests, and through them become root",
            'in libvirtd.conf (virtqemud.conf): unix_sock_rw_perms = "0770"; restart the daemon',
        )
    if not there:
        return ok(f"no group {group}: root alone, or polkit decides")
    if len(there.get(group, [])) > 5:
        cause = f"whoever is in {group} is as good as root on the host"
        return warning(seen, cause, f"gpasswd -d USER {group}")
    return ok(f"{seen} (who is in {group} is as good as root)")


@check(
    "host.accounts", "Are there only accounts that the host needs?", guide="G6-03", needs="machine"
)
def accounts(case: Case) -> Seen:
    """List accounts of people who can log in (G7-05)."""
    if reading.is_lab(case):
        return not_here("a lab lives on a machine that is for other things too")
    rows = [line.split(":") for line in (reading.text(case, "/etc/passwd") or "").splitlines()]
    people = [
        row[0]
        for row in rows
        if len(row) == 7
        and row[2].isdigit()
        and 1000 <= int(row[2]) < 65000
        and not row[6].endswith(("nologin", "false"))
    ]
    roots = [row[0] for row in rows if len(row) == 7 and row[2] == "0" and row[0] != "root"]
    seen = f"{len(people)} that can log in: {', '.join(people[:8]) or 'none'}"
    if roots:
        cause = "they are root under another name"
        return warning(f"{', '.join(roots)} with number 0", cause, f"userdel {roots[0]}")
    if len(people) > 10:
        return warning(seen, "a host of guests is no place for many users", "userdel, or move them")
    return ok(seen)


@check("host.load", "Do the guests have the host for themselves?", guide="G6-04", needs="machine")
def load(case: Case) -> Seen:
    """Share what processes take now between QEMU and all others."""
    found = reading.ran(case, "ps", "-eo", "pcpu=,rss=,comm=")
    average = (reading.text(case, "/proc/loadavg") or "").split()
    if not found or not average:
        return unknown("neither ps nor /proc/loadavg can be read")
    cpus = max(1, (reading.text(case, "/proc/cpuinfo") or "").count("processor\t:"))
    cpu, memory, most = {True: 0.0, False: 0.0}, {True: 0, False: 0}, (0.0, "")
    for line in found.out.splitlines():
        words = line.split(None, 2)
        if len(words) < 3:
            continue
        guest = words[2].startswith(("qemu", "kvm"))
        cpu[guest] += float(words[0])
        memory[guest] += int(words[1]) * 1024
        if not guest:
            most = max(most, (float(words[0]), words[2]))
    share = cpu[False] / cpus
    seen = (
        f"load {average[0]} on {cpus} CPUs; QEMU {cpu[True] / cpus:.0f} % and {amount(memory[True])}, "
        f"others {share:.0f} % and {amount(memory[False])}, most {most[1]}"
    )
    if share > _FOREIGN and cpu[True] and not reading.is_lab(case):
        cause = "programs beside the guests take most of the host"
        return warning(seen, cause, "ps -eo pid,pcpu,rss,comm --sort -pcpu | head; move them away")
    return ok(seen)


@check("host.guests-at-boot", "Do guests go down and come up with the host?", guide="G17.1-01")
def guests_at_boot(case: Case) -> Seen:
    """Look at autostart, and at the service that shuts guests down before the host goes down."""
    if reading.is_session(case) or reading.is_lab(case):
        return not_here("its daemon does not start with the machine")
    records = [case.patient.record(domain) for domain in case.patient.domains]
    started = [one.name for one in records if one.autostart]
    running = [one.name for one in records if one.is_active]
    seen = f"autostart: {', '.join(started[:6]) or 'none'}"
    known = reading.units(case, "libvirt-guests.service", "libvirtd.service", "virtqemud.service")
    if not known:
        return not_here(f"{seen}; the machine has no systemd that would start them")
    daemons = {name: one for name, one in known.items() if not name.startswith("libvirt-guests")}
    if started and not any(
        one.get("UnitFileState") in {"enabled", "indirect", "static"} for one in daemons.values()
    ):
        names = ", ".join(daemons) or "no service of libvirt"
        cause = "the daemon does not start with the host, so neither do they"
        return warning(f"{seen}; {names} not enabled", cause, "systemctl enable libvirtd.service")
    guests = known.get("libvirt-guests.service", {})
    if running and guests.get("ActiveState") != "active":
        cause = f"when the host goes down, {len(running)} running guests are cut off, not shut down"
        state = guests.get("ActiveState", "not there")
        remedy = "systemctl enable --now libvirt-guests (ON_SHUTDOWN=shutdown in its settings)"
        return warning(f"{seen}; libvirt-guests {state}", cause, remedy)
    return ok(f"{seen}; libvirt-guests {guests.get('ActiveState', 'not there')}")


@check("host.updates", "Does the host run what is installed?", guide="G19-01", needs="machine")
def updates(case: Case) -> Iterator[Seen]:
    """Compare the running kernel and daemon with what is on the disk."""
    name = reading.ran(case, "uname", "-r")
    running = name.out.strip() if name else ""
    installed = [one for one in reading.names(case, "/lib/modules") if one[:1].isdigit()]
    newest = max(installed, key=_order, default="")
    seen = f"kernel {running}"
    if case.machine.exists("/run/reboot-required") or case.machine.exists(
        "/var/run/reboot-required"
    ):
        cause = "an update waits for a restart of the host"
        yield warning(
            f"{seen}; /run/reboot-required is there", cause, "move or shut down guests; reboot"
        )
    elif installed and running not in installed:
        cause = "its modules are gone from the disk: kvm, loop or bridge cannot be loaded any more"
        remedy = "reboot into the installed kernel"
        yield warning(f"{seen}; on the disk: {', '.join(installed)}", cause, remedy)
    elif newest and _order(newest) > _order(running):
        yield warning(f"{seen}; installed: {newest}", "a newer kernel waits", "move guests; reboot")
    else:
        yield ok(seen + (f", the newest of {len(installed)}" if installed else ""))
    gone = reading.daemon_program(case)
    if gone.endswith(" (deleted)"):
        cause = "libvirt was updated, and the old daemon still runs"
        remedy = "systemctl restart libvirtd (virtqemud); guests keep running"
        yield warning(gone, cause, remedy, about="daemon")


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in _DIGITS.findall(version))


@check("host.cgroups", "Can shares of CPU, memory and disk be given to guests?", guide="G15-28")
def cgroups(case: Case) -> Seen:
    """Look at the controllers that the daemon may use."""
    if reading.is_session(case):
        return not_here("a session daemon has no control groups: no shares, no limits")
    version2 = reading.text(case, "/sys/fs/cgroup/cgroup.controllers")
    found = (version2 or "").split() or [
        one for one in reading.names(case, "/sys/fs/cgroup") if one in {"cpu", "memory", "blkio"}
    ]
    set_by = reading.qemu_conf(case).get("cgroup_controllers")
    seen = f"control groups {'v2' if version2 is not None else 'v1'}: {', '.join(found) or 'none'}"
    seen += f"; qemu.conf: cgroup_controllers = {set_by}" if set_by else ""
    if not reading.is_lab(case) and "cpu" not in found:
        cause = "virsh schedinfo, blkiotune and memtune do not work"
        return warning(seen, cause, "boot with cgroups (systemd.unified_cgroup_hierarchy=1)")
    return ok(seen)
