"""A look inside a running guest before its devices become virtio: drivers, names, rules."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from labvirt.errors import HostError, LabvirtError

if TYPE_CHECKING:
    from labvirt.host.clones.inside import InsideVerbs

__all__ = ["DriverReport", "Finding", "look_inside"]

#: Prints one line for each fact; runs in any POSIX shell, also in busybox.
_SCRIPT: Final = r"""
r=$(uname -r); echo "kernel|$r"
d=/lib/modules/$r
for m in virtio_pci virtio_blk virtio_net virtio_scsi; do
  if grep -q "^$m " /proc/modules; then s=loaded
  elif grep -q "/$m\.ko" $d/modules.builtin 2>/dev/null; then s=builtin
  elif [ -e /sys/module/$m ]; then s=builtin
  elif [ -n "$(find $d -name "$m.ko*" 2>/dev/null)" ]; then s=module
  else s=absent; fi
  echo "driver|$m|$s"
done
if grep -q "^rootfs / \|^none / rootfs\|^tmpfs / " /proc/mounts; then echo "initrd|itself"
elif command -v lsinitramfs >/dev/null 2>&1 && [ -r /boot/initrd.img-$r ]; then
  echo "initrd|$(lsinitramfs /boot/initrd.img-$r | grep -o 'virtio_[a-z]*\.ko' | sort -u | tr '\n' ' ')"
elif command -v lsinitrd >/dev/null 2>&1; then
  echo "initrd|$(lsinitrd | grep -o 'virtio_[a-z]*\.ko' | sort -u | tr '\n' ' ')"
else echo "initrd|unknown"; fi
for f in /etc/fstab /etc/crypttab /etc/default/grub /boot/grub/grub.cfg /boot/grub/grub.conf \
  /boot/grub/menu.lst /boot/grub/device.map /boot/grub2/grub.cfg /etc/lilo.conf /etc/mdadm/mdadm.conf /etc/mdadm.conf; do
  [ -r $f ] && grep -n '/dev/[hs]d[a-z]' $f | grep -v '^[0-9]*:[[:space:]]*#' | sed "s|^|name\|$f:|"
