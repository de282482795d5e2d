"""What is done with labs, as stories: ``scenarios.py NAME JSON`` plays one and prints what it found."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.errors import LabError
from labvirt.lab import Lab
from labvirt.lab.processes import Process
from labvirt.lab.records import LabRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

libvirt.registerErrorHandler(lambda *_: None, None)

DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type>{boot}</os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <devices>
    {devices}
    <memballoon model='none'/>
  </devices>
</domain>
"""
AGENT = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


def domain_xml(name: str, devices: str = AGENT, boot: str = "") -> str:
    return DOMAIN.format(name=name, devices=devices, boot=boot)


def eventually(claim: Any, what: str, timeout_s: float = 10.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (seen := claim()):
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.005)
    return seen


@contextlib.contextmanager
def refused(*parts: str) -> Iterator[None]:
    """Expect a LabError whose text has these parts."""
    try:
        yield
    except LabError as error:
        missing = [part for part in parts if part not in str(error)]
        assert not missing, error  # noqa: PT017 - there is no pytest in a scenario
    else:
        raise AssertionError(f"nothing was refused with {parts}")


def took(began: float) -> float:
    return round(time.monotonic() - began, 3)


def start(name: str, backend: str, hosts: Any = 2, **options: Any) -> tuple[Lab, float]:
    began = time.monotonic()
    lab = Lab.start(name, hosts, backend, **options)
    return lab, took(began)


def reach(lab: Lab, host: str) -> Any:
    return libvirt.open(lab.uris[host])


# -- scenarios -------------------------------------------------------------------------------


def clean_up() -> dict[str, Any]:
    """Stop whatever labs there are."""
    for status in Lab.list():
        Lab.attach(status.name, broken=True).stop()
    return {}


def life(backend: str) -> dict[str, Any]:
    """Start, find, look, reset, stop; every host is a real, complete libvirt host."""
    lab, up = start("life", backend)
    assert lab.names == ("alpha", "beta")
    assert lab.backend == backend
    listing_began = time.monotonic()
    identities = set()
    for name in lab.names:
        connection = reach(lab, name)
        assert connection.listAllDomains() == []
        pools = {pool.name(): pool for pool in connection.listAllStoragePools()}
        assert sorted(pools) == ["default", "shared"]
        assert all(pool.isActive() and pool.autostart() for pool in pools.values())
        networks = {network.name(): network for network in connection.listAllNetworks()}
        wanted = ["default", "fabric", "isolated"] if backend == "system" else []
        assert sorted(networks) == wanted
        assert all(net.isActive() and net.autostart() for net in networks.values())
        if backend == "system":
            assert connection.getHostname() == name
        identities.add(connection.getCapabilities().split("<uuid>")[1][:36])
        connection.close()
    listed = took(listing_began)
    assert len(identities) == 2
    shared = [reach(lab, name).storagePoolLookupByName("shared") for name in lab.names]
    assert shared[0].XMLDesc().split("<path>")[1] == shared[1].XMLDesc().split("<path>")[1]

    status = lab.status()
    assert (status.state, status.backend, status.note) == ("running", backend, "")
    assert [host.state for host in status.hosts] == ["running", "running"]
    for host in status.hosts:
        assert Path(f"/proc/{host.daemon_pid}/comm").read_text().strip() == "libvirtd"
    assert Path(f"/proc/{status.keeper_pid}").exists()
    assert [each.name for each in Lab.list()] == ["life"]

    again, _ = start("life", backend)
    assert again.uris == lab.uris
    assert Lab.attach("life").status() == status
    with refused("another shape", "labvirt lab stop life"):
        start("life", backend, 3)

    connection = reach(lab, "alpha")
    connection.createXML(domain_xml("running"), 0)
    connection.defineXML(domain_xml("defined"))
    pool = connection.storagePoolLookupByName("shared")
    pool.createXML("<volume><name>v1</name><capacity unit='MiB'>4</capacity></volume>")
    connection.close()
    began = time.monotonic()
    lab.reset()
    reset = took(began)
    connection = reach(lab, "alpha")
    assert connection.listAllDomains() == []
    assert connection.storagePoolLookupByName("shared").listVolumes() == []
    assert connection.getCapabilities().split("<uuid>")[1][:36] in identities
    connection.close()
    assert Lab.attach("life").status().keeper_pid == status.keeper_pid

    keeper = Process.of(status.keeper_pid)
    began = time.monotonic()
    lab.stop()
    stopped = took(began)
    assert not keeper.is_alive
    assert Lab.list() == ()
    lab.stop()
    with refused("no lab life"):
        Lab.attach("life")
    return {"figures": {"start": up, "list both": listed, "reset": reset, "stop": stopped}}


