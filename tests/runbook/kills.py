"""Kills for the tests of the books: somebody dies in the middle of a step, and what is left then."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from labvirt.connection import volume as volume_calls
from labvirt.errors import LabvirtError
from labvirt.host.files import files_of
from labvirt.model.xml.domain import DomainXml
from labvirt.runbook import find_book
from labvirt.runbook.execute import start
from labvirt.runbook.outline import Outline

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
_CHANGING = {
    "name": r"\bkill\d+\b",
    "uuid": r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    "mac": r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b",
    "run": r"run:[0-9]{8}-[0-9]{6}-[0-9a-f]+",
    "domain-id": r"domain-\d+-",
}


def steps_of(book):
    return Outline(find_book(book).notebook).steps


def eventually(claim, what, timeout_s=20.0):
    deadline, last = time.monotonic() + timeout_s, None
    while time.monotonic() < deadline:
        try:
            if last := claim():
                return last
        except LabvirtError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s:g} s for {what}; last: {last}")


def alike(text):
    """Return a text without what differs from one guest to the next."""
    for what, pattern in _CHANGING.items():
        text = re.sub(pattern, what.upper(), text)
    return text


# -- processes -----------------------------------------------------------------------------------


def sockets_of(runner):
    """Return the folders of sockets that a runner made."""
    return list(Path("/tmp").glob(f"lvk-{runner}-*"))


def kernel_of(runner):
    """Return the kernel of a runner: whoever listens on its sockets, whosever child it is."""
    beginning = f"/tmp/lvk-{runner}-"
    (pid,) = {
        link.pid
        for link in psutil.net_connections("unix")
        if link.pid and link.laddr.startswith(beginning)
    }
    return psutil.Process(pid)


def is_gone(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def emulators(name):
    """Return the QEMU processes of a domain, on whatever host."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(word.startswith(f"guest={name},") for word in process.info["cmdline"] or ())
    ]


# -- a run in which somebody is killed -----------------------------------------------------------


@dataclass
class Struck:
    """A run in which somebody was killed.

    Attributes:
        id: its number.
        folder: its record.
        processes: runner and kernel.
        took_s: how long the cell of each step took that ended.
    """

    id: str
    folder: Path
    processes: tuple
    took_s: dict


class Victims:
    """What can be killed in a run: its kernel, its runner, the libvirtd of a host."""

    def __init__(self, runner, kernel, lab, hosts):
        self._runner, self._kernel = runner, kernel
        self._lab, self._hosts = lab, hosts

    def kill(self, who):
        if who == "kernel":
            self._kernel.send_signal(signal.SIGKILL)
        elif who == "runner":
            self._runner.send_signal(signal.SIGKILL)
        else:
            self._lab.daemon(self._hosts[who], "KILL")


def run_and_strike(asked, lab, hosts, who=None, step=None, after_s=0.0):
    """Run what is asked for; kill somebody a little after the cell of a step began.

    Args:
        asked: the request.
        lab: the lab of the hosts.
        hosts: name of a host by the word for its daemon.
        who: ``kernel``, ``runner``, a key of `hosts`, or nobody.
        step: in which step.
        after_s: how long after the beginning of its cell.
    """
    told = queue.Queue()
    going = start(asked, on_event=told.put)
    try:
        processes, began, took_s, struck = (), {}, {}, who is None
        while True:
            event = told.get(timeout=120)
            if event["kind"] == "run-end":
                break
            if event["kind"] == "cell-begin":
                if not processes:
                    processes = (psutil.Process(going.pid), kernel_of(going.pid))
                if event["role"] == "step":
                    began[event["cell"]] = event["step"], time.monotonic()
                    if event["step"] == step and not struck:
                        struck = True
                        time.sleep(after_s)
                        Victims(*processes, lab, hosts).kill(who)
                        if who == "runner":
                            break
            elif event["kind"] == "cell-end" and event["cell"] in began:
                of, at = began.pop(event["cell"])
                took_s[of] = time.monotonic() - at
        with contextlib.suppress(LabvirtError):
            going.result(60)
    finally:
        going.close()
    assert struck, f"the run never came to step {step}"
    return Struck(asked.request.id, Path(asked.request.folder), processes, took_s)


