"""What every test has: private folders, and a count of what could not be tested here."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

# A busy machine is no fault of the code, and a checkout may belong to somebody else.
hypothesis.settings.register_profile("labvirt", deadline=None, database=None)
hypothesis.settings.load_profile("labvirt")

_ROOT = Path(__file__).parent.parent


def pytest_addoption(parser):
    parser.addoption(
        "--slow-budget",
        type=float,
        metavar="SECONDS",
        help="of the slow tests take those, shortest first, that fit into this time one by one",
    )


def pytest_collection_modifyitems(config, items):
    """Leave out the slow tests for which there is no time; how many is told at the end."""
    budget = config.getoption("--slow-budget")
    if budget is None:
        return
    left, out = budget, []
    for item in sorted(filter(_is_slow, items), key=_seconds):
        left -= _seconds(item)
        if left < 0:
            out.append(item)
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def _is_slow(item):
    return item.get_closest_marker("slow") is not None


def _seconds(item):
    """Return how long a slow test takes about, as its mark says: ``slow(seconds=90)``."""
    return item.get_closest_marker("slow").kwargs.get("seconds", 60)


def pytest_configure(config):
    """Keep everything that tests make in one folder; what was downloaded is kept between runs."""
    if "LABVIRT_CACHE" not in os.environ:
        os.environ["LABVIRT_CACHE"] = str(_ROOT / ".labvirt" / "cache")
    # Short, and open to pass through: root's labs run daemons as an ordinary user.
    home = Path(tempfile.mkdtemp(prefix="lvt-", dir="/tmp"))
    home.chmod(0o755)
    os.environ["LABVIRT_HOME"] = str(home)
    config._labvirt_home = home


def pytest_unconfigure(config):
    home = getattr(config, "_labvirt_home", None)
    if home is not None:
        shutil.rmtree(home, ignore_errors=True)


def pytest_terminal_summary(terminalreporter):
    """Count the skips: each names what this machine lacks."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons: dict[str, int] = {}
    for report in skipped:
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else "?"
        reasons[reason] = reasons.get(reason, 0) + 1
    terminalreporter.write_line(f"{len(skipped)} tests skipped")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"  {count} x {reason}")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A LABVIRT_HOME of the test's own."""
    monkeypatch.setenv("LABVIRT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def passable():
    """Make a folder of pytest one that other users of the machine can pass through."""

    def make(folder):
        for each in (folder, *folder.parents):
            if str(each) in ("/tmp", "/") or each.stat().st_uid != os.geteuid():
                break
            each.chmod(0o711)

    return make
