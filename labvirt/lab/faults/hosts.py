"""Faults of a host: its daemon, its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.lab.faults.registry import Break, fault
from labvirt.model.domain import DomainSpec

if TYPE_CHECKING:
    from labvirt.lab.faults.scene import Scene

__all__: list[str] = []

_GREEDY = "greedy"


class _Daemon(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        now = _state(scene)
        if now != "running":
            raise scene.refuse(f"the daemon of {scene.name} is {now} already")
        return {"state": now}


def _state(scene: Scene) -> str:
    return next(one.state for one in scene.lab.status().hosts if one.name == scene.name)


@fault("daemon-stopped", check="connection.answers", of="host", guide="G19-01")
class _DaemonStopped(_Daemon):
    def make(self, scene: Scene) -> None:
        scene.lab.daemon(scene.name, "stop")

    def mend(self, scene: Scene) -> str:
        if _state(scene) == "running":
            return ""
        scene.lab.daemon(scene.name, "start")
        return f"the daemon of {scene.name} is started again"


@fault("daemon-hung", check="connection.answers", of="host", guide="G19-01")
class _DaemonHung(_Daemon):
    def make(self, scene: Scene) -> None:
        scene.lab.daemon(scene.name, "STOP")

    def mend(self, scene: Scene) -> str:
        if _state(scene) == "running":
            return ""
        scene.lab.daemon(scene.name, "CONT")
        return f"the daemon of {scene.name} goes on"


@fault(
    "memory-overcommitted", check="host.memory", of="host", guide="G17.4-03", also=("domain.boot",)
)
class _MemoryOvercommitted(Break):
    """Guests run that may take more than there is; they take next to nothing."""

    def look(self, scene: Scene) -> dict[str, Any]:
        taken = [one for one in scene.host.domains.names if one.startswith(f"{_GREEDY}-")]
        if taken:
            raise scene.refuse(f"there are such guests already: {', '.join(taken)}")
        have = int(scene.host.info().memory) // 1048576
        swap = int(scene.run("awk", "/SwapTotal/{print $2}", "/proc/meminfo").strip() or 0) // 1024
        each = have * 6 // 10
        return {
            "each_mib": each,
            "names": [f"{_GREEDY}-{n + 1}" for n in range(-(-(have + swap) // each))],
        }

    def make(self, scene: Scene) -> None:
        for name in scene.memo["names"]:
            spec = DomainSpec(
                name=name,
                memory=f"{scene.memo['each_mib']} MiB",
                interfaces=(),
                agent=False,
                rng=False,
            )
            scene.host.plan(spec).apply()

    def mend(self, scene: Scene) -> str:
        gone = []
        for name in scene.memo["names"]:
            if name in scene.host.domains:
                domain = scene.host.domains[name]
                if domain.is_active:
                    domain.destroy(confirm=True)
                domain.undefine(managed_save=True, confirm=True)
                gone.append(name)
        return f"{', '.join(gone)} are gone" if gone else ""
