"""Labs for the doctor's tests, machines made of a folder, and a way to ask a single check."""

from __future__ import annotations

import os
import shlex
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor.case import Case, Patient
from labvirt.doctor.checks import Seen, all_checks
from labvirt.doctor.machine import Machine
from labvirt.errors import LabError, NotFoundError
from labvirt.host import HostFacts
from labvirt.model.units import Size
from labvirt.model.uri import Uri
from labvirt.model.xml.capabilities import Capabilities, GuestCapability
from labvirt.status import (
    DomainRecord,
    DomainState,
    NetworkRecord,
    NodeRecord,
    PoolRecord,
    VersionRecord,
)
from labvirt.status.pool import PoolState


@pytest.fixture(scope="module")
def lab(request):
    """A session lab of two hosts, alpha and beta, of this module's own."""
    name = f"doc-{os.getpid()}-{request.module.__name__.rpartition('.')[2][-20:].replace('_', '-')}"
    with lv.Lab.start(name, hosts=2, backend="session", ephemeral=True) as lab:
        yield lab


@pytest.fixture
def alpha(lab):
    return lab["alpha"]


@pytest.fixture
def beta(lab):
    return lab["beta"]


@pytest.fixture(scope="session")
def wide():
    """A system lab of one host: real bridges, dnsmasq, nftables."""
    try:
        lab = lv.Lab.start(f"docs-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        yield lab
        lab.stop()


@pytest.fixture(scope="session")
def system(wide):
    """The host of the system lab."""
    return wide[wide.names[0]]


@pytest.fixture
def machine(tmp_path):
    """Make a machine over a folder: ``machine({"/etc/x": "text"}, {"ss -lnt": "output"})``.

    A file whose text is None is made an empty folder. The key of a command is how its line begins,
    the longest that fits counts; the value is its output, or (exit code, output, complaints), or a
    function of the words that returns either. A command that is not named is not installed.
    """
    count = iter(range(1000))

    def make(files=None, commands=None, *, name="fake"):
        root = tmp_path / f"machine{next(count)}"
        root.mkdir()
        for path, text in (files or {}).items():
            there = root / path.lstrip("/")
            if text is None:
                there.mkdir(parents=True, exist_ok=True)
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Machine(name, root=root, runner=_runner(root, commands or {}))

    return make


def _runner(root, commands):
    def run(words, timeout_s):
        line = shlex.join(words)
        fits = [key for key in commands if line == key or line.startswith(f"{key} ")]
        if fits:
            answer = commands[max(fits, key=len)]
            answer = answer(words) if callable(answer) else answer
            return answer if isinstance(answer, tuple) else (0, answer, "")
        return _builtin(root, commands, list(words))

    return run


def _builtin(root, commands, words):
    """Answer what `Machine` itself asks: cat, ls, test, command -v."""
    there = root / words[-1].lstrip("/")
    if words[0] == "cat":
        return (0, there.read_text(), "") if there.is_file() else (1, "", "No such file")
    if words[0] == "ls":
        names = sorted(each.name for each in there.iterdir()) if there.is_dir() else None
        return (
            (2, "", "No such file") if names is None else (0, "".join(f"{n}\n" for n in names), "")
        )
    if words[0] == "test":
        return (0 if there.exists() else 1, "", "")
    if words[:2] == ["sh", "-c"] and words[2].startswith("command -v "):
        wanted = words[2].removeprefix("command -v ")
        return (0 if any(key.split()[0] == wanted for key in commands) else 1, "", "")
    raise NotFoundError(f"run {words[0]} on fake", hint=f"install {words[0]}")


def domain_of(name, *, memory="1 GiB", maximum=None, vcpus=1, on=True, autostart=False, inside=""):
    """A domain of a stand-in; ``inside`` is XML of its document."""
    record = DomainRecord(
        uuid=f"uuid-{name}",
        name=name,
        id=7 if on else None,
        state=DomainState.RUNNING if on else DomainState.SHUTOFF,
        reason="",
        persistent=True,
        autostart=autostart,
        has_managed_save=False,
        os_type="hvm",
        max_memory=Size.parse(maximum or memory),
        memory=Size.parse(memory),
        vcpus=vcpus,
        cpu_time_ns=0,
        title="",
        tags=(),
        read_at=datetime.now(UTC),
    )
    xml = f"<domain type='qemu'><name>{name}</name>{inside}</domain>"
    return SimpleNamespace(
        name=name, uuid=record.uuid, info=lambda: record, xml=lambda inactive=False: xml
    )


def network_of(name, forward="nat", *, on=True):
    """A network of a stand-in."""
    record = NetworkRecord(
        f"uuid-{name}", name, on, True, True, "virbr0", forward, datetime.now(UTC)
    )
    return SimpleNamespace(name=name, uuid=record.uuid, info=lambda: record)


def pool_of(name, path, kind="dir"):
    """A pool of a stand-in."""
    size = Size.parse("10 GiB")
    record = PoolRecord(
        f"uuid-{name}", name, kind, PoolState.RUNNING, True, True, size, Size(0), size, path,
        datetime.now(UTC),
    )  # fmt: skip
    return SimpleNamespace(name=name, uuid=record.uuid, info=lambda: record)


def host_of(
    uri="qemu:///system",
    *,
    domains=(),
    networks=(),
    pools=(),
    memory="24 GiB",
    cpus=2,
    threads=1,
    daemon="9.0.0",
    models=("apparmor", "dac"),
    emulator="/usr/bin/qemu-system-x86_64",
    readonly=False,
    **facts,
):
    """A stand-in for a host: what checks ask of it, without a daemon."""
    guests = (GuestCapability("hvm", "x86_64", 64, emulator, ("qemu", "kvm"), ("pc",)),)
    seen = Capabilities(
        "", "x86_64", "", "", 1, 1, cpus // threads, threads, (), tuple(models), (),
        guests if emulator else (),
    )  # fmt: skip
    node = NodeRecord("x86_64", Size.parse(memory), cpus, 0, 1, 1, max(1, cpus // threads), threads)
    return SimpleNamespace(
        name="fake",
        state="connected",
        readonly=readonly,
        is_local=True,
        facts=HostFacts(**facts),
        connection=SimpleNamespace(uri=Uri.parse(uri)),
        domains=list(domains),
        networks=list(networks),
        pools=list(pools),
        info=lambda: node,
        version=lambda: VersionRecord("9.0.0", "9.0.0", daemon, "QEMU", "7.2.22"),
        capabilities=lambda: seen,
    )


@pytest.fixture
def stand_in():
    """Make hosts without a daemon, and what is on them: ``stand_in.host(domains=[...])``."""
    return SimpleNamespace(host=host_of, domain=domain_of, network=network_of, pool=pool_of)


@pytest.fixture
def ask():
    """Ask one check of a host, or of a machine alone: ``ask("host.swap", machine(...))``.

    Returns what it answered as a list of `Seen`. ``host`` may be a stand-in with what the check
    calls; ``thing``, ``owner`` and ``name`` are those of `Case`; ``facts`` are put beside as if
    they had been read: ``{"node": record}``.
    """

    def look(key, machine=None, *, host=None, facts=None, others=(), deep=False, **case):
        found = next(one for one in all_checks() if one.id == key)
        patient = Patient(host or host_of(), others=tuple(others), deep=deep)
        if machine is not None:
            patient.once("machine", lambda: machine)
        for name, value in (facts or {}).items():
            patient.once(name, lambda value=value: value)
        answer = found.look(Case(patient, **case))
        return [answer] if isinstance(answer, Seen) else list(answer or ())

    return look