def cold(backend: str) -> dict[str, Any]:
    """The first start probes QEMU, the second one remembers."""
    remembered = Path(os.environ["LABVIRT_HOME"], "cache", "capabilities")
    shutil.rmtree(remembered, ignore_errors=True)
    said: list[str] = []
    figures = {}
    for turn in ("cold", "warm"):
        lab, figures[turn] = start("cold", backend, progress=said.append)
        lab.stop()
    assert len([text for text in said if "probing QEMU" in text]) == 1
    assert list(remembered.glob("*/*.xml"))
    return {"figures": figures}


def many(backend: str, hosts: int) -> dict[str, Any]:
    """More hosts, all of them usable and different."""
    lab, up = start("many", backend, hosts)
    with contextlib.closing(lab):
        assert len(lab) == hosts
        assert [reach(lab, name).numOfDomains() for name in lab.names] == [0] * hosts
        assert len(set(lab.uris.values())) == hosts
        assert {host.state for host in lab.status().hosts} == {"running"}
        if backend == "system":
            for other in lab.names[1:]:
                done = lab.run("alpha", ["getent", "hosts", other])
                assert done.code == 0, done
        began = time.monotonic()
        lab.stop()
    return {"figures": {"start": up, "stop": took(began)}}


def two(backend: str) -> dict[str, Any]:
    """Two labs side by side know nothing of each other."""
    first, _ = start("first", backend)
    second, up = start("second", backend)
    assert set(first.uris.values()).isdisjoint(second.uris.values())
    for lab in (first, second):
        reach(lab, "alpha").createXML(domain_xml("same-name"), 0)
        assert lab.status().hosts[0].domains == ("same-name",)
    assert sorted(each.name for each in Lab.list()) == ["first", "second"]
    first.stop()
    assert [each.name for each in Lab.list()] == ["second"]
    assert second.status().hosts[0].domains == ("same-name",)
    assert reach(second, "beta").listAllDomains() == []
    second.stop()
    return {"figures": {"second start": up}}


def work(backend: str) -> dict[str, Any]:
    """A daemon that dies is back at once, its guests run on, and are destroyed quickly."""
    lab, _ = start("work", backend)
    figures: dict[str, Any] = {}
    connection = reach(lab, "alpha")
    domain = connection.defineXML(domain_xml("a-domain-with-quite-a-long-name-for-its-sockets"))
    domain.create()
    (alpha, beta) = lab.status().hosts
    assert alpha.domains == (domain.name(),)
    assert beta.domains == ()

    lab.daemon("alpha", "KILL")
    began = time.monotonic()

    def is_back() -> Any:
        host = lab.status().hosts[0]
        return host.state == "running" and host.daemon_pid != alpha.daemon_pid and host

    host = eventually(is_back, "libvirtd to be started again")
    figures["daemon back"] = took(began)
    assert host.restarts == 1
    assert host.domains == alpha.domains
    connection = reach(lab, "alpha")
    domain = connection.lookupByName(domain.name())
    assert domain.isActive()

    lab.daemon("alpha", "STOP")
    eventually(lambda: lab.status().hosts[0].state == "not answering", "the daemon to hang")
    lab.daemon("alpha", "CONT")
    eventually(lambda: lab.status().hosts[0].state == "running", "the daemon to go on")

    lab.daemon("alpha", "stop")
    host = lab.status().hosts[0]
    assert (host.state, host.daemon_pid) == ("stopped", None)
    assert host.domains == alpha.domains
    lab.daemon("alpha", "start")
    connection = reach(lab, "alpha")
    domain = connection.lookupByName(domain.name())
    assert domain.isActive()
    # Waits for libvirtd to have taken up the domain again: libvirt 9 destroys it before, but with
    # an error.
    domain.memoryStats()

    began = time.monotonic()
    domain.destroy()
    figures["destroy"] = took(began)
    assert lab.status().hosts[0].domains == ()
    domain.undefine()
    connection.close()
    lab.stop()
    return {"figures": figures}


def give_up(backend: str) -> dict[str, Any]:
    """A daemon that dies again and again is given up, and can be started by hand."""
    lab, _ = start("give-up", backend, 1)
    for _ in range(6):
        pid = eventually(lambda: lab.status().hosts[0].daemon_pid, "a daemon")
        lab.daemon("alpha", "KILL")
        eventually(lambda pid=pid: lab.status().hosts[0].daemon_pid != pid, "its end")
    assert lab.status().hosts[0].state == "failed"
    lab.daemon("alpha", "start")
    assert lab.status().hosts[0].state == "running"
    lab.stop()
    return {}


