"""Making a clone another system inside: by the guest agent, or on its image while it is off."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from labvirt.errors import ConflictError, HostError, UnsupportedError
from labvirt.host.clones.inside import InsideVerbs
from labvirt.host.handle import python_call
from labvirt.images.copying import kept_from_writers
from labvirt.images.tool import Command, run
from labvirt.model.identity import FileChange, Identity, IdentityStep, changes, steps
from labvirt.model.names import check_name
from labvirt.model.xml.domain import DomainXml
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from labvirt.connection import Connection
    from labvirt.plan import JobControl

__all__ = ["IdentityVerbs"]

#: Limit of reading or writing a whole image, seconds.
LIMIT_S = 3600.0
#: How a running system learns its new name and makes new keys, after the files are changed.
_NOW = """\
name={name}
[ -n "$name" ] && {{ hostname "$name" || hostnamectl set-hostname "$name"; }}
{keys}
exit 0
"""
_NEW_KEYS = """\
if [ -d /etc/ssh ] && command -v ssh-keygen >/dev/null; then ssh-keygen -A; fi
if [ -s /etc/machine-id ]; then :; elif command -v systemd-machine-id-setup >/dev/null; then
systemd-machine-id-setup; fi"""


class _AgentTree:
    """The files of a running guest, through its agent."""

    def __init__(self, domain: InsideVerbs) -> None:
        self._domain = domain

    def read(self, path: str) -> bytes | None:
        done = self._domain.run(["/bin/sh", "-c", f"[ -f {path} ] && base64 {path}"])
        return base64.b64decode(done.stdout) if done.exit_code == 0 else None

    def names(self, folder: str) -> tuple[str, ...]:
        return tuple(self._domain.run(["/bin/sh", "-c", f"ls -1 {folder}"]).stdout.split("\n")[:-1])

    def write(self, change: FileChange) -> None:
        if change.data is None:
            done = self._domain.run(["/bin/rm", "-f", change.path])
        else:
            # Written over, so that owner, mode and labels stay.
            text = base64.b64encode(change.data).decode()
            line = f"base64 -d > {shlex.quote(change.path)}"
            done = self._domain.run(["/bin/sh", "-c", line], data=text)
        if done.exit_code:
            raise HostError(f"change {change.path} inside", libvirt_text=done.stderr.strip())


class _ExtTree:
    """The files of an ext2/3/4 file system in a raw image, by debugfs; nothing is mounted."""

    def __init__(self, image: Path, offset: int) -> None:
        self._where = f"{image}?offset={offset}"

    def _debugfs(self, command: str, *, write: bool = False) -> str:
        words = ["debugfs", *["-w"] * write, "-R", command, self._where]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        said = "\n".join(
            line for line in done.stderr.splitlines() if not line.startswith("debugfs 1.")
        )
        if done.returncode or said:
            raise HostError(f"debugfs: {command}", libvirt_text=said.strip())
        return done.stdout

    def works(self) -> bool:
        """Return True when there is such a file system with a system on it."""
        try:
            return "etc" in self._listed("/")
        except HostError:
            return False

    def _listed(self, folder: str) -> dict[str, int]:
        told = self._debugfs(f"ls -p {folder}")
        rows = (line.split("/") for line in told.splitlines() if line.startswith("/"))
        return {row[5]: int(row[2], 8) for row in rows if len(row) > 5}

    def names(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(name for name in self._listed(folder) if name not in (".", ".."))
        except HostError:
            return ()

    def read(self, path: str) -> bytes | None:
        folder, _, name = path.rpartition("/")
        if name not in self.names(folder or "/"):
            return None
        with tempfile.NamedTemporaryFile() as copy:
            self._debugfs(f"dump {path} {copy.name}")
            return Path(copy.name).read_bytes()

    def write(self, change: FileChange) -> None:
        folder, _, name = change.path.rpartition("/")
        mode = self._listed(folder or "/").get(name)
        if mode is not None:
            self._debugfs(f"rm {change.path}", write=True)
        if change.data is None:
            return
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(change.data)
            copy.flush()
            self._debugfs(f"write {copy.name} {change.path}", write=True)
        self._debugfs(f"sif {change.path} mode 0{mode or 0o100644:o}", write=True)
        for field in ("uid", "gid"):
            self._debugfs(f"sif {change.path} {field} 0", write=True)


class IdentityVerbs(InsideVerbs):
    """The verb that makes the system in a clone another one than the original's."""

    def identity_steps(self) -> tuple[IdentityStep, ...]:
        """Return what must be different inside a clone: what, why, and how by hand (G17.12-06)."""
        return steps()

    @verb
    def renew_identity(
        self,
        hostname: str | None = None,
        *,
        macs: Mapping[str, str] | None = None,
        addresses: Mapping[str, str] | None = None,
        ssh_keys: bool = True,
        machine_id: bool = True,
        disk: str | None = None,
        confirm: bool = False,
    ) -> Plan[tuple[str, ...]]:
        """Make the system in this domain another one than that of the original (G17.12-06).

        A running guest is changed by its agent. A guest that is off is changed on its image, when
        debugfs is here and the system is on ext2, ext3 or ext4; else the error says what to do.

        Args:
            hostname: its name; the domain's own when None.
            macs: the clone's MAC addresses by the original's.
            addresses: static IP addresses by the original's.
            ssh_keys: forget SSH host keys; new ones are made.
            machine_id: forget the machine id; a new one is made.
            disk: target of the disk with the system, the first one when None (a guest that is off).
            confirm: agree to the loss of the old identity.

        Returns:
            What was changed, and what is left to a person.

        Raises:
            ConflictError: the guest runs and its agent does not answer.
            UnsupportedError: nothing here can change the image of a guest that is off.
        """
        name = check_name(hostname or self.name)
        wish = Identity(
            hostname=name,
            macs=dict(macs or {}),
            addresses=dict(addresses or {}),
            ssh_keys=ssh_keys,
            machine_id=machine_id,
        )
        running = self.is_active
        if running and not self.agent_answers():
            raise ConflictError(
                f"renew the identity of {self.name}",
                uri=self.host.label,
                libvirt_text="its guest agent does not answer",
                hint="by hand: domain.identity_steps(); or shut it down: then its image is changed",
            )
        image = None if running else self._system_image(disk)

        def work(_: Connection, control: JobControl) -> tuple[str, ...]:
            if image is None:
                return self._inside(wish)
            return _on_image(image, wish, control)

        options = {"macs": macs, "addresses": addresses, "ssh_keys": ssh_keys or None}
        by_hand = tuple(f"{s.what}: {s.how}" for s in steps() if not s.automatic)
        return self.one_call(
            f"renew the identity ({name}) of domain",
            work,
            python=python_call("", "renew_identity", (hostname,) if hostname else (), options),
            destroys=(f"host keys, machine id and leases of {self.name}",),
            warnings=by_hand,
            confirm=confirm,
        )

    def _inside(self, wish: Identity) -> tuple[str, ...]:
        tree = _AgentTree(self)
        done, left = changes(tree, wish)
        for change in done:
            tree.write(change)
        keys = _NEW_KEYS if wish.ssh_keys else ""
        script = _NOW.format(name=shlex.quote(wish.hostname or ""), keys=keys)
        self.run(["/bin/sh", "-c", script], timeout_s=60)
        return (*_told(done), *left)

    def _system_image(self, target: str | None) -> tuple[str, str]:
        """Return path and format of the disk with the system.

        Raises:
            UnsupportedError: it cannot be changed from here.
        """
        document = DomainXml.parse(self.xml(inactive=True))
        disks = [one for one in document.disks if one.device in (None, "disk")]
        disk = document.find_disk(target) if target else (disks[0] if disks else None)
        path = disk.source_file if disk is not None else None
        asked = f"renew the identity of {self.name}"
        if disk is None or path is None or not self.host.is_local or not Path(path).exists():
            raise UnsupportedError(
                asked,
                uri=self.host.label,
                libvirt_text="its image cannot be reached from here",
                hint="start it: then the guest agent does it",
            )
        if shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin") is None:
            raise UnsupportedError(
                asked,
                libvirt_text="debugfs is not installed",
                hint="apt-get install e2fsprogs; or start it: then the guest agent does it",
            )
        return path, disk.driver_type or "raw"


