"""POSIX access control lists, as Linux keeps them beside a file (acl(5))."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from typing import Final, Self

__all__ = ["EXECUTE", "READ", "WRITE", "Acl", "words"]

READ: Final = 4
WRITE: Final = 2
EXECUTE: Final = 1
_NAME: Final = "system.posix_acl_access"
_HEAD: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")
_VERSION: Final = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_NOBODY: Final = 0xFFFFFFFF


def words(rights: int) -> str:
    """Return rights as ``rwx``."""
    return "".join(
        letter if rights & bit else "-" for letter, bit in zip("rwx", (4, 2, 1), strict=True)
    )


@dataclass(frozen=True)
class Acl:
    """Who may do what with a file.

    Attributes:
        owner: user id.
        group: group id.
        entries: (tag, rights, id) in the kernel's order.
        extended: whether the file has more than its mode.
    """

    owner: int
    group: int
    entries: tuple[tuple[int, int, int], ...]
    extended: bool = False

    @classmethod
    def read(cls, path: str, info: os.stat_result) -> Self:
        """Read the list of a file; of one without a list, its mode."""
        try:
            raw = os.getxattr(path, _NAME, follow_symlinks=False)
        except OSError:
            raw = b""
        if len(raw) >= _HEAD.size and _HEAD.unpack_from(raw)[0] == _VERSION:
            entries = tuple(_ENTRY.iter_unpack(raw[_HEAD.size :]))
            return cls(info.st_uid, info.st_gid, entries, extended=True)
        mode = info.st_mode
        return cls(
            info.st_uid,
            info.st_gid,
            (
                (_USER_OBJ, mode >> 6 & 7, _NOBODY),
                (_GROUP_OBJ, mode >> 3 & 7, _NOBODY),
                (_OTHER, mode & 7, _NOBODY),
            ),
        )

    def raw(self) -> bytes:
        """Return the list as the kernel takes it."""
        return _HEAD.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in self.entries)

    def write(self, path: str) -> None:
        """Put the list on a file."""
        os.setxattr(path, _NAME, self.raw(), follow_symlinks=False)

    @staticmethod
    def remove(path: str, mode: int) -> None:
        """Take the list of a file away and give it its mode back."""
        os.removexattr(path, _NAME, follow_symlinks=False)
        os.chmod(path, mode)  # noqa: PTH101 - a path below /proc/PID/root

    def _of(self, tag: int) -> int:
        return next((rights for one, rights, _ in self.entries if one == tag), 0)

    @property
    def owner_rights(self) -> int:
        """What its owner may do."""
        return self._of(_USER_OBJ)

    def rights(self, uid: int, groups: frozenset[int]) -> int:
        """Return what a user who is not almighty may do, by the rules of acl(5)."""
        if uid == self.owner:
            return self._of(_USER_OBJ)
        has_mask = any(tag == _MASK for tag, _, _ in self.entries)
        mask = self._of(_MASK) if has_mask else 7
        for tag, rights, who in self.entries:
            if tag == _USER and who == uid:
                return rights & mask
        of_groups = [
            rights
            for tag, rights, who in self.entries
            if (tag == _GROUP and who in groups) or (tag == _GROUP_OBJ and self.group in groups)
        ]
        if of_groups:
            return max(of_groups, key=lambda rights: rights & mask) & mask
        return self._of(_OTHER)

    def granting(self, uid: int, rights: int) -> Acl:
        """Return the list that also lets one user do something, and nobody else anything more.

        The owner is judged by the owner's own bits alone: those are given then.
        """
        if uid == self.owner:
            return replace(
                self,
                entries=tuple(
                    (tag, had | rights if tag == _USER_OBJ else had, who)
                    for tag, had, who in self.entries
                ),
            )
        old = next((r for tag, r, who in self.entries if tag == _USER and who == uid), 0)
        kept = [
            entry
            for entry in self.entries
            if entry[0] != _MASK and not (entry[0] == _USER and entry[2] == uid)
        ]
        kept.append((_USER, old | rights, uid))
        # The mask caps all entries of groups and named users: those that were there get no more.
        was = self._of(_MASK) if any(tag == _MASK for tag, _, _ in self.entries) else 7
        capped = [
            (tag, r & was, who)
            if tag in (_USER, _GROUP, _GROUP_OBJ) and who != uid
            else (tag, r, who)
            for tag, r, who in kept
        ]
        mask = 0
        for tag, r, _ in capped:
            if tag in (_USER, _GROUP, _GROUP_OBJ):
                mask |= r
        capped.append((_MASK, mask, _NOBODY))
        return replace(
            self, entries=tuple(sorted(capped, key=lambda e: (e[0], e[2]))), extended=True
        )
