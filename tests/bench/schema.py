"""Checking one domain against libvirt's schema before it is sent."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import labvirt as lv
from labvirt.model.schema import Schema
from tests.bench.measure import Goal, interleave, timed

if TYPE_CHECKING:
    from tests.bench.measure import Result


def run(rounds: int) -> Result:
    spec = lv.DomainSpec(
        name="bench",
        memory="256 MiB",
        virt="qemu",
        source=lv.ImportImage(path="/images/bench.qcow2", format="qcow2"),
        interfaces=(lv.InterfaceSpec(kind="user"),),
    )
    xml = spec.filled().to_xml()
    schema = Schema.load()
    ways = {"labvirt": lambda: timed(lambda: schema.require(xml))}
    goals: tuple[Goal, ...] = ()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.xml"
        path.write_text(xml)
        if shutil.which("xmllint"):
            argv = ["virt-xml-validate", str(path), "domain"]
            ways["virt-xml-validate"] = lambda: timed(
                lambda: subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            )
            goals = (Goal("labvirt", "virt-xml-validate", 0.05),)
        return interleave("schema check", ways, goals, rounds)
