"""From the call to a running guest: labvirt, virt-install, and bare libvirt-python."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import libvirt

import labvirt as lv
from tests.bench.measure import Goal, interleave, timed

if TYPE_CHECKING:
    from tests.bench.measure import Result

MEMORY = "128 MiB"


def run(rounds: int) -> Result:
    name = f"bench-{uuid.uuid4().hex[:6]}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab["alpha"]
        bare = libvirt.open(host.uri)
        images = Path(host.pools["default"].info().path)
        base = host.builder(lv.TinyGuest(boot="disk"), host.facts.media_folder).disk

        def image() -> str:
            # Every way boots a copy of its own, made before the clock runs.
            path = images / f"{uuid.uuid4().hex[:8]}.qcow2"
            shutil.copy(base, path)
            # Root's session daemons run as an ordinary user.
            path.chmod(0o666)
            return str(path)

        def spec(path: str) -> lv.DomainSpec:
            return lv.DomainSpec(
                name=f"b{uuid.uuid4().hex[:8]}",
                memory=MEMORY,
                source=lv.ImportImage(path=path, format="qcow2"),
                interfaces=(lv.InterfaceSpec(kind="user"),),
                rng=False,
                agent=False,
            )

        def clean(path: str) -> None:
            for domain in bare.listAllDomains():
                if domain.isActive():
                    domain.destroy()
                domain.undefine()
            Path(path).unlink()

        def labvirt() -> float:
            path = image()
            wanted = spec(path)
            spent = timed(lambda: host.plan(wanted).apply())
            clean(path)
            return spent

        def libvirt_python(flags: int) -> float:
            path = image()
            xml = spec(path).model_copy(update={"virt": "qemu"}).filled().to_xml()
            spent = timed(lambda: bare.defineXMLFlags(xml, flags).create())
            clean(path)
            return spent

        def virt_install() -> float:
            path = image()
            argv = [
                "virt-install", "--connect", host.uri, "--name", f"b{uuid.uuid4().hex[:8]}",
                "--memory", "128", "--virt-type", "qemu", "--import", "--noautoconsole",
                "--disk", f"path={path},format=qcow2,bus=virtio", "--network", "user,model=virtio",
                "--graphics", "none", "--osinfo", "detect=off,require=off",
            ]  # fmt: skip
            spent = timed(
                lambda: subprocess.run(argv, check=True, capture_output=True, timeout=120)
            )
            clean(path)
            return spent

        validate = libvirt.VIR_DOMAIN_DEFINE_VALIDATE
        ways = {
            "labvirt plan+apply": labvirt,
            "libvirt-python, validated": lambda: libvirt_python(validate),
            "libvirt-python, unchecked": lambda: libvirt_python(0),
        }
        goals = [Goal("labvirt plan+apply", "libvirt-python, validated", 1.05)]
        if shutil.which("virt-install"):
            ways["virt-install --import"] = virt_install
            goals.append(Goal("labvirt plan+apply", "virt-install --import", 0.6))
        try:
            return interleave("create to running", ways, tuple(goals), rounds)
        finally:
            bare.close()
