"""Linux system calls that Python 3.11 does not offer: namespaces, mounts, seccomp."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from functools import lru_cache

__all__ = [
    "NEWIPC",
    "NEWNET",
    "NEWNS",
    "NEWPID",
    "NEWUSER",
    "NEWUTS",
    "become_subreaper",
    "bind",
    "detach",
    "feign_ownership",
    "join",
    "make_private",
    "mount",
    "unshare",
]

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
"""Kinds of namespaces, see clone(2)."""

_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 4096, 16384, 1 << 18, 2
_PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 22, 36, 38
_SECCOMP_MODE_FILTER = 2

# Numbers of setuid setgid setreuid setregid setgroups setresuid setresgid and of the chown family.
_FEIGNED = {
    "x86_64": (0xC000003E, (105, 106, 113, 114, 116, 117, 119, 92, 93, 94, 260)),
    "aarch64": (0xC00000B7, (146, 144, 145, 143, 159, 147, 149, 54, 55)),
}


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones.

    Args:
        flags: which kinds, see unshare(2).

    Raises:
        OSError: not allowed.
    """
    _check(_libc().unshare(flags), "unshare")


def join(fd: int, kind: int) -> None:
    """Enter the namespace behind a descriptor, see setns(2).

    Raises:
        OSError: not allowed, or not of this kind.
    """
    _check(_libc().setns(fd, kind), "setns")


def mount(kind: str, target: str, options: str = "") -> None:
    """Put a new file system in place.

    Args:
        kind: ``tmpfs``, ``proc``, ``sysfs``.
        target: where.
        options: its options.

    Raises:
        OSError: not allowed.
    """
    _check(
        _libc().mount(kind.encode(), os.fsencode(target), kind.encode(), 0, options.encode()),
        f"mount {kind} on {target}",
    )


def bind(source: str, target: str) -> None:
    """Show a file or folder, with all that is mounted below it, at a second path.

    Raises:
        OSError: not allowed, or one of the two is missing.
    """
    _check(
        _libc().mount(os.fsencode(source), os.fsencode(target), None, _MS_BIND | _MS_REC, None),
        f"bind {source} to {target}",
    )


def detach(target: str) -> None:
    """Take a mount out of sight, with all that is mounted below it.

    Raises:
        OSError: not allowed (mounts that came with a new user namespace stay), or none is there.
    """
    _check(_libc().umount2(os.fsencode(target), _MNT_DETACH), f"detach {target}")


def make_private() -> None:
    """Cut the mounts of this namespace off from all others, in both directions.

    Raises:
        OSError: not allowed.
    """
    _check(_libc().mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "make mounts private")


def become_subreaper() -> None:
    """Become the parent of orphaned descendants, see prctl(2)."""
    _check(_libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl subreaper")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter(architecture: int, numbers: tuple[int, ...]) -> bytes:
    """Return the BPF program: answer 0 to the numbers without doing them, allow the rest."""

    def step(code: int, when: int, otherwise: int, value: int) -> bytes:
        return struct.pack("HBBI", code, when, otherwise, value)

    load, equal, answer = 0x20, 0x15, 0x06
    allow, done = 0x7FFF0000, 0x00050000
    program = step(load, 0, 0, 4) + step(equal, 1, 0, architecture) + step(answer, 0, 0, allow)
    program += step(load, 0, 0, 0)
    for index, number in enumerate(numbers):
        program += step(equal, len(numbers) - index, 0, number)
    return program + step(answer, 0, 0, allow) + step(answer, 0, 0, done)


def feign_ownership() -> None:
    """Let set*id and chown succeed without effect, for this process and all it will start.

    In a user namespace with a single user the kernel refuses them, and libvirt, QEMU and dnsmasq
    give up when "dropping" to the user they are already. Other architectures than the two known
    keep the kernel's answers.

    Raises:
        OSError: the kernel takes no filter.
    """
    known = _FEIGNED.get(platform.machine())
    if known is None:
        return
    program = _filter(*known)
    buffer = ctypes.create_string_buffer(program, len(program))
    prog = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = _libc()
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl no_new_privs")
    _check(
        libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(prog), 0, 0), "prctl seccomp"
    )
