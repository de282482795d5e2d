"""Faults: refused where nothing may be broken, undone from any process, noticed by the doctor."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import labvirt as lv
from labvirt.cli import app
from labvirt.errors import ConflictError, HostError, LabError, SpecError
from labvirt.host import examined
from labvirt.lab.faults import all_faults
from labvirt.lab.faults.registry import words_of
from labvirt.model.xml.domain import DomainXml
from tests.bench import faults as bench


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"broken-{os.getpid()}", hosts=1, backend="session", ephemeral=True) as lab:
        yield lab


def test_there_are_28_and_each_speaks_two_languages():
    faults = all_faults()
    assert len({one.id for one in faults}) == 28
    for one in faults:
        for language in ("en", "ru"):
            words = words_of(one.id, language)
            assert words["title"]
            assert words["symptom"]
            assert len(words["hints"]) == 3


def test_each_check_that_must_notice_is_there():
    from labvirt.doctor.checks import all_checks

    assert {one.check for one in all_faults()} <= {one.id for one in all_checks()}


def test_what_cannot_be_is_refused_before_anything_is_changed(lab):
    with pytest.raises(SpecError, match="no fault"):
        lab.inject("pool-inactiv")
    with pytest.raises(LabError, match="no host 'gamma'"):
        lab.inject("pool-inactive", host="gamma")
    with pytest.raises(LabError, match="back end"):
        lab.inject("network-inactive")
    with pytest.raises(SpecError, match="no such option"):
        lab.inject("pool-inactive", size=3)
    with pytest.raises(LabError, match="no pool nowhere"):
        lab.inject("pool-inactive", pool="nowhere")
    assert lab.planted() == ()


def test_a_host_that_is_not_of_the_lab_is_never_broken(lab):
    with lv.Host.open("test:///default") as host, pytest.raises(LabError, match="no host of it"):
        lab.inject("pool-inactive", host=host)


def test_it_is_broken_once_and_undone_once(lab):
    planted = lab.inject("pool-inactive", language="ru")
    assert "default" in planted.symptom
    assert len(planted.hints) == 3
    assert not lab["alpha"].pools["default"].info().is_active
    with pytest.raises(ConflictError, match="already"):
        lab.inject("pool-inactive")
    assert "started again" in planted.undo()
    assert lab["alpha"].pools["default"].info().is_active
    assert "before" in planted.undo()
    assert lab.planted() == ()


def test_what_a_user_has_mended_is_left_as_it_is(lab):
    planted = lab.inject("pool-inactive")
    lab["alpha"].pools["default"].start()
    assert "mended already" in planted.undo()
    assert lab["alpha"].pools["default"].info().is_active


def killed(lab, *breaks):
    """Break a lab in a process that is killed then; gives what is written down, by id."""
    lines = [
        "import os, labvirt as lv",
        f"lab = lv.Lab.attach({lab.name!r})",
        *(f"lab.inject({fault!r}, **{where!r})" for fault, where in breaks),
        "os.kill(os.getpid(), 9)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], timeout=90, check=False)
    assert done.returncode == -signal.SIGKILL
    found = {one.id: one for one in lv.Lab.attach(lab.name).planted()}
    assert set(found) == {fault for fault, _ in breaks}
    assert all(json.loads(one.path.read_text())["id"] == key for key, one in found.items())
    return found


@pytest.fixture
def quiet(lab):
    """A domain that is off, with an image."""
    disk = (lv.DiskSpec(size="1 MiB"),)
    spec = lv.DomainSpec(name="quiet", memory="32 MiB", disks=disk, agent=False)
    domain = lab["alpha"].plan(spec, start=False).apply()
    yield domain
    for planted in lab.planted():
        planted.undo()
    file = file_of(domain)
    domain.undefine(confirm=True)
    lab.run("alpha", ["rm", "-f", str(file)])


def file_of(domain):
    return Path(DomainXml.parse(domain.xml()).disks[0].source_file)


def test_files_definitions_processes_and_pools_are_undone_after_their_maker_was_killed(lab, quiet):
    """A pool that was stopped, a file with another name, a definition, a process that holds."""
    file, xml = file_of(quiet), quiet.xml(inactive=True)
    where = {"domain": "quiet"}
    found = killed(lab, ("pool-inactive", {}), ("wrong-bridge", where), ("lock-held", where))
    holder = Path(json.loads(found["lock-held"].path.read_text())["memo"]["pid"])
    number = int(holder.read_text())
    assert not lab["alpha"].pools["default"].info().is_active
    assert "br-office" in quiet.xml(inactive=True)
    assert Path(f"/proc/{number}").exists()
    assert "started again" in found["pool-inactive"].undo()
    assert "own network" in found["wrong-bridge"].undo()
    assert "has ended" in found["lock-held"].undo()
    assert lab["alpha"].pools["default"].info().is_active
    assert quiet.xml(inactive=True) == xml
    assert not Path(f"/proc/{number}").exists()
    assert not holder.exists()

    found = killed(lab, ("image-renamed", where), ("boot-order", where))
    assert not file.exists()
    assert "has its name again" in found["image-renamed"].undo()
    assert "own definition" in found["boot-order"].undo()
    assert file.exists()
    assert quiet.xml(inactive=True) == xml


def test_what_was_only_written_down_is_no_break(lab, quiet):
    """The maker was killed before it changed anything, or half-way."""
    before = file_of(quiet).read_bytes()
    hit = (
        "from labvirt.lab.faults import storage\n"
        "storage._put = lambda *_: os.kill(os.getpid(), 9)\n"
        "lab.inject('qcow2-damaged', domain='quiet')"
    )
    lines = f"import os, labvirt as lv\nlab = lv.Lab.attach({lab.name!r})\n{hit}"
    done = subprocess.run([sys.executable, "-c", lines], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    (planted,) = lab.planted()
    assert "mended already" in planted.undo()
    assert file_of(quiet).read_bytes() == before


def test_a_damaged_image_that_was_repaired_is_left_as_it_is(lab, quiet):
    file = file_of(quiet)
    before = file.read_bytes()
    planted = lab.inject("qcow2-damaged", domain="quiet")
    assert file.read_bytes() != before
    assert "as it was" in planted.undo()
    assert file.read_bytes() == before
    planted = lab.inject("qcow2-damaged", domain="quiet")
    check = ["qemu-img", "check", "-q", "-f", "qcow2", str(file)]
    assert lab.run("alpha", check).code != 0
    lab.run("alpha", [*check[:2], "-q", "-r", "all", *check[3:]])
    repaired = file.read_bytes()
    assert "mended already" in planted.undo()
    assert file.read_bytes() == repaired
    assert lab.run("alpha", check).code == 0


def test_a_processor_that_cannot_be_had_is_mended_with_its_features(lab, quiet):
    host = lab["alpha"]
    planted = lab.inject("cpu-incompatible", domain="quiet")
    document = DomainXml.parse(quiet.xml(inactive=True))
    assert examined.gives_cpu(host, document) is False
    with pytest.raises(HostError, match="avx512f"):
        quiet.start()
    (found,) = lv.doctor.examine(quiet, checks=("domain.cpu",))
    assert (found.verdict, "cannot start" in found.cause) == ("fail", True)
    found.fix().apply(confirm=True)
    quiet.start()
    quiet.destroy(confirm=True)
    (found,) = lv.doctor.examine(quiet, checks=("domain.cpu",))
    assert found.verdict == "ok"
    document = DomainXml.parse(quiet.xml(inactive=True))
    assert "avx512f" not in document.text()
    assert examined.gives_cpu(host, document) is None
    document.cpu_mode, document.cpu_model = "custom", "qemu64"
    assert examined.gives_cpu(host, document) is True
    assert "mended already" in planted.undo()


def test_memory_that_is_promised_twice_is_given_back_by_a_guest_put_aside(lab):
    host = lab["alpha"]
    planted = lab.inject("memory-overcommitted")
    found = lv.doctor.examine(host, checks=("host.memory",))["host.memory"]
    assert found.verdict == "fail"
    plan = found.fix()
    # No driver in these guests would give any of it back.
    assert "managedsave" in str(plan.virsh)
    plan.apply(confirm=True)
    assert lv.doctor.examine(host, checks=("host.memory",))["host.memory"].verdict == "ok"
    assert "are gone" in planted.undo()
    assert not any(name.startswith("greedy") for name in host.domains.names)


def test_it_is_broken_and_mended_from_the_shell(lab):
    def labvirt(*argv):
        return CliRunner().invoke(app, ["lab", *argv])

    told = labvirt("faults")
    assert told.exit_code == 0
    lines = told.output.splitlines()
    assert [line.split()[0] for line in lines] == [one.id for one in all_faults()]
    done = labvirt("break", lab.name, "pool-inactive", "--language", "ru")
    assert done.exit_code == 0
    assert any("\u0430" <= letter <= "\u044f" for letter in done.output)
    assert "broken: pool-inactive: " in labvirt("faults", lab.name).output
    assert isinstance(labvirt("break", lab.name, "pool-inactive").exception, ConflictError)
    assert "nothing is broken" in labvirt("mend", lab.name, "link-down").output
    assert "started again" in labvirt("mend", lab.name).output
    assert "nothing is broken" in labvirt("mend", lab.name).output
    assert lab["alpha"].pools["default"].info().is_active


def test_a_wrong_word_on_the_shell_breaks_nothing(lab):
    for words, error in (
        (["pool-inactive", "--option", "five"], SpecError),
        (["pool-inactive", "--option", "size=3"], SpecError),
        (["pool-inactiv"], SpecError),
        (["pool-inactive", "--host", "gamma"], LabError),
    ):
        done = CliRunner().invoke(app, ["lab", "break", lab.name, *words])
        assert isinstance(done.exception, error), words
    assert lab.planted() == ()


@pytest.mark.slow(seconds=30)
def test_networks_firewalls_and_mounts_are_undone_after_their_maker_was_killed():
    try:
        lab = lv.Lab.start(f"killed-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(error.what)
    with lab:
        host = lab["alpha"]
        guest = lv.DomainSpec(name="runs", memory="32 MiB", agent=False)
        host.plan(guest).apply()

        def seen():
            """Return what the kernel says: addresses in use, rules, mounts, and QEMU's state."""
            links = lab.run("alpha", ["sh", "-c", "ip -o link | sed 's/^[0-9]*: //' | sort"]).stdout
            rules = lab.run("alpha", ["sh", "-c", "iptables-save | grep -v '^[#:]'"]).stdout
            mounts = lab.run("alpha", ["cat", "/proc/mounts"]).stdout
            line = "cut -d' ' -f3 /proc/$(pgrep -f guest=runs | head -1)/stat"
            return (
                links,
                rules,
                mounts,
                lab.run("alpha", ["sh", "-c", line]).stdout in {"T\n", "t\n"},
            )

        before = seen()
        breaks = (
            ("firewall-drop", {}),
            ("migration-port-closed", {}),
            ("mtu-mismatch", {"domain": "runs"}),
            ("pool-full", {}),
            ("guest-hung", {"domain": "runs"}),
        )
        found = killed(lab, *breaks)
        assert all(one != other for one, other in zip(seen(), before, strict=True))
        for planted in found.values():
            assert "already" not in planted.undo(), planted.id
        assert seen() == before
        found = killed(lab, ("network-inactive", {}))
        assert not host.networks["default"].is_active
        assert "started again" in found["network-inactive"].undo()
        assert host.networks["default"].is_active


