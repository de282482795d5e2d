"""Faults of storage: pools, and the files of disks."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from labvirt.lab.faults.networks import SYSTEM
from labvirt.lab.faults.registry import Break, fault
from labvirt.model.pool import PoolSpec

if TYPE_CHECKING:
    from labvirt.lab.faults.scene import Scene

__all__: list[str] = []

_AWAY: Final = ".moved"
_QCOW2: Final = b"QFI\xfb"


@fault(
    "pool-inactive",
    check="storage.active",
    of="pool",
    guide="G15-35",
)
class _PoolInactive(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        if not scene.pool.info().is_active:
            raise scene.refuse(f"pool {scene.where['pool']} is not active already")
        return {"active": True}

    def make(self, scene: Scene) -> None:
        scene.pool.stop()

    def mend(self, scene: Scene) -> str:
        if scene.pool.info().is_active:
            return ""
        scene.pool.start()
        return f"pool {scene.where['pool']} is started again"


@fault(
    "pool-full",
    check="storage.space",
    of="host",
    backends=SYSTEM,
    guide="G9.1-05",
    options={"size_mib": 8},
    also=("host.space",),
)
class _PoolFull(Break):
    """A pool ``scratch`` on a small file system of its own, filled to the last block."""

    def look(self, scene: Scene) -> dict[str, Any]:
        if "scratch" in scene.host.pools.names:
            raise scene.refuse("there is a pool scratch already")
        return {"folder": str(scene.folder / "scratch"), "pool": "scratch"}

    def make(self, scene: Scene) -> None:
        folder = scene.memo["folder"]
        size = f"size={int(scene.options['size_mib'])}m,mode=755"
        scene.run("mkdir", "-p", folder)
        scene.run("mount", "-t", "tmpfs", "-o", size, "scratch", folder)
        scene.host.plan(PoolSpec(name="scratch", kind="dir", path=folder)).apply()
        # It ends with "no space left", as it is meant to.
        scene.works("dd", "if=/dev/zero", f"of={folder}/old-backup.raw", "bs=64k")
        scene.host.pools["scratch"].refresh()

    def mend(self, scene: Scene) -> str:
        folder, done = scene.memo["folder"], ""
        if "scratch" in scene.host.pools.names:
            pool = scene.host.pools["scratch"]
            if pool.info().is_active:
                pool.stop()
            pool.undefine()
            done = "pool scratch and what was in it are gone"
        if scene.works("mountpoint", "-q", folder):
            scene.run("umount", "-l", folder)
            done = done or "its file system is gone"
        scene.works("rmdir", folder)
        return done


class _OfImage(Break):
    """Something is done to the file of a disk."""

    def file(self, scene: Scene) -> Path:
        return scene.image(scene.document())


@fault("image-unreadable", check="disk.readable", of="disk", guide="G7.1-02",
       backends=("session",))  # fmt: skip
class _ImageUnreadable(_OfImage):
    def look(self, scene: Scene) -> dict[str, Any]:
        file = self.file(scene)
        return {"file": str(file), "mode": file.stat().st_mode & 0o7777}

    def make(self, scene: Scene) -> None:
        Path(scene.memo["file"]).chmod(0)

    def mend(self, scene: Scene) -> str:
        file = Path(scene.memo["file"])
        if not file.exists() or file.stat().st_mode & 0o7777:
            return ""
        file.chmod(scene.memo["mode"])
        return f"{file} has its rights of {scene.memo['mode']:o} again"


class _Moved(_OfImage):
    """A file gets another name."""

    def make(self, scene: Scene) -> None:
        Path(scene.memo["file"]).rename(scene.memo["away"])

    def mend(self, scene: Scene) -> str:
        file, away = Path(scene.memo["file"]), Path(scene.memo["away"])
        if not away.exists():
            return ""
        if file.exists():
            raise scene.refuse(f"{file} and {away} are both there", "take one of them away")
        away.rename(file)
        return f"{file} has its name again"


@fault("image-renamed", check="disk.there", of="disk", guide="G17.3-02")  # fmt: skip
class _ImageRenamed(_Moved):
    def look(self, scene: Scene) -> dict[str, Any]:
        file = self.file(scene)
        return _away(scene, file)


@fault("backing-gone", check="disk.backing", of="disk", guide="G17.3-02")  # fmt: skip
class _BackingGone(_Moved):
    def look(self, scene: Scene) -> dict[str, Any]:
        file = self.file(scene)
        found = _img_info(scene, file).get("full-backing-filename", "")
        if not found:
            raise scene.refuse(f"{file} is laid over no other image", "disk= names one that is")
        return _away(scene, scene.own(Path(found)))


def _away(scene: Scene, file: Path) -> dict[str, Any]:
    away = file.with_name(file.name + _AWAY)
    if away.exists() or not file.exists():
        raise scene.refuse(f"{away} is there already" if away.exists() else f"{file} is not there")
    return {"file": str(file), "away": str(away)}


def _img_info(scene: Scene, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        scene.run("qemu-img", "info", "-U", "--output=json", str(file))
    )
    return found


@fault("qcow2-damaged", check="disk.damaged", of="disk", guide="G17.3-01", state="off")  # fmt: skip
class _Qcow2Damaged(_OfImage):
    """Counters of used clusters become nought; ``qemu-img check -r all`` counts anew."""

    def look(self, scene: Scene) -> dict[str, Any]:
        file = self.file(scene)
        with file.open("rb") as stream:
            head = stream.read(4)
            if head[:4] != _QCOW2:
                raise scene.refuse(f"{file} is no qcow2 image", "disk= names another one")
            place = _counters(stream)
            stream.seek(place)
            before = stream.read(8)
        if not any(before):
            raise scene.refuse(f"{file} counts nothing where it is looked at")
        return {"file": str(file), "place": place, "before": base64.b64encode(before).decode()}

    def make(self, scene: Scene) -> None:
        _put(scene, bytes(8))

    def mend(self, scene: Scene) -> str:
        file, before = Path(scene.memo["file"]), base64.b64decode(scene.memo["before"])
        if not file.exists():
            return ""
        with file.open("rb") as stream:
            if stream.read(4) != _QCOW2 or _counters(stream) != scene.memo["place"]:
                # A repair has put the counters elsewhere; what is here now is not ours.
                return ""
            stream.seek(scene.memo["place"])
            now = stream.read(len(before))
        if any(now):
            return ""
        _put(scene, before)
        return f"{file} is as it was"


def _counters(stream: BinaryIO) -> int:
    """Return where the first counters of a qcow2 image are."""
    stream.seek(48)
    stream.seek(int.from_bytes(stream.read(8), "big"))
    return int.from_bytes(stream.read(8), "big")


def _put(scene: Scene, content: bytes) -> None:
    with Path(scene.memo["file"]).open("r+b") as stream:
        stream.seek(scene.memo["place"])
        stream.write(content)


@fault("lock-held", check="disk.lock", of="disk", guide="G19-01", state="off")  # fmt: skip
class _LockHeld(_OfImage):
    """Another program has the image open for writing, as a forgotten backup would."""

    def look(self, scene: Scene) -> dict[str, Any]:
        file = self.file(scene)
        form = _img_info(scene, file)["format"]
        # Short, and gone with the lab.
        base = Path(scene.lab.uris[scene.name].partition("socket=")[2]).with_name("held")
        return {"file": str(file), "format": form, "socket": f"{base}.s", "pid": f"{base}.p"}

    def make(self, scene: Scene) -> None:
        memo = scene.memo
        export = ("-t", "-k", memo["socket"], "-f", memo["format"], memo["file"])
        scene.run("qemu-nbd", "--fork", f"--pid-file={memo['pid']}", *export)

    def mend(self, scene: Scene) -> str:
        memo = scene.memo
        line = (
            'p=$(cat "$1" 2>/dev/null) || exit 1; grep -qa -- "$2" /proc/$p/cmdline || exit 1;'
            " kill $p; n=0; while [ -e /proc/$p ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done"
        )
        ended = scene.works("sh", "-c", line, "sh", memo["pid"], memo["file"])
        scene.works("rm", "-f", memo["pid"], memo["socket"])
        return f"the program that held {memo['file']} has ended" if ended else ""


@fault("disk-slow", check="disk.throttle", of="disk", guide="G15-29")
class _DiskSlow(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        one = scene.disk(scene.document())
        names = ("total_bytes_s", "read_bytes_s", "write_bytes_s")
        before = {name: getattr(one, name) for name in names if getattr(one, name)}
        if before:
            raise scene.refuse(f"it has limits already: {before}")
        return {"limit": 32768}

    def make(self, scene: Scene) -> None:
        scene.domain.update(scene.where["disk"], total_bytes_s=scene.memo["limit"])

    def mend(self, scene: Scene) -> str:
        limit = scene.memo["limit"]
        stored = scene.domain.info().persistent
        documents = [scene.document(), *([scene.document(stored=True)] if stored else [])]
        if all(scene.disk(one).total_bytes_s != limit for one in documents):
            return ""
        scene.domain.update(scene.where["disk"], total_bytes_s=None)
        return f"disk {scene.where['disk']} has no limit any more"
