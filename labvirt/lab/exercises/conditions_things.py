"""Conditions on domains, networks, pools, volumes and snapshots, as libvirt tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from lxml import etree
from pydantic import AfterValidator, Field

from labvirt.lab.exercises.condition_base import Expected, Look, sized
from labvirt.lab.exercises.scene import Seen
from labvirt.model.units import Size  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from labvirt.host import Host
    from labvirt.lab.exercises.scene import Scene

__all__ = [
    "Autostart",
    "Differs",
    "DomainState",
    "NetworkIs",
    "PoolIs",
    "SnapshotIs",
    "There",
    "VolumeIs",
    "XmlSays",
]

Thing = Literal["domain", "network", "pool", "nwfilter"]


def _xpath(text: str) -> str:
    try:
        etree.XPath(text)
    except etree.XPathSyntaxError as error:
        raise ValueError(f"is no XPath: {error}") from None
    return text


def _things(host: Host, thing: Thing) -> Any:
    return getattr(host, f"{thing}s")


class There(Look):
    """Something is there, or is not."""

    kind: Literal["there"] = "there"
    thing: Thing = Field("domain", description="what it is")
    name: str = Field(description="its name")
    there: bool = Field(default=True, description="false: it must be gone")

    def look(self, scene: Scene) -> Seen:
        """Look whether libvirt knows it."""
        found = self.name in _things(scene.host(self.host), self.thing)
        words = {
            True: scene.say("{n} on {h}", "{n} есть на {h}", n=self.name, h=self.host),
            False: scene.say("no {n} on {h}", "{n} нет на {h}", n=self.name, h=self.host),
        }
        return Seen(found is self.there, words[self.there], words[found])


class DomainState(Look):
    """A domain is in a state."""

    kind: Literal["domain-state"] = "domain-state"
    domain: str = Field(description="name of the domain")
    state: Literal["running", "paused", "shut off", "crashed"] = Field(
        "running", description="state as virsh tells it"
    )
    persistent: bool | None = Field(None, description="whether it has a stored definition")

    def look(self, scene: Scene) -> Seen:
        """Look at the record of the domain."""
        domain = scene.domain(self.host, self.domain)
        wanted: list[str] = [self.state]
        if self.persistent is not None:
            wanted.append(_flag("persistent", self.persistent))
        expected = ", ".join(wanted)
        if domain is None:
            return scene.missing(expected, self.domain, self.host)
        record = domain.info()
        seen = [record.state.text]
        if self.persistent is not None:
            seen.append(_flag("persistent", record.persistent))
        told = ", ".join(seen)
        return Seen(
            seen == wanted, expected, f"{told} ({record.reason})" if record.reason else told
        )


def _flag(name: str, on: bool) -> str:  # noqa: FBT001 - the value itself
    return f"{name}: {'yes' if on else 'no'}"


class Autostart(Look):
    """A domain, network or pool starts with the host."""

    kind: Literal["autostart"] = "autostart"
    thing: Literal["domain", "network", "pool"] = Field("domain", description="what it is")
    name: str = Field(description="its name")
    autostart: bool = Field(default=True, description="whether it does")

    def look(self, scene: Scene) -> Seen:
        """Look at its record."""
        return _record(scene, self.host, self.thing, self.name, {"autostart": self.autostart})


class XmlSays(Expected):
    """An XPath into the XML of something gives what is expected."""

    kind: Literal["xml"] = "xml"
    thing: Thing = Field("domain", description="what it is")
    name: str = Field(description="its name")
    path: Annotated[str, AfterValidator(_xpath)] = Field(
        description="XPath", examples=["string(/domain/vcpu)"]
    )
    stored: bool = Field(default=False, description="of the stored definition, not what runs")

    def look(self, scene: Scene) -> Seen:
        """Read the XML."""
        things = _things(scene.host(self.host), self.thing)
        expected = f"{self.path}: {self.told(scene)}"
        if self.name not in things:
            return scene.missing(expected, self.name, self.host)
        options = {"inactive": True} if self.stored and self.thing != "nwfilter" else {}
        texts = scene.found(things[self.name].xml(**options), self.path)
        seen = ", ".join(texts)
        shown = seen or scene.say("nothing", "ничего")
        return Seen(self.fits(seen), expected, shown)


class NetworkIs(Look):
    """A network is active, starts with the host, forwards in some way."""

    kind: Literal["network"] = "network"
    name: str = Field(description="name of the network")
    active: bool = Field(default=True, description="whether it runs")
    autostart: bool | None = Field(None, description="whether it starts with the host")
    forward: str | None = Field(None, description="how it forwards", examples=["nat"])

    def look(self, scene: Scene) -> Seen:
        """Look at the record of the network."""
        wanted = {"active": self.active, "autostart": self.autostart, "forward": self.forward}
        return _record(scene, self.host, "network", self.name, wanted)


class PoolIs(Look):
    """A pool is active, starts with the host."""

    kind: Literal["pool"] = "pool"
    name: str = Field(description="name of the pool")
    active: bool = Field(default=True, description="whether it runs")
    autostart: bool | None = Field(None, description="whether it starts with the host")

    def look(self, scene: Scene) -> Seen:
        """Look at the record of the pool."""
        wanted = {"active": self.active, "autostart": self.autostart}
        return _record(scene, self.host, "pool", self.name, wanted)


def _record(scene: Scene, host: str, thing: Thing, name: str, wanted: dict[str, Any]) -> Seen:
    asked = {key: value for key, value in wanted.items() if value is not None}
    expected = ", ".join(_told(key, value) for key, value in asked.items())
    things = _things(scene.host(host), thing)
    if name not in things:
        return scene.missing(expected, name, host)
    record = things[name].info()
    real = {key: getattr(record, "is_active" if key == "active" else key) for key in asked}
    return Seen(
        real == asked, expected, ", ".join(_told(key, value) for key, value in real.items())
    )


def _told(key: str, value: object) -> str:
    if isinstance(value, bool):
        return _flag(key, value)
    return f"{key}: {value or '-'}"


class VolumeIs(Look):
    """A volume is there, in a format and size."""

    kind: Literal["volume"] = "volume"
    pool: str = Field("shared", description="its pool")
    name: str = Field(description="name of the volume")
    format: str | None = Field(None, description="format of the image")
    capacity: Size | None = Field(None, description="size that a guest sees, exactly")
    backing: str | None = Field(None, description="name of the image below it; empty for none")

    def look(self, scene: Scene) -> Seen:
        """Look at the record of the volume; the pool's list is read anew."""
        wanted = [self.format, None if self.capacity is None else sized(self.capacity)]
        expected = ", ".join([self.name, *filter(None, wanted)])
        if self.backing is not None:
            below = self.backing or scene.say("nothing", "ничего")
            expected += scene.say(", over {b}", ", поверх {b}", b=below)
        pools = scene.host(self.host).pools
        if self.pool not in pools:
            return scene.missing(expected, self.pool, self.host)
        pool = pools[self.pool]
        pool.refresh()
        volumes = pool.volumes
        if self.name not in volumes:
            return scene.missing(expected, self.name, self.pool)
        record = volumes[self.name].info()
        backing = record.backing_path.rpartition("/")[2]
        fits = (
            self.format in {None, record.format}
            and self.capacity in {None, record.capacity}
            and self.backing in {None, backing}
        )
        seen = f"{record.name}, {record.format}, {sized(record.capacity)}"
        if backing or self.backing is not None:
            below = backing or scene.say("nothing", "ничего")
            seen += scene.say(", over {b}", ", поверх {b}", b=below)
        return Seen(fits, expected, seen)


