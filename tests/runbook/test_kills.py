"""Kernel, runner and libvirtd killed at every step of the books that change something.

Whoever is killed, the record tells the truth, and going on leads to the same guest as a run that
nobody disturbed, with nothing left over.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import os
import queue
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.runbook.execute import ask

kills = sys.modules["labvirt_test_kills"]  # conftest.py loads it

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

HOSTS = ("alpha", "beta", "gamma", "delta")
INSTALL, MIGRATE = kills.steps_of("install"), kills.steps_of("migrate")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"kills-{os.getpid()}", HOSTS, "session", ephemeral=True) as lab:
        yield lab


@pytest.fixture(scope="module", autouse=True)
def temp_folder(tmp_path_factory):
    """A folder for temporary files of runs alone; nothing may be left in it."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield
    assert list(folder.rglob("*")) == []


def side_by_side(work, lanes, jobs):
    """Do `work(lane, *job)` for each job, one at a time in each lane; tell all that failed."""
    free = queue.Queue()
    for lane in lanes:
        free.put(lane)

    def one(job):
        lane = free.get()
        try:
            work(lane, *job)
        except Exception as error:
            error.add_note(f"killed: {job}")
            raise
        finally:
            free.put(lane)

    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        waiting = [pool.submit(one, job) for job in jobs]
    failed = [error for future in waiting if (error := future.exception()) is not None]
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {len(waiting)} kills", failed)


def opened(lab, host):
    """Open a host anew, whose libvirtd may be about to come back."""
    return contextlib.closing(kills.eventually(lambda: lab.open(host), f"{host} to answer"))


