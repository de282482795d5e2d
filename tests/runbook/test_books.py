"""The books: by labvirt, by plain papermill, broken off anywhere, gone on with, undone."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from traitlets.config import Config

import labvirt as lv
from labvirt.errors import LabvirtError
from labvirt.runbook import find_book, read_parameters, resume, undo
from labvirt.runbook.execute import ask, start
from labvirt.runbook.outline import Outline

BOOKS = (
    *("install", "migrate", "evacuate", "host-check", "remote-ssh", "remote-tls"),
    *("troubleshoot", "host-audit"),
)
CHAIN = "20261123-000000-test"
#: Ends its kernel while libvirt carries out the plan: the volumes are made, the domain is not.
DIE_AT_DEFINE = """
import os
from labvirt.host import actions
actions.DefineDomain.do = lambda *_: os._exit(9)
"""
#: Ends its kernel when the guest begins to run at the destination, before the source is told.
DIE_AT_THE_END = """
import libvirt, os, threading

def watch(uri):
    link = libvirt.open(uri)
    while True:
        try:
            if link.lookupByName(domain).state()[0] == libvirt.VIR_DOMAIN_RUNNING:
                os._exit(9)
        except libvirt.libvirtError:
            pass

libvirt.registerErrorHandler(lambda *_: None, None)
threading.Thread(target=watch, args=(goal.uri,), daemon=True).start()
"""


class Reader:
    """Takes a book through a kernel of its own as a runner would, cell by cell.

    Args:
        name: name of the book.
        values: parameters.
    """

    def __init__(self, name, values):
        self.outline = Outline(find_book(name).notebook)
        self.notebook = nbformat.v4.new_notebook()
        self.values = values
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="lv-", dir="/tmp"))
        config = Config()
        config.KernelManager.transport = "ipc"
        config.KernelManager.ip = f"{folder}/k"
        self.client = NotebookClient(self.notebook, timeout=120, config=config)
        environment = {**os.environ, "LABVIRT_RUN_ID": CHAIN}
        self.stack.enter_context(self.client.setup_kernel(env=environment))
        self.parameters(**self.values)
        return self

    def __exit__(self, *_):
        self.stack.close()

    def code(self, text):
        """Run code and return what it printed."""
        cell = nbformat.v4.new_code_cell(text)
        self.notebook.cells.append(cell)
        self.client.execute_cell(cell, len(self.notebook.cells) - 1)
        return shown(cell)

    def parameters(self, **values):
        self.cells("parameters")
        self.code("\n".join(f"{name} = {value!r}" for name, value in values.items()))

    def cells(self, role, step=None):
        return "".join(self.code(cell.source) for cell in self.outline.of(step, role))

    def go(self, *, to=None, done=()):
        """Run glue, steps and checks up to a step; of steps that were done only the checks."""
        said = ""
        for block in self.outline.blocks:
            for cell in block.cells:
                if cell.role in ("glue", "check") or (
                    cell.role == "step" and cell.step not in done
                ):
                    said += self.code(cell.source)
            if to is not None and block.step == to:
                break
        return said

    def undo(self):
        return "".join(self.cells("undo", step) for step in reversed(self.outline.steps))


def shown(cell):
    """Return the text of the outputs of a cell."""
    return "".join(
        str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", ""))
        for out in cell.get("outputs", [])
    )


def text_of(path):
    return "\n".join(shown(cell) for cell in nbformat.read(path, as_version=4).cells)


def by_papermill(book, out, **values):
    """Run a book by the plain command and return what the executed notebook shows."""
    words = [word for name, value in values.items() for word in ("-p", name, str(value))]
    command = [sys.executable, "-m", "papermill", str(find_book(book).path), str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return text_of(out)


@pytest.fixture(scope="module")
def lab():
    with lv.Lab.start(f"books-{os.getpid()}", hosts=2, backend="session", ephemeral=True) as lab:
        yield lab


@pytest.fixture(scope="module")
def alpha(lab):
    return lab["alpha"]


@pytest.fixture(scope="module")
def beta(lab):
    return lab["beta"]


def blank(name, **more):
    """A domain without a system: it runs in a moment and never answers."""
    return lv.DomainSpec(name=name, memory="32 MiB", interfaces=(), agent=False, rng=False, **more)


def volumes(host):
    for pool in host.pools:
        pool.refresh()
    return sorted(volume.name for pool in host.pools for volume in pool.volumes)


def wait_until(claim, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def remove(host, name):
    if name not in host.domains:
        return
    domain = host.domains[name]
    if domain.is_active:
        domain.destroy(confirm=True)
    if name in host.domains:
        domain.undefine(managed_save=True, confirm=True)


# -- how they are written ------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOOKS)
def test_a_book_is_well_made(name):
    book = find_book(name)
    raw = nbformat.read(book.path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(raw)
    ids = [cell.id for cell in raw.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z-]+", found) for found in ids), "ids that mean something"
    assert all(not c.outputs and c.execution_count is None for c in raw.cells if "outputs" in c)

    found = read_parameters(book.parameters_source)
    assert found
    assert all(one.help for one in found)
    assert not any(one.required for one in found)

    outline = Outline(raw)
    assert len(outline.of(None, "always")) == 1
    plain = {"summary", "figures", "verdict"}
    for step in outline.steps:
        assert outline.titles[step] != step, f"{step} has no heading"
        assert step in plain or outline.of(step, "check"), f"{step} is not checked"
    changing = {
        "install": {"define", "start"},
        "migrate": {"copy"},
        "evacuate": {"move"},
        "host-check": set(),
        "troubleshoot": set(),
        "host-audit": set(),
        "remote-ssh": {"key", "trust", "login"},
        "remote-tls": {"authority", "issue", "install"},
    }
    assert {step for step in outline.steps if outline.of(step, "undo")} == changing[name]
    for place, cell in enumerate(raw.cells):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            words = cell.source.partition("\n")[2].split()
            assert len(words) >= 5, f"cell {place + 1} explains nothing"


@pytest.mark.parametrize("name", BOOKS)
def test_a_book_names_the_guide_where_it_can(name):
    text = "".join(c.source for c in find_book(name).notebook.cells if c.cell_type == "markdown")
    assert len(set(re.findall(r"\bG\d+(?:\.\d+)*-\d\d\b", text))) >= 3


# -- host-check ----------------------------------------------------------------------------------


@pytest.mark.lab
def test_a_host_in_order_is_found_in_order(lab, tmp_path):
    record = lv.run(
        "host-check", host=f"lab:{lab.name}/alpha", strict=True, folder=tmp_path, html=False
    ).require_ok()
    text = text_of(record.notebook)
    for area in ("packages", "daemon", "acceleration", "storage", "networks", "room", "machines"):
        assert area in text
    assert "ms an answer" in text
    assert re.search(r"\d+ ok", text)
    assert [step.verdict for step in record.steps] == ["ok"] * 8


@pytest.mark.lab
def test_trouble_is_named_with_what_to_do_and_nothing_is_touched(lab, alpha, tmp_path):
    dead = alpha.plan(blank("dead")).apply()
    held = alpha.plan(blank("held")).apply()
    held.suspend()
    for process in psutil.process_iter(["cmdline"]):
        if "guest=dead," in " ".join(process.info["cmdline"] or ()):
            process.send_signal(signal.SIGKILL)
    dead.wait_for("shutoff", timeout_s=20)
    before = len(alpha.journal.entries(last=10_000))
    try:
        record = lv.run(
            "host-check",
            {"host": f"lab:{lab.name}/alpha", "min_space": "4 EiB", "min_memory": "1 PiB"},
            strict=True,
            folder=tmp_path,
            html=False,
        )
        assert (record.outcome, record.exit_code) == ("precondition", 3)
        assert "machines dead: shut off (crashed)" in record.error
        assert "held" not in record.error, "a warning fails nobody"
        text = text_of(record.notebook)
        assert "virsh resume held" in text
        assert "delete volumes, or add space" in text
        assert "shut guests down, or add memory" in text
        assert held.state.text == "paused"
        assert len(alpha.journal.entries(last=10_000)) == before
    finally:
        remove(alpha, "dead")
        remove(alpha, "held")


@pytest.mark.lab
@pytest.mark.slow(seconds=8)
def test_a_host_that_does_not_answer_is_a_finding(tmp_path):
    host = f"qemu+unix:///session?socket={tmp_path}/nobody"
    text = by_papermill("host-check", tmp_path / "out.ipynb", host=host)
    assert "1 failed" in text
    assert "the host does not answer" in text


@pytest.mark.lab
def test_the_test_driver_is_looked_at_too():
    with Reader("host-check", {"host": "test:///default"}) as reader:
        said = reader.go()
        assert "only a start proves it" in said
        assert "test:///default:" in said


@pytest.mark.lab
def test_a_check_that_goes_on_looks_again(lab):
    values = {"host": f"lab:{lab.name}/alpha"}
    with Reader("host-check", values) as reader:
        said = reader.go(done=set(reader.outline.steps) - {"verdict"})
        assert re.search(r"\d+ ok", said)


@pytest.mark.lab
def test_what_cannot_be_a_host_is_refused(lab):
    with Reader("host-check", {}) as reader:
        for given, word in (
            ({"host": "lab:nosuchlab/alpha"}, "nosuchlab"),
            ({"host": f"lab:{lab.name}/gamma"}, "alpha, beta"),
            ({"host": "qemu+carrier-pigeon:///system"}, "pigeon"),
            ({"min_memory": "lots"}, "lots"),
            ({"min_space": "7"}, "7 of what"),
            ({"slow_ms": 0.0}, "slow_ms"),
        ):
            reader.parameters(**{"host": f"lab:{lab.name}/alpha", **given})
            with pytest.raises(CellExecutionError, match="SpecError") as caught:
                reader.go(to="packages")
            assert word in str(caught.value)


# -- install -------------------------------------------------------------------------------------


def wish(lab, name, **more):
    return {"host": f"lab:{lab.name}/alpha", "name": name, "memory": "128 MiB", **more}


@pytest.mark.slow(seconds=16)
@pytest.mark.lab
def test_a_kernel_killed_after_any_step_changes_nothing_in_the_end(lab, alpha):
    """One guest through five kernels: each ends after a step more, one of them amid a plan."""
    before = volumes(alpha)
    values = wish(lab, "again", disk_size="16 MiB")
    done = []
    with Reader("install", values) as reader:
        reader.go(to="preflight")
        reader.code(DIE_AT_DEFINE)
        with pytest.raises(DeadKernelError):
            reader.cells("step", "define")
    assert len(volumes(alpha)) == len(before) + 1, "it died too early to prove anything"
    done.append("preflight")
    for steps in (["define"], ["start"], ["ready", "proof"]):
        with Reader("install", values) as reader:
            said = reader.go(to=steps[-1], done=done)
            assert ("cleaned up:" in said) == ("define" in steps)
            assert reader.code("print(guest.name)") == "again\n"
        done += steps
    with Reader("install", values) as reader:
        said = reader.go(done=done)
        assert "again-vda.qcow2" in said
        found = alpha.domains["again"]
        assert found.info().tags == (f"run:{CHAIN}",)
        assert found.state.text == "running"
        assert set(volumes(alpha)) - set(before) == {"again-vda.qcow2"}

        said = reader.undo()
        assert "switched off again" in said
        assert "undefined again" in said
        assert reader.undo() == ""
        # The same name, made by somebody else, is none of our business.
        stranger = alpha.plan(blank("again", disks=(lv.DiskSpec(size="1 MiB"),))).apply()
        assert reader.undo() == ""
        assert stranger.is_active
        with pytest.raises(CellExecutionError, match="exists already"):
            reader.go(to="preflight")
        remove(alpha, "again")
        reader.code("pool = target.pools['shared']")
        reader.code("volume_calls.delete(target.connection, pool.uuid, 'again-vda.qcow2')")
    assert volumes(alpha) == before


@pytest.mark.lab
def test_undo_finds_what_is_left_of_an_undo_that_was_broken_off(lab, alpha):
    before = volumes(alpha)
    values = wish(lab, "half", disk_size="16 MiB", source="pxe")
    with Reader("install", values) as reader:
        reader.go(to="start")
        reader.code("gone = new_volumes(guest)[0]")
        reader.code("volume_calls.delete(target.connection, gone.pool.uuid, gone.name)")
        reader.undo()
        # A step that only half happened, and one that did not happen at all.
        reader.go(to="define")
        assert "undefined half" in reader.undo()
        assert reader.undo() == ""
    assert "half" not in alpha.domains
    assert volumes(alpha) == before


@pytest.mark.lab
def test_an_image_that_was_given_outlives_the_undo(lab, alpha):
    image = next(p for p in alpha.pools if p.name == "shared").info().path + "/kept-vda.qcow2"
    lab.run("alpha", ["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"])
    values = wish(lab, "kept", disk_size="1 MiB", source=f"image:{image}", network="none")
    with Reader("install", values) as reader:
        reader.go(to="define")
        assert "kept-vdb.qcow2" in reader.undo()
    assert [name for name in volumes(alpha) if name.startswith("kept")] == ["kept-vda.qcow2"]
    lab.run("alpha", ["rm", image])


@pytest.mark.slow(seconds=15)
@pytest.mark.lab
def test_a_cancelled_install_leaves_nothing(lab, alpha, tmp_path):
    before = volumes(alpha)
    # There is no system to boot from the network here: it waits until it is cancelled.
    values = wish(lab, "never", source="pxe", disk_size="1 MiB")
    going = start(ask("install", values, folder=tmp_path, html=False))
    try:
        wait_until(
            lambda: (
                going.is_over
                or any(
                    event["kind"] == "step-begin" and event["step"]["id"] == "ready"
                    for event in tuple(going.events)
                )
            )
        )
        going.cancel()
        record = going.result(60)
    finally:
        going.close()
    assert record.outcome == "cancelled", record.error
    assert "never" not in alpha.domains
    assert volumes(alpha) == before


# -- migrate -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guest(lab, tmp_path_factory):
    """A guest on alpha, installed by plain papermill; tests that move it bring it home."""
    out = tmp_path_factory.mktemp("papermill") / "install.ipynb"
    text = by_papermill("install", out, **wish(lab, "mover", disk_size="16 MiB", network="none"))
    assert "it calls itself mover and has 1 processors" in text
    return "mover"


@pytest.fixture
def route(lab, guest):
    return {
        "source": f"lab:{lab.name}/alpha",
        "destination": f"lab:{lab.name}/beta",
        "domain": guest,
    }


def boot_of(domain):
    return domain.run(["/bin/cat", "/run/bootid"]).stdout.strip()


def only_on(host, other, name):
    """Whether a domain runs on one host and is unknown to the other."""
    return name not in other.domains and host.domains[name].state.text == "running"


@pytest.mark.lab
def test_there_by_papermill_and_back_by_labvirt(alpha, beta, route, guest, tmp_path):
    boot = boot_of(alpha.domains[guest])
    text = by_papermill("migrate", tmp_path / "there.ipynb", **route)
    assert only_on(beta, alpha, guest)
    assert "the guest stood still" in text
    assert re.search(r"the counter goes on, \d+ -> \d+", text)

    back = {**route, "source": route["destination"], "destination": route["source"]}
    record = lv.run(
        "migrate",
        {**back, "mode": "paused", "bandwidth_mib_s": "500", "timeout_s": "60"},
        folder=tmp_path / "back",
        html=False,
    ).require_ok()
    assert only_on(alpha, beta, guest)
    assert boot_of(alpha.domains[guest]) == boot
    text = text_of(record.notebook)
    assert re.search(r"memory sent +\d+ MiB", text)
    assert "virsh -c" in text
    assert "--live" not in text


@pytest.mark.slow(seconds=14)
@pytest.mark.lab
def test_a_run_killed_during_the_copy_goes_on_and_can_be_undone(
    alpha, beta, route, guest, tmp_path
):
    boot = boot_of(alpha.domains[guest])
    slow = {**route, "bandwidth_mib_s": 50}
    going = start(ask("migrate", slow, folder=tmp_path / "killed", html=False))
    wait_until(lambda: going.is_over or guest in beta.domains)
    time.sleep(0.6)
    children = psutil.Process(going.pid).children(recursive=True)
    for process in (going.pid, *(child.pid for child in children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with contextlib.suppress(LabvirtError):
        going.result(30)
    going.close()

    record = resume(going.id)
    assert record.exit_code == 0, record.error
    assert {step.id: step.verdict for step in record.steps}["preflight"] == "kept"
    assert only_on(beta, alpha, guest)
    assert boot_of(beta.domains[guest]) == boot

    back = undo(record.id)
    assert back.exit_code == 0, back.error
    assert only_on(alpha, beta, guest)
    assert boot_of(alpha.domains[guest]) == boot


@pytest.mark.lab
def test_a_cancelled_migration_leaves_the_guest_where_it_was(alpha, beta, route, guest, tmp_path):
    boot = boot_of(alpha.domains[guest])
    slow = {**route, "bandwidth_mib_s": 1}
    going = start(ask("migrate", slow, folder=tmp_path, html=False))
    try:
        wait_until(lambda: going.is_over or guest in beta.domains)
        going.cancel()
        record = going.result(60)
    finally:
        going.close()
    assert record.outcome == "cancelled", record.error
    assert only_on(alpha, beta, guest)
    assert boot_of(alpha.domains[guest]) == boot


@pytest.mark.slow(seconds=21)
@pytest.mark.lab
def test_a_caller_that_dies_before_the_last_call_leaves_one_guest_in_the_end(
    alpha, beta, route, guest
):
    boot = boot_of(alpha.domains[guest])
    with Reader("migrate", route) as reader:
        reader.go(to="preflight")
        reader.code(DIE_AT_THE_END)
        with pytest.raises(DeadKernelError):
            reader.cells("step", "copy")
    assert beta.domains[guest].state.text == "running"
    if guest in alpha.domains:  # else it was too late to harm
        assert alpha.domains[guest].state.text == "paused"
    with Reader("migrate", route) as reader:
        said = reader.go(done=["preflight"])
        assert "the counter goes on" in said
        assert only_on(beta, alpha, guest)
        assert boot_of(beta.domains[guest]) == boot
        # What is proved by a new kernel from glue and checks alone, and undone by it.
    with Reader("migrate", route) as reader:
        said = reader.go(done=reader.outline.steps)
        assert "the counter goes on" in said
        assert "beta -> alpha" in reader.undo()
        assert reader.undo() == ""
    assert only_on(alpha, beta, guest)
    assert boot_of(alpha.domains[guest]) == boot


@pytest.mark.lab
def test_what_cannot_be_moved_is_refused_before_anything_is_touched(lab, alpha, beta, route, guest):
    beta.plan(blank("twin"), start=False).apply()
    alpha.plan(blank("twin")).apply()
    alpha.plan(blank("local", disks=(lv.DiskSpec(size="1 MiB", pool="default"),))).apply()
    alpha.plan(blank("off"), start=False).apply()
    here, there = route["source"], route["destination"]
    cases = (
        ({"domain": "nobody"}, "SpecError", "nobody"),
        ({"destination": here}, "SpecError", "the same host"),
        ({"destination": f"lab:{lab.name}/gamma"}, "SpecError", "gamma"),
        ({"source": there, "destination": here}, "SpecError", guest),
        ({"mode": "fast"}, "SpecError", "live or paused or offline"),
        ({"mode": "offline"}, "PreconditionError", "off"),
        ({"throttle_initial": 30}, "SpecError", "auto_converge"),
        ({"bandwidth_mib_s": -1}, "SpecError", "-1"),
        ({"timeout_s": 0.0}, "SpecError", "timeout_s"),
        ({"domain": "off"}, "PreconditionError", "not running"),
        ({"domain": "twin"}, "PreconditionError", "beta has a domain twin"),
        ({"domain": "local"}, "PreconditionError", "not on storage that both"),
    )
    try:
        with Reader("migrate", route) as reader:
            for given, error, word in cases:
                reader.parameters(**{**route, **given})
                with pytest.raises(CellExecutionError, match=error) as caught:
                    reader.go(to="preflight")
                assert word in str(caught.value), given
                reader.cells("always")
        assert only_on(alpha, beta, guest)
    finally:
        for host, name in ((beta, "twin"), (alpha, "twin"), (alpha, "local"), (alpha, "off")):
            remove(host, name)


@pytest.mark.slow(seconds=14)
@pytest.mark.lab
def test_one_that_is_off_moves_under_another_name_and_one_is_left_paused(
    lab, alpha, beta, tmp_path
):
    ends = {"source": f"lab:{lab.name}/alpha", "destination": f"lab:{lab.name}/beta"}
    uuid = alpha.plan(blank("off"), start=False).apply().uuid
    alpha.plan(blank("held")).apply()
    try:
        moved = lv.run(
            "migrate",
            {**ends, "domain": "off", "mode": "offline", "rename": "off-there"},
            folder=tmp_path / "off",
            html=False,
        ).require_ok()
        assert beta.domains["off-there"].uuid == uuid
        assert "off" not in alpha.domains
        assert undo(moved.id).require_ok()
        assert alpha.domains["off"].uuid == uuid
        assert "off-there" not in beta.domains

        given = {**ends, "domain": "held", "leave_paused": True, "persist": False}
        moved = lv.run("migrate", given, folder=tmp_path / "held", html=False).require_ok()
        there = beta.domains["held"].info()
        assert (there.state.text, there.persistent) == ("paused", False)
        assert "held" not in alpha.domains
        assert undo(moved.id).require_ok()
        here = alpha.domains["held"].info()
        assert (here.state.text, here.persistent) == ("running", True)
        assert "held" not in beta.domains
    finally:
        for host, name in ((alpha, "off"), (beta, "off-there"), (alpha, "held"), (beta, "held")):
            remove(host, name)


@pytest.mark.slow(seconds=9)
@pytest.mark.lab
def test_one_disk_of_two_is_copied_along_and_comes_back(lab, alpha, beta, tmp_path):
    """The other disk is on the folder that both hosts share."""
    ends = {"source": f"lab:{lab.name}/alpha", "destination": f"lab:{lab.name}/beta"}
    disks = (lv.DiskSpec(size="2 MiB", pool="default"), lv.DiskSpec(size="1 MiB"))
    alpha.plan(blank("taken", disks=disks)).apply()
    given = {
        **ends,
        "domain": "taken",
        "storage": "copy",
        "disks": "vda",
        "pool": "default",
        "way": "p2p",
        "auto_converge": True,
        "throttle_initial": 30,
        "throttle_increment": 20,
    }
    try:
        moved = lv.run("migrate", given, folder=tmp_path, html=False).require_ok()
        assert only_on(beta, alpha, "taken")
        assert "--migrate-disks vda" in text_of(moved.notebook)
        assert "--auto-converge-initial 30" in text_of(moved.notebook)
        assert undo(moved.id).require_ok()
        assert only_on(alpha, beta, "taken")
    finally:
        for host in (alpha, beta):
            remove(host, "taken")


@pytest.mark.lab
def test_labvirt_refuses_a_mode_before_a_kernel_starts(route):
    with pytest.raises(LabvirtError, match="mode") as caught:
        lv.run("migrate", {**route, "mode": "fast"})
    assert caught.value.exit_code == 2


# -- evacuate ------------------------------------------------------------------------------------


@pytest.mark.slow(seconds=20)
@pytest.mark.lab
def test_a_host_is_left_and_everybody_comes_back(lab, alpha, beta, tmp_path):
    """Two that run and one that is off leave; undoing brings them home."""
    for name in ("first", "second"):
        alpha.plan(blank(name)).apply()
    alpha.plan(blank("resting"), start=False).apply()
    names = {"first", "second", "resting"}
    values = {
        "source": f"lab:{lab.name}/alpha",
        "destinations": f"lab:{lab.name}/beta",
        "domains": ",".join(sorted(names)),
        "at_once": "2",
    }
    try:
        record = lv.run("evacuate", values, folder=tmp_path, html=False).require_ok()
        text = text_of(record.notebook)
        assert "3 guests, each on one host" in text
        assert not names & set(alpha.domains.names)
        assert beta.domains["first"].state.text == "running"
        shown = {track.name for track in lv.ui.migration(record.notebook).tracks}
        assert {"first", "second"} <= shown
        back = undo(record.id)
        assert back.exit_code == 0, back.error
        assert names <= set(alpha.domains.names)
        assert not names & set(beta.domains.names)
    finally:
        for host in (alpha, beta):
            for name in names & set(host.domains.names):
                remove(host, name)