def migrate(backend: str) -> dict[str, Any]:
    """A running domain with a shared disk moves to the other host."""
    lab, _ = start("move", backend)
    source, destination = reach(lab, "alpha"), reach(lab, "beta")
    # As Host does: the first migration would otherwise wait for QEMU to be probed.
    destination.getCapabilities()
    pool = source.storagePoolLookupByName("shared")
    volume = pool.createXML(
        "<volume><name>d.qcow2</name><capacity unit='MiB'>16</capacity>"
        "<target><format type='qcow2'/></target></volume>"
    )
    disk = (
        "<disk type='file'><driver name='qemu' type='qcow2' cache='none'/>"
        f"<source file='{volume.path()}'/><target dev='vda' bus='virtio'/></disk>"
    )
    domain = source.createXML(domain_xml("mover", disk + AGENT), 0)
    options = {}
    if backend == "session":
        options["migrate_uri"] = "tcp://127.0.0.1"
    began = time.monotonic()
    # libvirt sees that the pool is no network file system, and cannot know that it is one folder.
    flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_UNSAFE
    moved = domain.migrate3(destination, options, flags)
    seconds = took(began)
    assert moved.isActive()
    assert source.listAllDomains() == []
    assert [host.domains for host in lab.status().hosts] == [(), ("mover",)]
    source.close()
    destination.close()
    lab.stop()
    return {"figures": {"migration": seconds}}


def dhcp() -> dict[str, Any]:
    """A guest's firmware gets an address on the NAT network."""
    lab, _ = start("lease", "system", 1)
    connection = reach(lab, "alpha")
    card = "<interface type='network'><source network='default'/><model type='virtio'/></interface>"
    connection.createXML(domain_xml("asker", card, "<boot dev='network'/>"), 0)
    network = connection.networkLookupByName("default")
    began = time.monotonic()
    (lease,) = eventually(network.DHCPLeases, "a lease", 60.0)
    assert lease["ipaddr"].startswith("192.168.122.")
    seconds = took(began)
    connection.close()
    lab.stop()
    return {"figures": {"lease": seconds}}


