"""Who uses a file: domains, live and stored, their snapshots, and other volumes laid over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.connection import pool as pools
from labvirt.connection import volume as volumes
from labvirt.connection.documents import domain_documents
from labvirt.errors import ConflictError, LabvirtError, NotFoundError
from labvirt.host.hostfiles import HostFiles
from labvirt.host.storage.inventory import inventory
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labvirt.host.host import Host
    from labvirt.status import PoolRecord

__all__ = ["FileUser", "Sight", "users_of_files"]

#: Elements below a domain or snapshot that name a file, and the attribute that does (or the text).
_FILES = (
    (".//source", "file"),
    (".//source", "dev"),
    (".//source", "dir"),
    (".//os/kernel", ""),
    (".//os/initrd", ""),
    (".//os/loader", ""),
    (".//os/nvram", ""),
    (".//memory", "file"),
)


@dataclass(frozen=True, slots=True)
class FileUser:
    """One who uses a file.

    Attributes:
        kind: ``domain``, ``snapshot`` or ``volume``.
        name: name of the domain, of ``domain/snapshot``, or of ``pool/volume``.
        how: as what: ``disk vda``, ``image below vda``, ``kernel``, ``backing image`` ...
        active: whether the domain runs.
    """

    kind: str
    name: str
    how: str
    active: bool = False

    def __str__(self) -> str:
        running = " (running)" if self.active else ""
        return f"{self.kind} {self.name}{running}: {self.how}"


class Sight:
    """One look at everything that names files on a host, for questions about many files.

    Args:
        host: the host.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._files = HostFiles.of(host)
        self._pools = pools.list_all(host.connection)
        self._by_file: dict[Any, list[FileUser]] = {}
        for documents in domain_documents(host.connection):
            self._note_domain(documents)
        for pool in self._pools:
            if pool.is_active:
                self._note_volumes(pool)

    def identity(self, path: str) -> Any:
        """Return what all paths of one file have in common: links, twins, bind mounts."""
        return self._files.same(path) if self._files else path

    def users(self, *paths: str) -> tuple[FileUser, ...]:
        """Return who uses one of these paths, each once."""
        keys = {self.identity(path) for path in paths} | set(paths)
        found = [user for key in keys for user in self._by_file.get(key, ())]
        return tuple(dict.fromkeys(found))

    def _note(self, path: str, user: FileUser) -> None:
        if path:
            self._by_file.setdefault(self.identity(path), []).append(user)

    def _note_domain(self, documents: Any) -> None:
        seen = [
            ("domain", documents.name, documents.xml),
            ("domain", documents.name, documents.stored),
        ]
        seen += [("snapshot", f"{documents.name}/{name}", xml) for name, xml in documents.snapshots]
        for kind, name, xml in seen:
            if not xml:
                continue
            for path, how in self._named(xml):
                self._note(path, FileUser(kind, name, how, documents.active and kind == "domain"))

    def _named(self, xml: str) -> Iterator[tuple[str, str]]:
        root = XmlDoc.parse(xml).root
        for where, attribute in _FILES:
            for element in root.iterfind(where):
                text = element.get(attribute) if attribute else element.text
                if text and text.startswith("/"):
                    yield text, _how(element)
        for source in root.iterfind(".//disk/source"):
            if source.get("pool") and source.get("volume"):
                path = self._volume_path(source.get("pool", ""), source.get("volume", ""))
                yield path, _how(source)
            elif source.get("protocol") and source.get("name"):
                yield source.get("name", ""), _how(source)

    def _volume_path(self, pool: str, volume: str) -> str:
        uuid = next((one.uuid for one in self._pools if one.name == pool), None)
        if uuid is None:
            return ""
        try:
            return volumes.read(self._host.connection, uuid, volume).path
        except LabvirtError:
            # The pool is stopped, or the volume is gone: then it is no file that could be lost.
            return ""

    def _note_volumes(self, pool: PoolRecord) -> None:
        try:
            found = inventory(self._host, pool.uuid, pool.name, pool.type)
        except (NotFoundError, ConflictError):
            # Stopped or gone meanwhile.
            return
        for one in found:
            if one.backing_path:
                user = FileUser("volume", f"{one.pool}/{one.name}", "is laid over it")
                self._note(one.backing_path, user)


def _how(element: Any) -> str:
    """Return in words what a file is to a domain."""
    tag = str(element.tag)
    chain = 0
    above = element
    while above is not None:
        if above.tag == "backingStore":
            chain += 1
        if above.tag == "disk":
            target = above.find("target")
            name = target.get("dev", "") if target is not None else above.get("name", "")
            return f"image below disk {name}" if chain else f"disk {name}"
        if above.tag in ("mirror", "filesystem", "interface", "hostdev", "memory", "serial"):
            return str(above.tag)
        above = above.getparent()
    return tag


def users_of_files(host: Host, paths: Iterable[str]) -> dict[str, tuple[FileUser, ...]]:
    """Return who uses each of several files of a host."""
    sight = Sight(host)
    return {path: sight.users(path) for path in paths}