def _told(done: tuple[FileChange, ...]) -> tuple[str, ...]:
    return tuple(
        f"{one.path} {'removed' if one.data is None else 'changed'} ({one.why})" for one in done
    )


def _on_image(image: tuple[str, str], wish: Identity, control: JobControl) -> tuple[str, ...]:
    """Change the first ext file system with a system on it; the image is replaced when it is whole."""
    path, form = image
    place = Path(path)
    asked = f"renew the identity on {path}"
    part = tempfile.TemporaryDirectory(prefix=f".{place.name}.labvirt-part-", dir=place.parent)
    # No QEMU may begin to write to what is about to be replaced.
    with part as folder, place.open("rb") as held, kept_from_writers(held.fileno(), path, asked):
        raw, new = Path(folder) / "raw", Path(folder) / "new"
        words = ("convert", "-p", "-f", form, "-O", "raw", path, str(raw))
        run(Command(f"read {path}", words), control=control, timeout_s=LIMIT_S)
        tree = _tree_of(raw, path)
        done, left = changes(tree, wish)
        for change in done:
            tree.write(change)
        options = _backed(path, form)
        back = ("convert", "-p", "-f", "raw", "-O", form, *options, str(raw), str(new))
        run(Command(f"write {path}", back), control=control, timeout_s=LIMIT_S)
        found = place.stat()
        os.chown(new, found.st_uid, found.st_gid)
        new.chmod(stat.S_IMODE(found.st_mode))
        new.replace(place)
    return (*_told(done), *left)