def labvirt(*argv, code=0):
    """Run ``labvirt runs ...`` and return what it prints, read as JSON, and the process's number."""
    with subprocess.Popen(
        [LABVIRT, "runs", *argv, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        out, err = process.communicate(timeout=150)
    assert "Traceback" not in err, err
    assert process.returncode == code, f"{argv}: {process.returncode}\n{out}\n{err}"
    return (json.loads(out) if out else {}), process.pid, err


def told_by_events(folder):
    """Return the steps that ended well and the one that was going on, as the events have it."""
    done, going = [], None
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["kind"] == "step-begin":
            going = event["step"]["id"]
        elif event["kind"] == "step-end" and event["step"]["verdict"] == "ok":
            done.append(going)
            going = None
    return done, going


def require_truth(shown, struck, who, steps, step):
    """Look whether ``runs show`` says what happened, as the events of the run have it."""
    done, going = told_by_events(struck.folder)
    verdicts = {one["id"]: one["verdict"] for one in shown["steps"]}
    assert list(verdicts) == list(steps)
    if shown["outcome"] == "ok":
        assert set(verdicts.values()) == {"ok"}
        assert shown["exit_code"] == 0
        return
    if who in ("kernel", "runner"):
        assert (shown["outcome"], shown["exit_code"]) == ("died", 138), shown["error"]
        assert who in shown["error"]
    else:
        assert (shown["outcome"], shown["exit_code"]) == ("failed", 1), shown["error"]
    # A busy machine may be late, but nobody is killed before the step.
    assert going in steps[steps.index(step) :], f"{done}, then {going}; {shown['error']}"
    before, after = steps[: steps.index(going)], steps[steps.index(going) + 1 :]
    assert [verdicts[one] for one in before] == ["ok"] * len(before)
    assert verdicts[going] == "failed"
    assert {verdicts[one] for one in after} <= {"skipped", "pending"}
    assert shown["ended"]
    assert shown["seconds"] > 0


# -- what is there afterwards --------------------------------------------------------------------


def volumes_of(host, name):
    """Return format and size of the volumes of a domain, by name."""
    found = {}
    for pool in host.pools:
        pool.refresh()
        for volume in pool.volumes:
            if volume.name.startswith(f"{name}-"):
                info = volume.info()
                found[alike(volume.name)] = (info.format, int(info.capacity))
    return found


def guest_facts(host, name):
    """Return what makes a guest: two that were made alike have the same."""
    domain = host.domains[name]
    info = domain.info()
    called = domain.ask("hostname", timeout_s=30).text.strip()
    assert called == name, f"asked for {name}, it calls itself {called}"
    return {
        "definition": alike(domain.xml(inactive=True)),
        "state": domain.state.text,
        "kept": (info.persistent, info.autostart),
        "disks": sorted(map(alike, files_of(DomainXml.parse(domain.xml())))),
        "volumes": volumes_of(host, name),
        "processes": len(emulators(name)),
    }


def remove(host, name):
    """Remove a guest with its volumes."""
    domain = host.domains[name]
    if domain.is_active:
        domain.destroy(confirm=True)
    domain.undefine(managed_save=True, confirm=True)
    for pool in host.pools:
        for volume in pool.volumes:
            if volume.name.startswith(f"{name}-"):
                volume_calls.delete(host.connection, pool.uuid, volume.name)


def files_for(lab, hosts, name):
    """Return the files of some hosts of a lab, and those of a guest that the hosts share.

    Args:
        lab: the lab.
        hosts: name of a host by what it is called in the paths that come out.
        name: name of the guest; files of other guests are left out.
    """
    folder = Path(lab._record.folder)
    found = set()
    for word, host in hosts.items():
        place = folder / "hosts" / host
        found |= {f"{word}/{p.relative_to(place)}" for p in place.rglob("*") if not p.is_dir()}
    for shared in ("media", "serial", "shared"):
        for path in (folder / shared).rglob("*"):
            if name in path.name or not re.search(_CHANGING["name"], path.name):
                found.add(str(path.relative_to(folder)))
    return {alike(path) for path in found}


def forget_logs(lab, name):
    """Remove the logs that stay when a domain goes, as with every libvirt."""
    for path in Path(lab._record.folder).rglob(f"{name}.log"):
        path.unlink()


def half_written(folder):
    return [path.name for path in folder.rglob("*") if path.name.endswith((".part", ".new"))]


def open_plans(lab):
    """Return the plans on hosts of a lab that a killed process left in the journal."""
    pending = Path(os.environ["LABVIRT_HOME"]) / "journal" / "open"
    uris = tuple(lab.uris.values())
    return [
        path.name
        for path in (pending.glob("*") if pending.exists() else ())
        if any(uri in path.read_text() for uri in uris)
    ]
