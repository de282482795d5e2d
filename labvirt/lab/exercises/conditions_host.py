"""Conditions on a host of the lab: its daemon, its files, what its doctor says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from labvirt.doctor import examine
from labvirt.errors import LabvirtError
from labvirt.lab.exercises.condition_base import Expected, Look
from labvirt.lab.exercises.scene import Seen

if TYPE_CHECKING:
    from labvirt.lab.exercises.scene import Scene

__all__ = ["DaemonAnswers", "DoctorSays", "FileThere", "OnHost"]

_DOCTOR_S = 20.0


class DaemonAnswers(Look):
    """libvirtd of the host answers."""

    kind: Literal["daemon"] = "daemon"

    def look(self, scene: Scene) -> Seen:
        """Open the host anew and ask for its version."""
        expected = scene.say("libvirtd of {h} answers", "libvirtd на {h} отвечает", h=self.host)
        states = {each.name: each.state for each in scene.lab.status().hosts}
        if states.get(self.host) != "running":
            return Seen(holds=False, expected=expected, seen=f"libvirtd: {states.get(self.host)}")
        try:
            with scene.lab.open(self.host, readonly=True) as host:
                version = host.version().daemon
        except LabvirtError as error:
            return Seen(holds=False, expected=expected, seen=error.what)
        return Seen(holds=True, expected=expected, seen=f"libvirt {version}")


class DoctorSays(Look):
    """A check of the doctor is well: no finding of it is bad."""

    kind: Literal["doctor"] = "doctor"
    check: str = Field(description="id of the check", examples=["network.active"])
    about: str = Field("", description="name of the thing; empty: of every thing")
    others: tuple[str, ...] = Field((), description="hosts to which guests might move")
    deep: bool = Field(default=False, description="also what takes long")
    allow: tuple[Literal["ok", "warning", "n/a", "unknown"], ...] = Field(
        ("ok", "n/a"), description="verdicts that count as well"
    )

    def look(self, scene: Scene) -> Seen:
        """Ask the doctor this one question."""
        expected = f"{self.check} {self.about}: {'/'.join(self.allow)}"
        report = examine(
            scene.host(self.host),
            checks=(self.check,),
            others=tuple(scene.host(each) for each in self.others),
            deep=self.deep,
            timeout_s=_DOCTOR_S,
        )
        found = [each for each in report if self._is_about(each.id)]
        bad = [each for each in found if each.verdict not in self.allow]
        if bad:
            return Seen(holds=False, expected=expected, seen=f"{bad[0].verdict}: {bad[0].reason}")
        if not found:
            return scene.missing(expected, self.about, self.host)
        return Seen(holds=True, expected=expected, seen=f"{found[0].verdict}: {found[0].evidence}")

    def _is_about(self, key: str) -> bool:
        about = key.partition(":")[2]
        return not self.about or about == self.about or about.startswith(f"{self.about}/")


class FileThere(Look):
    """A file of the host is there; seen from inside the host."""

    kind: Literal["file"] = "file"
    path: str = Field(description="absolute path")
    there: bool = Field(default=True, description="false: it must be gone")

    def look(self, scene: Scene) -> Seen:
        """Look from inside the host."""
        found = scene.lab.run(self.host, ["test", "-e", self.path], timeout_s=10.0).code == 0
        words = {
            True: scene.say("{p} is there", "{p} есть", p=self.path),
            False: scene.say("no {p}", "{p} нет", p=self.path),
        }
        return Seen(found is self.there, words[self.there], words[found])


class OnHost(Expected):
    """What a program of the host prints that only looks: of its network, files and user."""

    kind: Literal["on-host"] = "on-host"
    run: tuple[str, ...] = Field(min_length=1, description="program and arguments; no shell")

    def look(self, scene: Scene) -> Seen:
        """Run it inside the host."""
        expected = f"{' '.join(self.run)}: {self.told(scene)}"
        done = scene.lab.run(self.host, list(self.run), timeout_s=10.0)
        text = (done.stdout + done.stderr).strip()
        return Seen(self.fits(text), expected, text or scene.say("nothing", "ничего"))