def inside(backend: str) -> dict[str, Any]:
    """Programs run, and connections are opened, inside a host; neither hangs."""
    lab, _ = start("inside", backend)
    done = lab.run("beta", ["cat", "/etc/hostname", "-"], stdin=b"from outside\n")
    assert "from outside" in done.stdout
    done = lab.run("beta", ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (done.code, done.stdout, done.stderr) == (7, "out\n", "err\n")
    for words, part in (
        (["no-such-program-at-all"], "No such file"),
        (["sleep", "60"], "did not end within 0.2 s"),
    ):
        with refused(part):
            lab.run("beta", words, timeout_s=0.2)

    if backend == "system":
        # 16509 is not open anywhere; a listener of beta's own is reached from alpha by its name.
        listen = (
            "import socket; s = socket.create_server(('', 4321)); "
            "c, _ = s.accept(); c.sendall(b'hello from beta'); c.close()"
        )
        address = lab.run("beta", ["getent", "hosts", "beta"]).stdout.split()[0]
        host = "alpha"
    else:
        listen = (
            "import socket; s = socket.create_server(('127.0.0.1', 4321)); "
            "c, _ = s.accept(); c.sendall(b'hello from beta'); c.close()"
        )
        address, host = "127.0.0.1", "beta"
    server = threading.Thread(
        target=lab.run, args=("beta", ["python3", "-c", listen]), kwargs={"timeout_s": 20.0}
    )
    server.start()

    def answer() -> bytes | None:
        with contextlib.suppress(LabError), lab.dial(host, address, 4321, 5.0) as link:
            return link.recv(100)
        return None

    assert eventually(answer, "the listener in beta") == b"hello from beta"
    server.join(20)
    with refused("refused"):
        lab.dial(host, address, 4322, 5.0)
    if backend == "system":
        networks = {lab.run(name, ["readlink", "/proc/self/ns/net"]).stdout for name in lab.names}
        networks.add(f"{Path('/proc/self/ns/net').readlink()}\n")
        assert len(networks) == 3
    lab.stop()
    return {}


def nonsense(backend: str) -> dict[str, Any]:
    """Whatever is said to the keeper, it answers or hangs up, and goes on."""
    lab, _ = start("nonsense", backend, 1)
    record = LabRecord.read(lab.status().folder / "lab.json")

    def say(text: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(f"{record.sockets}/keeper")
            with contextlib.suppress(BrokenPipeError):
                link.sendall(text)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := link.recv(65536):
                    answer += part
        return json.loads(answer) if answer else {}

    def ask(**question: Any) -> str:
        return str(say(json.dumps(question).encode() + b"\n").get("error"))

    for text in (b"\n", b"{\n", b"[]\n", b"7\n", b'{"op": []}\n', b"\xff\n"):
        assert say(text)["ok"] is False, text
    assert say(b"x" * 2_000_000) == {}
    assert "unknown operation 'dance'" in ask(op="dance")
    assert "no host 'omega'" in ask(op="daemon", host="omega", do="stop")
    assert "cannot be told to 'HUP'" in ask(op="daemon", host="alpha", do="HUP")
    assert "argv" in ask(op="exec", host="alpha")
    assert "not between" in ask(op="exec", host="alpha", argv=["true"], timeout_s=-1)
    assert "not a request" in ask(op="exec", host="alpha", argv=["true"], timeout_s="soon")
    assert "not a request" in ask(op="dial", host="alpha", address="::1", port="x")
    silent = [socket.socket(socket.AF_UNIX) for _ in range(400)]
    for link in silent:
        link.connect(f"{record.sockets}/keeper")
    assert lab.status().state == "running"
    for link in silent:
        link.close()
    assert lab.status().hosts[0].restarts == 0
    lab.stop()
    return {}


def _started_elsewhere(name: str, backend: str, *, ephemeral: bool) -> subprocess.Popen[str]:
    """Start a lab from another process, which then waits to be killed."""
    code = (
        "import sys, time; from labvirt.lab import Lab; "
        f"Lab.start({name!r}, 2, {backend!r}, ephemeral={ephemeral}); "
        "print('up', flush=True); time.sleep(300)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def _bury(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def starter_killed(backend: str) -> dict[str, Any]:
    """A lab outlives its starter, an ephemeral one does not."""
    process = _started_elsewhere("lasting", backend, ephemeral=False)
    lab = Lab.attach("lasting")
    reach(lab, "alpha").createXML(domain_xml("lasting"), 0)
    _bury(process)
    time.sleep(0.3)
    status = lab.status()
    assert (status.state, status.hosts[0].domains) == ("running", ("lasting",))
    lab.stop()

    process = _started_elsewhere("fleeting", backend, ephemeral=True)
    lab = Lab.attach("fleeting")
    reach(lab, "alpha").createXML(domain_xml("fleeting"), 0)
    began = time.monotonic()
    _bury(process)
    eventually(lambda: Lab.list() == (), "the lab to end with its starter")
    return {"figures": {"ephemeral lab gone": took(began)}}


def keeper_killed(backend: str) -> dict[str, Any]:
    """A lab without its keeper is called broken, and stop leaves nothing of it."""
    lab, _ = start("headless", backend)
    reach(lab, "alpha").createXML(domain_xml("orphan"), 0)
    keeper = Process.of(lab.status().keeper_pid)
    keeper.send(signal.SIGKILL)
    assert keeper.wait(5)

    def broken() -> Any:
        (status,) = Lab.list()
        return status.state == "broken" and status

    status = eventually(broken, "the lab to be called broken")
    assert "labvirt lab stop headless" in status.note
    if backend == "session":
        # Nobody keeps them, but they are there, and that is what is told.
        assert [host.state for host in status.hosts] == ["running", "running"]
        assert status.hosts[0].domains == ("orphan",)
        assert "run on" in status.note
    else:
        # They were in the keeper's pid namespace.
        assert eventually(
            lambda: {host.state for host in Lab.list()[0].hosts} == {"gone"},
            "the kernel to end them",
        )
    with refused("broken"):
        Lab.attach("headless")
    Lab.attach("headless", broken=True).stop()
    assert Lab.list() == ()

    # A start makes room for itself.
    lab, _ = start("headless", backend)
    Process.of(lab.status().keeper_pid).send(signal.SIGKILL)
    lab, _ = start("headless", backend)
    assert lab.status().state == "running"
    # A reset brings a broken one back.
    Process.of(lab.status().keeper_pid).send(signal.SIGKILL)
    lab = Lab.attach("headless", broken=True)
    lab.reset()
    assert lab.status().state == "running"
    lab.stop()
    return {}


def keeper_hangs(backend: str) -> dict[str, Any]:
    """A keeper that hangs is told from one that is gone; its lab can be stopped, not started over."""
    lab, _ = start("hanging", backend, 1)
    keeper = Process.of(lab.status().keeper_pid)
    keeper.send(signal.SIGSTOP)
    assert Lab.list()[0].state == "not answering"
    with refused("does not answer"):
        start("hanging", backend, 1)
    keeper.send(signal.SIGCONT)
    eventually(lambda: lab.status().state == "running", "the keeper to go on")
    keeper.send(signal.SIGTERM)
    assert keeper.wait(10)
    assert Lab.list() == ()
    return {}


def all_killed(backend: str) -> dict[str, Any]:
    """With everybody killed there are only files, and stop removes them."""
    lab, _ = start("massacre", backend)
    reach(lab, "alpha").createXML(domain_xml("victim"), 0)
    status = lab.status()
    victims = [Process.of(status.keeper_pid)]
    victims += [Process.of(host.daemon_pid) for host in status.hosts]
    for victim in victims:
        victim.send(signal.SIGKILL)
    for victim in victims:
        assert victim.wait(5)
    assert Lab.list()[0].state == "broken"
    Lab.attach("massacre", broken=True).stop()
    assert Lab.list() == ()
    return {}


def killed_while_starting(backend: str) -> dict[str, Any]:
    """A starter that dies in the middle leaves nothing, at whatever moment."""
    code = (
        "from labvirt.lab import Lab; say = lambda stage: print(stage, flush=True); say('begun'); "
        f"Lab.start('halfway', 2, {backend!r}, progress=say)"
    )
    seen = set()
    for turn in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(turn + 1):
            stage = process.stdout.readline()
        seen.add(stage)
        _bury(process)
        # Whatever came of it, it is told truly and can be stopped or started.
        deadline = time.monotonic() + 10
        while (found := Lab.list()) and found[0].state == "starting":
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        if Lab.list():
            Lab.attach("halfway", broken=True).stop()
    assert Lab.list() == ()
    assert len(seen) == 4, seen
    return {}


def interrupted(backend: str) -> dict[str, Any]:
    """An interrupt while a lab starts leaves nothing."""
    for delay_s in (0.05, 0.12, 0.2):
        timer = threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        came_up: list[str] = []
        try:
            Lab.start("interrupted", 2, backend, progress=came_up.append)
            came_up.clear()
            time.sleep(2)
        except KeyboardInterrupt:
            timer.join()
        if came_up:
            # Interrupted on the way: nothing is left, or the lab had just come up.
            assert {status.state for status in Lab.list()} <= {"running"}
        clean_up()
    return {}


def folder_removed(backend: str) -> dict[str, Any]:
    """A lab whose folder somebody removed ends by itself: nobody could find it again."""
    lab, _ = start("lost", backend, 1)
    keeper = Process.of(lab.status().keeper_pid)
    (lab.status().folder / "lab.json").unlink()
    assert Lab.list()[0].state == "broken"
    assert keeper.wait(12)
    eventually(lambda: Lab.list() == (), "the folder to go")
    return {}


def hosts(backend: str) -> dict[str, Any]:
    """`lab[...]` is a Host with all that is known of it."""
    with Lab.start("opened", 2, backend) as lab:
        alpha, beta = lab
        assert lab["alpha"] is alpha
        assert lab.hosts == (alpha, beta)
        facts = alpha.facts
        assert (facts.name, facts.lab, facts.default_pool) == ("alpha", "opened", "shared")
        assert facts.default_interface.kind == ("network" if backend == "system" else "user")
        assert (facts.migrate_uri is None) == (backend == "system")
        assert facts.virt in {"kvm", "qemu"}
        for folder in (*facts.shared_folders, facts.media_folder, facts.serial_folder):
            assert folder.is_dir()
        assert list(alpha.domains) == []
        assert lab.wire.kind == ("network" if backend == "system" else "mcast")
        assert all(limit.what and limit.why for limit in lab.limits)
        limits = [str(limit) for limit in lab.limits]
        with refused("alpha, beta"):
            lab["gamma"]
    assert Lab.list() == ()
    return {"limits": limits, "data": str(facts.media_folder.parent)}


def nothing_allowed() -> dict[str, Any]:
    """Where no back end is possible the reasons are told, and nothing is left."""
    try:
        Lab.start("nowhere", 2)
    except LabError as error:
        return {"what": error.what, "hint": error.hint, "left": len(Lab.list())}
    raise AssertionError("a lab started")


def choose() -> dict[str, Any]:
    """What `auto` takes here, and what it says of the rest."""
    with Lab.start("auto", 1) as lab:
        return {
            "backend": lab.backend,
            "limits": [[limit.what, limit.why, limit.remedy] for limit in lab.limits],
        }


if __name__ == "__main__":
    found = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps(found))