def test_a_file_outside_the_lab_is_never_touched(lab, tmp_path):
    image = tmp_path / "mine.raw"
    image.write_bytes(bytes(1 << 20))
    tmp_path.chmod(0o755)
    spec = lv.DomainSpec(
        name="mine",
        memory="32 MiB",
        interfaces=(),
        disks=(lv.DiskSpec(path=str(image), format="raw"),),
    )
    domain = lab["alpha"].plan(spec, start=False).apply()
    with pytest.raises(LabError, match="outside the lab"):
        lab.inject("image-renamed", domain="mine")
    assert image.exists()
    domain.undefine(confirm=True)


def test_what_turns_red_too_is_named_one_by_one():
    """Only a host whose daemon is silent may show anything at all."""
    from labvirt.doctor.checks import all_checks

    known = {one.id for one in all_checks()}
    for one in all_faults():
        assert set(one.also) <= known, one.id
        assert one.check not in one.also


@pytest.fixture(scope="module")
def played():
    """Give the lab of a back end for all its faults; prints what was played as a table at the end."""
    rows, open_ones = {}, {}
    with contextlib.ExitStack() as stack:

        def of(backend):
            if backend not in open_ones:
                # One at a time: the machine is small.
                stack.close()
                rows[backend] = []
                try:
                    open_ones[backend] = stack.enter_context(bench.stage(backend))
                except LabError as error:
                    if backend == "system" and "start" in error.what:
                        pytest.skip(error.what)
                    raise
            return open_ones[backend], rows[backend]

        yield of
    Console(width=220).print(bench.table([row for each in rows.values() for row in each]))


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize(
    ("backend", "fault"),
    [
        pytest.param(backend, one, id=f"{backend}-{one.id}")
        for backend in ("session", "system")
        for one in bench.chosen([], backend)
    ],
)
def test_every_fault_is_noticed_mended_and_undone(played, backend, fault):
    here, rows = played(backend)
    row = here.play(fault)
    rows.append(row)
    assert row.wrong == ""
