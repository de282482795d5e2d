"""The faults of an exercise: planted after the set-up, undone at a reset and at the end.

The faults themselves are shown elsewhere; here stands a lab that only writes them down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from labvirt.errors import LabError
from labvirt.lab.exercises import breaking, read
from labvirt.lab.exercises.notes import State

if TYPE_CHECKING:
    from pathlib import Path

WITH_FAULTS = """
title: {en: One, ru: Раз}
story: {en: One, ru: Раз}
chapter: "8"
minutes: 5
vary: {guest: [one]}
asked: {domains: ["{guest}"]}
faults:
  - {id: link-down, domain: "{guest}"}
  - {id: disk-slow, domain: "{guest}", disk: vda, options: {iops: 5}}
  - {id: daemon-stopped, host: beta}
checks:
  - id: runs
    what: {en: runs, ru: работает}
    that: {kind: domain-state, domain: "{guest}"}
    hint: {en: start it, ru: запустите}
solution:
  - {text: {en: Start, ru: Запуск}, python: "pass"}
"""


@dataclass
class Planted:
    lab: Broken
    id: str
    where: dict[str, str]
    path: Path

    def undo(self):
        if self.id in self.lab.stubborn:
            raise LabError("it is stuck")
        self.lab.undone.append(self.id)
        self.path.unlink()


class Broken:
    name = "broken"

    def __init__(self, folder):
        self.folder = folder
        self.faults = []
        self.asked = []
        self.undone = []
        self.stubborn = set()

    def inject(self, fault, **given):
        self.asked.append((fault, given))
        where = {key: str(value) for key, value in given.items() if key != "iops"}
        path = self.folder / f"{fault}-{'-'.join(where.values())}.json"
        path.touch()
        self.faults.append(Planted(self, fault, {"host": "alpha", **where}, path))

    def planted(self):
        return tuple(each for each in self.faults if each.path.exists())


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(WITH_FAULTS)
    return read(str(path))


@pytest.fixture
def lab(tmp_path):
    return Broken(tmp_path)


def test_faults_are_planted_with_what_they_need_and_undone_from_the_last(lab, spec):
    breaking.break_it(lab, spec)
    assert lab.asked == [
        ("link-down", {"host": "alpha", "domain": "one"}),
        ("disk-slow", {"host": "alpha", "domain": "one", "disk": "vda", "iops": 5}),
        ("daemon-stopped", {"host": "beta"}),
    ]
    assert breaking.mend(lab, spec, State()) == {}
    assert lab.undone == ["daemon-stopped", "disk-slow", "link-down"]
    assert lab.planted() == ()


def test_faults_of_others_stay(lab, spec):
    lab.inject("daemon-stopped", host="beta")
    lab.inject("link-down", host="alpha", domain="other")
    before = breaking.planted_in(lab, spec)
    breaking.break_it(lab, spec)
    lab.inject("link-down", host="alpha", domain="a third")
    breaking.mend(lab, spec, State(planted_before=before))
    assert "a third" in {each.where.get("domain") for each in lab.planted()}
    assert "other" in {each.where.get("domain") for each in lab.planted()}


def test_what_cannot_be_undone_is_forgotten_with_its_guest_and_told_of_a_host(lab, spec):
    breaking.break_it(lab, spec)
    lab.stubborn = {"link-down"}
    left = breaking.mend(lab, spec, State())
    assert list(left.values()) == ["link-down: it is stuck"]
    breaking.forget_gone(lab, spec, State(), left)
    assert lab.planted() == ()
    lab.inject("daemon-stopped", host="beta")
    lab.stubborn = {"daemon-stopped"}
    left = breaking.mend(lab, spec, State())
    with pytest.raises(LabError, match="daemon-stopped: it is stuck"):
        breaking.forget_gone(lab, spec, State(), left)
