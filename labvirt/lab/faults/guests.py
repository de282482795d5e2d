"""Faults of a guest: what it boots, its process, its agent, its clock, its processor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from labvirt.errors import LabvirtError
from labvirt.lab.faults.registry import Break, fault
from labvirt.model.xml.text import XmlDoc

if TYPE_CHECKING:
    from labvirt.lab.faults.scene import Scene
    from labvirt.model.xml.domain import DomainXml

__all__: list[str] = []


class _Definition(Break):
    """The definition is changed, and the guest, when it runs, starts with it."""

    def change(self, scene: Scene, document: DomainXml) -> None:
        raise NotImplementedError

    def look(self, scene: Scene) -> dict[str, Any]:
        if not scene.domain.info().persistent:
            raise scene.refuse("it has no definition", "a persistent domain")
        before = scene.document(stored=True)
        after = scene.document(stored=True)
        self.change(scene, after)
        return {"xml": before.text(), "bad": after.text(), "active": scene.domain.is_active}

    def make(self, scene: Scene) -> None:
        _redefine(scene, scene.memo["bad"])

    def spot(self, document: DomainXml) -> object:
        """Return the part of a definition that the fault changes."""
        raise NotImplementedError

    def mend(self, scene: Scene) -> str:
        from labvirt.model.xml.domain import DomainXml

        spot = self.spot(DomainXml.parse(scene.memo["bad"]))
        if self.spot(scene.document(stored=True)) != spot:
            if not (scene.domain.is_active and self.spot(scene.document()) == spot):
                return ""
            # What it has is mended, and it runs as it was started.
            scene.domain.destroy(confirm=True)
            scene.domain.start()
            return f"domain {scene.where['domain']} is started with its mended definition"
        _redefine(scene, scene.memo["xml"], start=scene.memo["active"])
        return f"domain {scene.where['domain']} has its own definition again"


def _redefine(scene: Scene, xml: str, *, start: bool | None = None) -> None:
    domain = scene.domain
    active = domain.is_active
    scene.host.define(xml)
    if active:
        domain.destroy(confirm=True)
    if active if start is None else start:
        domain.start()


@fault(
    "boot-order",
    check="domain.boot",
    of="domain",
    guide="G3.1-12",
)
class _BootOrder(_Definition):
    """It boots from an empty drive and from nothing else."""

    def change(self, scene: Scene, document: DomainXml) -> None:
        if document.kernel:
            raise scene.refuse("it is started with a kernel of its own", "kernel-line breaks that")
        if not document.disks:
            raise scene.refuse("it has no disk that it could boot from")
        for each in (*document.disks, *document.interfaces):
            boot = each.element.find("boot")
            if boot is not None:
                each.element.remove(boot)
        document.boot_order = ["cdrom"]

    def spot(self, document: DomainXml) -> object:
        return list(document.boot_order or ())


@fault(
    "kernel-line",
    check="domain.kernel",
    of="domain",
    guide="G11-06",
)
class _KernelLine(_Definition):
    def change(self, scene: Scene, document: DomainXml) -> None:
        if not document.kernel:
            raise scene.refuse("it starts from its disk", "boot-order breaks that")
        words = [one for one in (document.cmdline or "").split() if "console=" not in one]
        words = [one for one in words if not one.startswith("root=")]
        document.cmdline = " ".join([*words, "root=/dev/vdz1"])

    def spot(self, document: DomainXml) -> object:
        return document.cmdline


@fault(
    "cpu-incompatible",
    check="domain.movable",
    of="domain",
    guide="G12.2-02",
    state="off",
    also=("domain.cpu",),
)
class _CpuIncompatible(_Definition):
    """It asks for a processor that none of the hosts can give."""

    def change(self, scene: Scene, document: DomainXml) -> None:  # noqa: ARG002 - as the others
        doc = XmlDoc.parse(
            "<cpu mode='custom' match='exact' check='full'>"
            "<model fallback='forbid'>Icelake-Server</model>"
            "<feature policy='require' name='avx512f'/></cpu>"
        )
        old = document.element.find("cpu")
        if old is not None:
            document.element.replace(old, doc.root)
        else:
            document.element.append(doc.root)

    def spot(self, document: DomainXml) -> object:
        model = document.element.find("cpu/model")
        return model.text if model is not None else None


class _Process(Break):
    """Something is done to the guest's QEMU."""

    def look(self, scene: Scene) -> dict[str, Any]:
        pid = _pid(scene)
        return {"pid": pid, "began": _began(scene, pid), "uuid": scene.domain.uuid}