def go_on(struck, who, steps, step):
    """Look at the truth, go on, and look that what was done was not done again."""
    kills.eventually(lambda: all(map(kills.is_gone, struck.processes)), "runner and kernel to end")
    shown, *_ = kills.labvirt("show", struck.id)
    kills.require_truth(shown, struck, who, steps, step)
    if shown["outcome"] == "ok":
        _, _, said = kills.labvirt("resume", struck.id, code=2)
        assert "ended well" in said
        folders = [struck.folder]
    else:
        done, _ = kills.told_by_events(struck.folder)
        resumed, pid, _ = kills.labvirt("resume", struck.id)
        verdicts = [one["verdict"] for one in resumed["steps"]]
        assert verdicts == ["kept"] * len(done) + ["ok"] * (len(steps) - len(done))
        assert (resumed["parent"], resumed["relation"]) == (struck.id, "resume")
        folders = [struck.folder, Path(resumed["folder"])]
        assert kills.sockets_of(pid) == []
    assert kills.sockets_of(struck.processes[0].pid) == []
    assert [name for folder in folders for name in kills.half_written(folder)] == []
    return shown


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nobody disturbs.

    Attributes:
        took_s: how long the cell of each step takes.
        facts: what makes the guest.
        files: files while the guest is there.
        bare: files when it is not.
    """

    took_s: dict
    facts: dict
    files: set
    bare: set = frozenset()

    def middle_of(self, step):
        return min(self.took_s[step] * 0.4, 2.0)


# -- install -------------------------------------------------------------------------------------


def wish(lab, host, folder):
    name = f"kill{next(_numbers)}"
    given = {"host": f"lab:{lab.name}/{host}", "name": name, "memory": "128 MiB"}
    given |= {"disk_size": "16 MiB", "network": "none"}
    return name, ask("install", given, folder=folder / name, html=False)


@pytest.fixture(scope="module")
def installed(lab, tmp_path_factory):
    """What an undisturbed installation leaves."""
    host, hosts = HOSTS[0], {"HOST": HOSTS[0]}
    name, asked = wish(lab, host, tmp_path_factory.mktemp("installed"))
    struck = kills.run_and_strike(asked, lab, {})
    with opened(lab, host) as link:
        facts, files = kills.guest_facts(link, name), kills.files_for(lab, hosts, name)
        kills.remove(link, name)
    kills.forget_logs(lab, name)
    assert facts["state"] == "running"
    assert list(facts["volumes"]) == ["NAME-vda.qcow2"]
    return Undisturbed(struck.took_s, facts, files, kills.files_for(lab, hosts, name))


@pytest.fixture
def install(lab, installed, tmp_path):
    def one(host, who, step):
        name, asked = wish(lab, host, tmp_path)
        try:
            struck = kills.run_and_strike(
                asked, lab, {"libvirtd": host}, who, step, installed.middle_of(step)
            )
            go_on(struck, who, INSTALL, step)
            with opened(lab, host) as link:
                assert kills.guest_facts(link, name) == installed.facts
            assert kills.files_for(lab, {"HOST": host}, name) == installed.files
        finally:
            with opened(lab, host) as link:
                if name in link.domains:
                    kills.remove(link, name)
            kills.forget_logs(lab, name)
        assert kills.files_for(lab, {"HOST": host}, name) == installed.bare

    return one


@pytest.mark.slow(seconds=26)
def test_one_kill_of_each_kind(lab, install):
    """One step for each; the slow tests take all of them."""
    define, begin = INSTALL[1], INSTALL[2]
    jobs = [("kernel", define), ("runner", begin), ("libvirtd", begin)]
    side_by_side(install, HOSTS[:3], jobs)
    assert kills.open_plans(lab) == []


@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize("who", ["kernel", "runner", "libvirtd"])
def test_a_kill_at_every_step_of_install(lab, install, who):
    side_by_side(install, HOSTS[:3], [(who, step) for step in INSTALL])
    assert kills.open_plans(lab) == []


# -- migrate -------------------------------------------------------------------------------------


class Mover:
    """A guest that is moved to and fro between two hosts, and never starts anew.

    Args:
        lab: the lab.
        hosts: where it is, and where else it may go.
        folder: for the records.
    """

    def __init__(self, lab, hosts, folder):
        self.lab, self.here, self.there, self.folder = lab, *hosts, folder
        self.name = f"kill{next(_numbers)}"
        spec = lv.DomainSpec(
            name=self.name,
            memory="128 MiB",
            source=lv.TinyGuest(),
            interfaces=(),
            disks=(lv.DiskSpec(size="16 MiB"),),
        )
        domain = lab[self.here].plan(spec).apply()
        domain.wait_for("agent", timeout_s=90)
        self.boot = self.boot_id(domain)

    @staticmethod
    def boot_id(domain):
        return domain.ask("cat /proc/sys/kernel/random/boot_id").text.strip()

    def move(self, who=None, step=None, after_s=0.0):
        """Move it to the other host, somebody being killed meanwhile."""
        number = next(_numbers)
        given = {
            "source": f"lab:{self.lab.name}/{self.here}",
            "destination": f"lab:{self.lab.name}/{self.there}",
            "domain": self.name,
        }
        asked = ask("migrate", given, folder=self.folder / str(number), html=False)
        daemons = {"source": self.here, "destination": self.there}
        return kills.run_and_strike(asked, self.lab, daemons, who, step, after_s)

    def arrived(self):
        """Look that it is there and only there, the same as ever; return its facts and files."""
        hosts = {"FROM": self.here, "TO": self.there}
        with opened(self.lab, self.here) as old, opened(self.lab, self.there) as new:
            assert self.name not in old.domains
            assert self.boot_id(new.domains[self.name]) == self.boot
            facts = kills.guest_facts(new, self.name)
        self.here, self.there = self.there, self.here
        return facts, kills.files_for(self.lab, hosts, self.name)


@pytest.fixture(scope="module")
def movers(lab, tmp_path_factory):
    folder = tmp_path_factory.mktemp("movers")
    made = queue.Queue()
    pairs = [(HOSTS[:2],), (HOSTS[2:],)]
    side_by_side(lambda _, pair: made.put(Mover(lab, pair, folder)), "ab", pairs)
    return [made.get() for _ in pairs]


@pytest.fixture(scope="module")
def migrated(movers):
    """What undisturbed migrations leave, there and back."""
    seen = []

    def there_and_back(mover, _):
        for _ in range(2):
            took_s = mover.move().took_s
            seen.append(Undisturbed(took_s, *mover.arrived()))

    side_by_side(there_and_back, movers, [(number,) for number in range(len(movers))])
    assert all((one.facts, one.files) == (seen[0].facts, seen[0].files) for one in seen)
    # The machine may have been busy then and be idle now.
    took_s = {step: min(one.took_s[step] for one in seen) for step in MIGRATE}
    return Undisturbed(took_s, seen[0].facts, seen[0].files)


@pytest.fixture
def migrate(migrated):
    def one(mover, who, step):
        struck = mover.move(who, step, migrated.middle_of(step))
        go_on(struck, who, MIGRATE, step)
        facts, files = mover.arrived()
        assert facts == migrated.facts
        assert files == migrated.files

    return one


@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize("who", ["kernel", "runner", "source", "destination"])
def test_a_kill_at_every_step_of_migrate(lab, movers, migrate, who):
    side_by_side(migrate, movers, [(who, step) for step in MIGRATE])
    assert kills.open_plans(lab) == []