class SnapshotIs(Look):
    """A domain has a snapshot of a name."""

    kind: Literal["snapshot"] = "snapshot"
    domain: str = Field(description="name of the domain")
    name: str = Field(description="name of the snapshot")
    there: bool = Field(default=True, description="false: it must be gone")
    memory: bool | None = Field(None, description="whether it has the memory of the guest too")

    def look(self, scene: Scene) -> Seen:
        """Look at the list of snapshots."""
        wanted = self.name if self.there else scene.say("no {n}", "нет {n}", n=self.name)
        memory = scene.say(", with memory", ", с памятью")  # noqa: RUF001
        if self.memory:
            wanted += memory
        domain = scene.domain(self.host, self.domain)
        if domain is None:
            return scene.missing(wanted, self.domain, self.host)
        names = domain.snapshots.names
        if self.name not in names:
            seen = ", ".join(names) or scene.say("no snapshot", "снимков нет")
            return Seen(not self.there, wanted, seen)
        has = domain.snapshots[self.name].info().memory != "none"
        fits = self.there and self.memory in {None, has}
        return Seen(fits, wanted, self.name + (memory if has else ""))


class Differs(Look):
    """Two domains have nothing in common that must be unique: UUID, MAC addresses, images."""

    kind: Literal["differs"] = "differs"
    domain: str = Field(description="name of one domain")
    other: str = Field(description="name of the other")

    def look(self, scene: Scene) -> Seen:
        """Compare both definitions."""
        expected = scene.say(
            "UUID, MAC addresses and images of their own", "свои UUID, MAC-адреса и образы"
        )
        found = [scene.domain(self.host, name) for name in (self.domain, self.other)]
        gone = [n for n, one in zip((self.domain, self.other), found, strict=True) if one is None]
        if gone:
            return scene.missing(expected, gone[0], self.host)
        path = "/domain/uuid|//interface/mac/@address|//disk[@device='disk']/source/@file"
        mine, theirs = (
            set(scene.found(one.xml(inactive=True), path)) for one in found if one is not None
        )
        both = ", ".join(sorted(mine & theirs))
        nothing = scene.say("nothing in common", "ничего общего")
        same = scene.say("the same in both: {it}", "общее: {it}", it=both)
        return Seen(not both, expected, same if both else nothing)
