"""Labs for the doctor's tests, machines made of a folder, and a way to ask a single check."""

from __future__ import annotations

import os
import shlex
from types import SimpleNamespace

import pytest

import labvirt as lv
from labvirt.doctor.case import Case, Patient
from labvirt.doctor.checks import Seen, all_checks
from labvirt.doctor.machine import Machine
from labvirt.errors import LabError, NotFoundError


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


@pytest.fixture
def ask():
    """Ask one check of a host, or of a machine alone: ``ask("host.swap", machine(...))``.

    Returns what it answered as a list of `Seen`. ``host`` may be a stand-in with what the check
    calls; ``thing``, ``owner`` and ``name`` are those of `Case`; ``facts`` are put beside as if
    they had been read: ``{"node": record}``.
    """

    def look(key, machine=None, *, host=None, facts=None, others=(), deep=False, **case):
        found = next(one for one in all_checks() if one.id == key)
        patient = Patient(host or SimpleNamespace(name="fake"), others=tuple(others), deep=deep)
        if machine is not None:
            patient.once("machine", lambda: machine)
        for name, value in (facts or {}).items():
            patient.once(name, lambda value=value: value)
        answer = found.look(Case(patient, **case))
        return [answer] if isinstance(answer, Seen) else list(answer or ())

    return look
