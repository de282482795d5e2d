"""Faults of a guest's interface: its cable, its bridge, its filter, the length of its packets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.lab.faults.networks import SYSTEM
from labvirt.lab.faults.registry import Break, fault

if TYPE_CHECKING:
    from labvirt.lab.faults.scene import Scene

__all__: list[str] = []

_FILTER = "labvirt-quiet"


@fault(
    "link-down",
    check="interface.link",
    of="interface",
    guide="G16.7-07",
)
class _LinkDown(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        one = scene.interface(scene.document())
        if one.link_state == "down":
            raise scene.refuse(f"the cable of {scene.where['interface']} is out already")
        return {"before": one.link_state}

    def make(self, scene: Scene) -> None:
        scene.domain.update(scene.where["interface"], link_state="down")

    def mend(self, scene: Scene) -> str:
        documents = [scene.document()]
        if scene.domain.info().persistent:
            documents.append(scene.document(stored=True))
        if all(scene.interface(one).link_state != "down" for one in documents):
            return ""
        if scene.interface(documents[0]).link_state != "down":
            scene.domain.update(scene.where["interface"], config=True, live=False, link_state="up")
        else:
            scene.domain.update(scene.where["interface"], link_state=scene.memo["before"] or "up")
        return f"the cable of {scene.where['interface']} is in again"


@fault(
    "wrong-bridge",
    check="interface.source",
    of="interface",
    guide="G8.1-05",
    state="off",
)
class _WrongBridge(Break):
    """The definition names a bridge that the host does not have."""

    def look(self, scene: Scene) -> dict[str, Any]:
        text = scene.document(stored=True).text()
        return {"xml": text, "bridge": "br-office"}

    def make(self, scene: Scene) -> None:
        document = scene.document(stored=True)
        one = scene.interface(document)
        source = one.element.find("source")
        if source is not None:
            source.attrib.clear()
        one.type = "bridge"
        one.source_bridge = scene.memo["bridge"]
        scene.host.define(document.text())

    def mend(self, scene: Scene) -> str:
        document = scene.document(stored=True)
        if scene.interface(document).source_bridge != scene.memo["bridge"]:
            return ""
        scene.host.define(scene.memo["xml"])
        return f"interface {scene.where['interface']} is on its own network again"


@fault(
    "mtu-mismatch",
    check="interface.mtu",
    of="interface",
    backends=SYSTEM,
    guide="G8.2-04",
    state="running",
)
class _MtuMismatch(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        tap = scene.interface(scene.document()).target_dev
        if not tap:
            raise scene.refuse(f"{scene.where['interface']} has no tap")
        return {"tap": tap, "mtu": scene.run("cat", f"/sys/class/net/{tap}/mtu").strip()}

    def make(self, scene: Scene) -> None:
        scene.run("ip", "link", "set", "dev", scene.memo["tap"], "mtu", "1280")

    def mend(self, scene: Scene) -> str:
        tap = scene.memo["tap"]
        if not scene.works("grep", "-qx", "1280", f"/sys/class/net/{tap}/mtu"):
            return ""
        scene.run("ip", "link", "set", "dev", tap, "mtu", scene.memo["mtu"])
        return f"{tap} has its MTU of {scene.memo['mtu']} again"


@fault(
    "filter-blocks",
    check="interface.filter",
    of="interface",
    backends=SYSTEM,
    guide="G15-33",
)
class _FilterBlocks(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        before = scene.interface(scene.document()).filter
        if before:
            raise scene.refuse(f"it has a filter already: {before}")
        return {"filter": _FILTER}

    def make(self, scene: Scene) -> None:
        from labvirt.model.nwfilter import NwFilterSpec

        if _FILTER not in scene.host.nwfilters.names:
            spec = NwFilterSpec.model_validate(
                {"name": _FILTER, "rules": [{"action": "drop", "direction": "inout"}]}
            )
            scene.host.define_nwfilter(spec)
        scene.domain.set_filter(scene.where["interface"], _FILTER)

    def mend(self, scene: Scene) -> str:
        done = ""
        if scene.interface(scene.document()).filter == _FILTER:
            scene.domain.set_filter(scene.where["interface"], None)
            done = "the filter is off the interface"
        others = [d for d in scene.host.domains if _FILTER in d.xml()]
        if _FILTER in scene.host.nwfilters.names and not others:
            scene.host.nwfilters[_FILTER].undefine(confirm=True)
            done = done or "the filter is gone"
        return done
