"""How long it takes until something can be done: fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import Goal, interleave, timed

if TYPE_CHECKING:
    from tests.bench.measure import Result

LABVIRT = str(Path(sys.executable).with_name("labvirt"))


def run(rounds: int) -> Result:
    def python(code: str):
        return lambda: timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))

    def shell(*argv: str):
        return lambda: timed(lambda: subprocess.run(argv, check=True, stdout=subprocess.DEVNULL))

    ways = {
        "python": python("pass"),
        "import labvirt": python("import labvirt"),
        "import libvirt, ipywidgets": python("import libvirt, ipywidgets"),
        "labvirt --help": shell(LABVIRT, "--help"),
        "virsh --help": shell("virsh", "--help"),
    }
    goals = (Goal("import labvirt", "import libvirt, ipywidgets", 1.1),)
    return interleave("start", ways, goals, rounds)
