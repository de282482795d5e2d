"""Finds out whether an accelerator really runs guests, by running one: a boot sector.

Nothing else tells the truth. Where KVM is broken below us, ``/dev/kvm`` opens, libvirt calls KVM
supported, and code at the reset vector even runs, but a guest never gets through its firmware.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from labvirt import places
from labvirt.errors import LabError
from labvirt.install.command import leashed, require
from labvirt.install.store import read_json, write_json

__all__ = ["Acceleration", "probe"]

# mov al,0x10; out 0xf4,al; hlt; jmp $-1. isa-debug-exit then ends QEMU with (0x10 << 1) | 1.
_BOOT_SECTOR = bytes.fromhex("b010e6f4f4ebfd").ljust(510, b"\0") + b"\x55\xaa"
_EXIT = 33
_DEVICE = {"kvm": Path("/dev/kvm")}
_KEPT = 32


@dataclass(frozen=True, slots=True)
class Acceleration:
    """What a probe found out.

    Attributes:
        works: a guest got through its firmware and into our code.
        why: the reason, in words.
        seconds: how long the probe took, in seconds.
        accel: what was probed: ``kvm`` or ``tcg``.
        host_cpu: QEMU's ``-cpu host`` works too; without it KVM needs a named CPU model.
    """

    works: bool
    why: str
    seconds: float
    accel: str
    host_cpu: bool = False


def probe(
    qemu: str = "qemu-system-x86_64",
    accel: str = "kvm",
    timeout_s: float = 2.0,
    *,
    fresh: bool = False,
) -> Acceleration:
    """Run a boot sector under an accelerator and say whether it got there.

    The answer is kept until this machine is restarted, QEMU is another file, or the rights on the
    accelerator's device change.

    Args:
        qemu: QEMU's name or path.
        accel: ``kvm`` or ``tcg``.
        timeout_s: limit in seconds; a good machine needs 0.2. QEMU is killed after that.
        fresh: probe again although an answer is known.

    Raises:
        LabError: there is no such QEMU, or it is asked for an accelerator labvirt does not know.
    """
    if accel not in {"kvm", "tcg"}:
        raise LabError(f"cannot probe the accelerator {accel!r}", hint="kvm or tcg")
    program = Path(require(qemu)).resolve()
    kept = places.cache() / "acceleration.json"
    key = _key(program, accel, timeout_s)
    if not fresh:
        known = _remembered(kept, key)
        if known is not None:
            return known
    answer = _probe(str(program), accel, timeout_s)
    try:
        # Old answers go first; a dictionary remembers the order of its keys in the file's list.
        entries = [e for e in _entries(kept) if e.get("key") != key][-_KEPT + 1 :]
        write_json(kept, {"answers": [*entries, {"key": key, **asdict(answer)}]})
    except OSError:
        # A cache that cannot be written costs time, not the answer.
        return answer
    return answer


def _probe(qemu: str, accel: str, timeout_s: float) -> Acceleration:
    began = time.monotonic()
    device = _DEVICE.get(accel)
    refused = device and _refused(device)
    if refused:
        return Acceleration(works=False, why=refused, seconds=time.monotonic() - began, accel=accel)
    works, why = _run(qemu, accel, timeout_s)
    host_cpu = works and accel == "kvm" and _run(qemu, accel, timeout_s, "-cpu", "host")[0]
    seconds = round(time.monotonic() - began, 3)
    return Acceleration(works=works, why=why, seconds=seconds, accel=accel, host_cpu=host_cpu)


def _refused(device: Path) -> str:
    """Say why the device cannot be used at all; empty when it can be opened."""
    if not device.exists():
        return f"{device} does not exist: no KVM in this kernel, or it is switched off in the BIOS"
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except PermissionError:
        return f"no right to open {device}: add this user to the group kvm and log in again"
    except OSError as error:
        return f"{device} cannot be opened: {error.strerror}"
    return ""


def _run(qemu: str, accel: str, timeout_s: float, *more: str) -> tuple[bool, str]:
    # A file in memory: nothing is left behind, also when this process is killed meanwhile.
    sector = os.memfd_create("labvirt-probe")
    try:
        os.write(sector, _BOOT_SECTOR)
        drive = f"file=/proc/self/fd/{sector},format=raw,if=ide"
        command = [qemu, "-accel", accel, "-machine", "pc", "-m", "1", "-display", "none"]
        command += ["-nodefaults", "-no-user-config", "-no-reboot", *more, "-drive", drive]
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
        done = subprocess.run(
            leashed(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout_s,
            pass_fds=(sector,),
        )
    except subprocess.TimeoutExpired:
        return False, f"a boot sector under {accel} timed out after {timeout_s:g} s"
    except OSError as error:
        return False, f"{qemu} does not start: {error.strerror}"
    finally:
        os.close(sector)
    if done.returncode == _EXIT:
        return True, f"a boot sector ran under {accel}"
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    said = lines[-1] if lines else "nothing"
    return False, f"QEMU under {accel} ended with {done.returncode} and said: {said}"


def _key(program: Path, accel: str, timeout_s: float) -> str:
    """Name everything the answer depends on."""
    stat = program.stat()
    facts: list[object] = [str(program), stat.st_size, stat.st_mtime_ns, accel, timeout_s]
    facts += [os.geteuid(), sorted(os.getgroups()), _boot_id()]
    device = _DEVICE.get(accel)
    if device is not None:
        try:
            found = device.stat()
            facts += [
                found.st_mode,
                found.st_uid,
                found.st_gid,
                os.access(device, os.R_OK | os.W_OK),
            ]
        except OSError:
            facts.append("absent")
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _entries(kept: Path) -> list[dict[str, object]]:
    listed = read_json(kept).get("answers")
    return [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []


def _remembered(kept: Path, key: str) -> Acceleration | None:
    for entry in _entries(kept):
        if entry.get("key") == key:
            try:
                return Acceleration(**{k: v for k, v in entry.items() if k != "key"})  # type: ignore[arg-type]  # what we wrote
            except TypeError:
                return None
    return None
