"""What the doctor must say of each fault, and how its remedy is done where labvirt has no plan."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from labvirt.model.xml.domain import DomainXml

if TYPE_CHECKING:
    from collections.abc import Callable

    import labvirt as lv

#: Fault -> what the cause must say.
CAUSES: Final = {
    "network-inactive": "somebody stopped it",
    "dhcp-exhausted": "every address of the range is leased or reserved",
    "wrong-bridge": "there is no bridge br-office",
    "firewall-drop": "this rule stops it before libvirt's own rules count",
    "mtu-mismatch": "its tap takes 1280: the rest is lost",
    "filter-blocks": "network filter labvirt-quiet drops it",
    "link-down": "pulled the virtual cable",
    "pool-inactive": "it was stopped",
    "pool-full": "it is full: new volumes fail",
    "image-unreadable": "QEMU runs as .*, and",
    "image-renamed": "moved, renamed or deleted",
    "backing-gone": "the image below was moved, renamed or deleted",
    "qcow2-damaged": "tables of the image are broken",
    "lock-held": "another process has the image open",
    "boot-order": "the boot order leaves out disk vda",
    "kernel-line": "told to mount /dev/vdz1",
    "agent-stopped": "no agent runs in the guest",
    "guest-hung": "SIGSTOP",
    "guest-crashed": "its hypervisor process died",
    "daemon-stopped": "the daemon ended",
    "daemon-hung": "it hangs, or was stopped",
    "migration-port-closed": "port 49152 of beta cannot be reached from alpha",
    "destination-network": "beta has no network default",
    "cpu-incompatible": "the processor of beta cannot be Icelake-Server",
    "certificate-expired": "it ended 1 days? ago",
    "clock-skew": "clock was set wrong",
    "disk-slow": "throttled to less than",
    "memory-overcommitted": "memory is overcommitted by .* beyond memory and swap",
}

#: Fault -> the command in the remedy that mends it.
COMMANDS: Final = {
    "lock-held": r"kill \d+$",
    "guest-hung": r"kill -CONT \d+",
    "firewall-drop": r"iptables -t filter -D [^;]+",
    "migration-port-closed": r"iptables -I INPUT [^(]+",
    "mtu-mismatch": r"ip link set \w+ mtu \d+",
}


def _own_network(lab: lv.Lab, finding: Any) -> None:
    """The right source, as ``virsh edit`` would write it."""
    assert "the right <source" in finding.remedy
    document = DomainXml.parse(lab["alpha"].domains["off1"].xml(inactive=True))
    nic = document.interfaces[0]
    source = nic.element.find("source")
    assert source is not None
    source.attrib.clear()
    if lab.backend == "session":
        nic.element.remove(source)
        nic.type = "user"
    else:
        nic.type, nic.source_network = "network", "default"
    lab["alpha"].define(document.text())


def _same_network(lab: lv.Lab, finding: Any) -> None:
    assert "net-define" in finding.remedy
    network = lab["beta"].define_network(lab["alpha"].networks["default"].xml(inactive=True))
    network.start()
    network.set_autostart(True)


def _room(lab: lv.Lab, finding: Any) -> None:
    assert "virsh vol-delete" in finding.remedy
    lab["alpha"].pools["scratch"].volumes["old-backup.raw"].delete(confirm=True)


def _agent(lab: lv.Lab, finding: Any) -> None:
    """The small guest starts its agent when it boots, and in no other way."""
    assert "qemu-guest-agent" in finding.remedy
    web = lab["alpha"].domains["web1"]
    web.destroy(confirm=True)
    web.start()
    web.wait_for("agent", timeout_s=60)


def _clock(lab: lv.Lab, finding: Any) -> None:
    """What ``virsh domtime --now`` has the agent do."""
    assert "domtime web1 --now" in finding.remedy
    line = f"date -s @{time.time():.0f}"
    lab["alpha"].domains["web1"].run(["/bin/sh", "-c", line], timeout_s=20)


def _daemon_on(lab: lv.Lab, finding: Any) -> None:
    assert "systemctl start" in finding.remedy
    lab.daemon("alpha", "start")


def _daemon_goes(lab: lv.Lab, finding: Any) -> None:
    assert "kill -CONT" in finding.remedy
    lab.daemon("alpha", "CONT")


def _signed_anew(_lab: lv.Lab, finding: Any) -> None:
    """Certificates that count, in place of all that have ended."""
    found = re.search(r"--outfile (\S+);", finding.remedy)
    assert found is not None
    folder = Path(found[1]).parent
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost"
    for name in ("ca-cert", "server-cert", "client-cert"):
        key = folder / f"{name.replace('cert', 'key')}.pem"
        line = [*words.split(), "-keyout", str(key), "-out", str(folder / f"{name}.pem")]
        subprocess.run(line, check=True, capture_output=True, timeout=30)
    (folder / "ca-key.pem").unlink()


#: Fault -> what somebody does who reads the remedy.
HANDS: Final[dict[str, Callable[[lv.Lab, Any], None]]] = {
    "wrong-bridge": _own_network,
    "destination-network": _same_network,
    "pool-full": _room,
    "agent-stopped": _agent,
    "clock-skew": _clock,
    "daemon-stopped": _daemon_on,
    "daemon-hung": _daemon_goes,
    "certificate-expired": _signed_anew,
}