def _pid(scene: Scene) -> str:
    folder = "run/libvirt/qemu/run" if scene.lab.backend == "session" else "run/qemu"
    file = scene.folder / folder / f"{scene.where['domain']}.pid"
    return file.read_text(encoding="ascii").strip()


def _began(scene: Scene, pid: str) -> str:
    line = 'sed "s/.*) //" /proc/$1/stat | cut -d" " -f20'
    return scene.run("sh", "-c", line, "sh", pid).strip()


def _state(scene: Scene) -> str:
    """Return the state letter of the process that was broken; empty when it has gone."""
    pid, line = scene.memo["pid"], 'sed "s/.*) //" /proc/$1/stat | cut -d" " -f1,20'
    try:
        letter, began = scene.run("sh", "-c", line, "sh", pid).split()
    except (ValueError, LabvirtError):
        # It has gone.
        return ""
    return letter if began == scene.memo["began"] else ""


@fault(
    "guest-hung",
    check="domain.hung",
    of="domain",
    guide="G3.3-08",
    state="running",
)
class _GuestHung(_Process):
    def make(self, scene: Scene) -> None:
        scene.run("kill", "-STOP", scene.memo["pid"])

    def mend(self, scene: Scene) -> str:
        if _state(scene) not in {"T", "t"}:
            return ""
        scene.run("kill", "-CONT", scene.memo["pid"])
        return f"domain {scene.where['domain']} goes on"


@fault(
    "guest-crashed",
    check="domain.state",
    of="domain",
    guide="G15-14",
    state="running",
)
class _GuestCrashed(_Process):
    def make(self, scene: Scene) -> None:
        scene.run("kill", "-KILL", scene.memo["pid"])
        until = time.monotonic() + 10
        while scene.domain.is_active and time.monotonic() < until:
            time.sleep(0.05)

    def mend(self, scene: Scene) -> str:
        if scene.domain.is_active:
            return ""
        scene.domain.start()
        return f"domain {scene.where['domain']} is started again"


@fault(
    "agent-stopped",
    check="guest.agent",
    of="domain",
    guide="G19-01",
    state="running",
)
class _AgentStopped(_Process):
    """The agent is halted inside the guest for a time; an orderly start of the guest wakes it."""

    def look(self, scene: Scene) -> dict[str, Any]:
        found = scene.domain.run(["/bin/sh", "-c", "pidof qemu-ga"], timeout_s=20)
        if not found.stdout.strip():
            raise scene.refuse("no agent runs in the guest")
        return {"xml": scene.domain.xml(), **super().look(scene)}

    def make(self, scene: Scene) -> None:
        line = "(sleep 1; kill $(pidof qemu-ga)) >/dev/null 2>&1 </dev/null &"
        scene.domain.run(["/bin/sh", "-c", line], timeout_s=20)
        time.sleep(2)

    def mend(self, scene: Scene) -> str:
        domain = scene.domain
        if not domain.is_active or _began(scene, _pid(scene)) != scene.memo["began"]:
            return ""
        if _is_connected(scene):
            return ""
        # Nothing inside can be told to start it: the guest starts anew, as by the power button.
        domain.destroy(confirm=True)
        domain.start()
        return f"domain {domain.name} was started anew, and its agent with it"


def _is_connected(scene: Scene) -> bool:
    targets = [one.element.find("target") for one in scene.document().channels]
    return any(each is not None and each.get("state") == "connected" for each in targets)


@fault(
    "clock-skew",
    check="guest.clock",
    of="domain",
    guide="G11-01",
    state="running",
    options={"seconds": 3600},
)
class _ClockSkew(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        return {"off": int(scene.options["seconds"]), "before": _off(scene)}

    def make(self, scene: Scene) -> None:
        _set_clock(scene, time.time() + scene.memo["off"])

    def mend(self, scene: Scene) -> str:
        if not scene.domain.is_active or abs(_off(scene)) < abs(scene.memo["off"]) / 2:
            return ""
        _set_clock(scene, time.time() + scene.memo["before"])
        return f"the clock of {scene.where['domain']} is right again"


def _off(scene: Scene) -> float:
    found = scene.domain.run(["/bin/sh", "-c", "date +%s"], timeout_s=20)
    return float(found.stdout.strip()) - time.time()


def _set_clock(scene: Scene, seconds: float) -> None:
    scene.domain.run(["/bin/sh", "-c", f"date -s @{seconds:.0f}"], timeout_s=20)