def _tree_of(raw: Path, path: str) -> _ExtTree:
    """Return the first file system with a system on it.

    Raises:
        UnsupportedError: there is none that can be changed.
    """
    for offset in _offsets(raw):
        tree = _ExtTree(raw, offset)
        if tree.works():
            return tree
    raise UnsupportedError(
        f"change the system on {path}",
        libvirt_text="no ext2, ext3 or ext4 file system with a system is on it",
        hint="virt-sysprep -a IMAGE (package guestfs-tools); or start it: then the guest agent "
        "does it",
    )


def _backed(path: str, form: str) -> tuple[str, ...]:
    """Return what lets a new image stand on the same one as before."""
    if form == "raw":
        return ()
    _, text = run(Command(f"look at {path}", ("info", "--output=json", path)))
    told = json.loads(text)
    below = told.get("full-backing-filename")
    return ("-B", below, "-F", told["backing-filename-format"]) if below else ()


def _offsets(raw: Path) -> Iterator[int]:
    """Yield where file systems may begin: the whole disk, then its partitions (MBR and GPT)."""
    yield 0
    with raw.open("rb") as disk:
        mbr = disk.read(512)
        if len(mbr) < 512 or mbr[510:] != b"\x55\xaa":
            return
        gpt = disk.read(512)
        if gpt[:8] == b"EFI PART":
            disk.seek(1024)
            table = disk.read(128 * 128)
            for begin in range(0, len(table), 128):
                first = int.from_bytes(table[begin + 32 : begin + 40], "little")
                if first:
                    yield first * 512
            return
    for entry in range(446, 510, 16):
        first = int.from_bytes(mbr[entry + 8 : entry + 12], "little")
        if first and mbr[entry + 4]:
            yield first * 512