done
grep -o '[a-z]*=/dev/[hs]d[a-z][0-9]*' /proc/cmdline | sed 's|^|name\|/proc/cmdline:0:|'
for f in /etc/udev/rules.d/*net*.rules /etc/systemd/network/*.link; do
  [ -r "$f" ] && grep -n 'DRIVERS=\|^Driver=' "$f" | grep -i 'e1000\|8139\|driver' | sed "s|^|net\|$f:|"
done
grep -n 'alias *eth[0-9]* *\(e1000\|8139\)' /etc/modprobe.conf /etc/modprobe.d/* 2>/dev/null | sed 's|^|net\||'
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was seen inside a guest.

    Attributes:
        level: ``ok``, ``warning`` (works, deserves a thought) or ``blocker`` (would not boot).
        what: what was seen.
        where: file and line, or where else.
        cure: what to do about it.
    """

    level: str
    what: str
    where: str = ""
    cure: str = ""

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        cure = f": {self.cure}" if self.cure else ""
        return f"{self.level}: {self.what}{where}{cure}"


@dataclass(frozen=True)
class DriverReport:
    """What a guest has for virtio.

    Attributes:
        uuid: the domain.
        name: its name.
        channel: how the guest was asked.
        findings: what was seen.
    """

    uuid: str
    name: str
    channel: str
    findings: tuple[Finding, ...]

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """Why the guest would not run with virtio."""
        return tuple(one for one in self.findings if one.level == "blocker")

    @property
    def ready(self) -> bool:
        """True when nothing was seen that stands in the way."""
        return not self.blockers

    def __str__(self) -> str:
        """Return one line for each finding."""
        return "\n".join(str(one) for one in self.findings)

    def _repr_html_(self) -> str:
        rows = "".join(f"<li>{escape(str(one))}</li>" for one in self.findings)
        return f"<p>{escape(self.name)}, asked by {escape(self.channel)}</p><ul>{rows}</ul>"


def look_inside(domain: InsideVerbs) -> DriverReport:
    """Ask a running guest what it has for virtio, and what in it names its disks.

    Raises:
        HostError: neither agent nor serial console answers.
    """
    if _is_windows(domain):
        return DriverReport(domain.uuid, domain.name, "guest agent", _windows(domain))
    answer = domain.ask(_SCRIPT if domain.agent_answers() else _one_line(), timeout_s=60)
    return DriverReport(domain.uuid, domain.name, answer.channel, tuple(_read(answer.text)))


def _one_line() -> str:
    """Return the script for a shell that is typed at."""
    return "sh -c '" + _SCRIPT.replace("\\\n", " ").replace("'", "'\\''") + "'"


def _is_windows(domain: InsideVerbs) -> bool:
    if not domain.agent_answers():
        return False
    try:
        return str(domain.agent("guest-get-osinfo").get("id")) == "mswindows"
    except LabvirtError:
        return False


def _windows(domain: InsideVerbs) -> tuple[Finding, ...]:
    """Look at the drivers that a Windows guest has for devices of virtio."""
    try:
        devices = domain.agent("guest-get-devices", timeout_s=30.0)
    except HostError as error:
        cure = "update qemu-ga in the guest, or drivers_installed=True when you know"
        return (Finding("blocker", f"its drivers cannot be listed: {error.what}", cure=cure),)
    names = {str(one.get("driver-name", "")) for one in devices}
    found = []
    for word, part in (("viostor", "disks"), ("netkvm", "network cards")):
        has = any(
            word in name.lower() or (part[:-1] in name.lower() and "virtio" in name.lower())
            for name in names
        )
        cure = "" if has else f"install {word} from virtio-win.iso, or add one such device first"
        level = "ok" if has else "blocker"
        found.append(
            Finding(level, f"driver {word} for {part}: {'yes' if has else 'no'}", "", cure)
        )
    return tuple(found)


def _read(text: str) -> list[Finding]:
    found: list[Finding] = []
    kernel = "?"
    drivers: dict[str, str] = {}
    for line in text.replace("\r", "").splitlines():
        kind, _, rest = line.partition("|")
        if kind == "kernel":
            kernel = rest
        elif kind == "driver":
            name, _, state = rest.partition("|")
            drivers[name] = state
        elif kind == "initrd":
            found.append(_initrd(rest.strip(), drivers, kernel))
        elif kind == "name":
            where, _, words = rest.partition(":")
            number, _, words = words.partition(":")
            cure = "name it by UUID= or LABEL= (blkid shows them), or by /dev/vd..."
            what = f"names a disk as it is called today: {words.strip()}"
            found.append(Finding("warning", what, f"{where} line {number}", cure))
        elif kind == "net":
            cure = "remove the rule: it ties the interface's name to the old driver"
            found.append(Finding("warning", f"a rule for the old card: {rest}", cure=cure))
    if not drivers:
        return [
            Finding(
                "blocker",
                "the guest did not answer as a Linux system does",
                cure="look by hand, then drivers_installed=True",
            )
        ]
    return [*_drivers(drivers, kernel), *found]


def _drivers(drivers: dict[str, str], kernel: str) -> list[Finding]:
    found = []
    for name, state in drivers.items():
        if state == "absent":
            level = "warning" if name == "virtio_scsi" else "blocker"
            cure = f"install a kernel that has it; {kernel} does not"
            found.append(Finding(level, f"no driver {name}", f"/lib/modules/{kernel}", cure))
        else:
            found.append(Finding("ok", f"driver {name}: {state}"))
    return found


def _initrd(told: str, drivers: dict[str, str], kernel: str) -> Finding:
    if told == "itself":
        return Finding("ok", "the system runs from its initial RAM disk")
    built = {name for name, state in drivers.items() if state == "builtin"}
    has = set(told.replace(".ko", "").split()) | built
    cure = f"update-initramfs -u -k {kernel} (Debian) or dracut -f --add-drivers 'virtio_blk virtio_pci'"
    if told == "unknown" and "virtio_blk" not in built:
        what = "whether the initial RAM disk holds virtio_blk cannot be seen"
        return Finding("warning", what, "", cure)
    if "virtio_blk" not in has:
        return Finding("blocker", "the initial RAM disk lacks virtio_blk", "/boot", cure)
    return Finding("ok", "the initial RAM disk holds virtio_blk")
