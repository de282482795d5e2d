"""A lab of two real session hosts for the tests of `host`, and domains to play with."""

from __future__ import annotations

import contextlib
import itertools
import os
import time

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, LabError, LabvirtError
from labvirt.model import NetworkIp, NetworkSpec

_numbers = itertools.count(1)
#: The cards of the guest `web`: on its network, and on the wire between the hosts.
WEB = "52:54:00:00:0a:01"
FAR = "52:54:00:00:0b:01"


@pytest.fixture(scope="session")
def lab():
    with lv.Lab.start(f"host-{os.getpid()}", hosts=2, backend="session", ephemeral=True) as lab:
        yield lab


@pytest.fixture
def alpha(lab):
    return lab["alpha"]


@pytest.fixture
def beta(lab):
    return lab["beta"]


@pytest.fixture
def name():
    """A name that no other domain has."""
    return f"d{next(_numbers)}"


def remove(host, name):
    """Remove a domain and everything that belongs to it."""
    if name not in host.domains:
        return
    domain = host.domains[name]
    if domain.is_active:
        # It may end between the look and the call.
        with contextlib.suppress(ConflictError):
            domain.destroy(confirm=True)
    if name in host.domains:
        domain.undefine(managed_save=True, confirm=True)


def volumes_of(hosts):
    """Return the names of the volumes of each active pool, by host and pool."""
    found = {}
    for host in hosts:
        for pool in host.pools:
            if pool.info().is_active:
                # Hosts share a folder: one does not know yet what another has made in it.
                pool.refresh()
                found[host.name, pool.name] = set(pool.volumes.names)
    return found


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Remove the domains and volumes that a test made."""
    if "lab" not in request.fixturenames:
        yield
        return
    hosts = list(request.getfixturevalue("lab"))
    before = {host.name: set(host.domains.names) for host in hosts}
    volumes = volumes_of(hosts)
    yield
    for host in hosts:
        for name in set(host.domains.names) - before[host.name]:
            remove(host, name)
        for pool in host.pools:
            if not pool.info().is_active:
                continue
            pool.refresh()
            known = volumes.get((host.name, pool.name), set())
            for volume in pool.volumes:
                if volume.name not in known:
                    from labvirt.connection import volume as calls

                    calls.delete(host.connection, pool.uuid, volume.name)


@pytest.fixture
def spec(name):
    """A domain without a system: it runs in 0.3 s, and its firmware finds nothing to boot."""
    return lv.DomainSpec(
        name=name,
        memory="32 MiB",
        interfaces=(),
        agent=False,
        rng=False,
        graphics=lv.GraphicsSpec(kind="vnc", listen="none"),
    )


@pytest.fixture
def blank(alpha, spec):
    """A running domain without a system."""
    return alpha.plan(spec).apply()


@pytest.fixture(scope="session")
def tiny(lab):
    """A running tiny guest that answers; tests leave it as it is, but may move it."""
    domain = (
        lab["alpha"]
        .plan(lv.DomainSpec(name="tiny", memory="128 MiB", source=lv.TinyGuest()))
        .apply()
    )
    domain.wait_for("agent", timeout_s=90)
    return domain


@pytest.fixture(scope="session")
def disked(lab):
    """A running tiny guest with two processors and a disk; tests leave it running."""
    spec = lv.DomainSpec(
        name="disked",
        memory="128 MiB",
        source=lv.TinyGuest(),
        vcpus=2,
        disks=(lv.DiskSpec(size="64 MiB"),),
    )
    domain = lab["alpha"].plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain


@pytest.fixture(scope="session")
def burning():
    """Let a guest burn CPU while a ``with`` block lasts."""

    @contextlib.contextmanager
    def burn(domain):
        loop = "while :; do :; done"
        pid = domain.agent("guest-exec", path="/bin/sh", arg=["-c", loop])["pid"]
        try:
            yield
        finally:
            domain.run(["/bin/sh", "-c", f"kill {pid}"], timeout_s=60)

    return burn


@pytest.fixture
def eventually():
    """Wait until a claim holds, and return what it gave."""

    def wait(claim, what, timeout_s=20.0):
        deadline = time.monotonic() + timeout_s
        last = None
        while time.monotonic() < deadline:
            try:
                last = claim()
            except LabvirtError as error:
                last = error
            else:
                if last:
                    return last
            time.sleep(0.05)
        raise AssertionError(f"waited {timeout_s} s for {what}; last: {last}")

    return wait


@pytest.fixture(scope="session")
def wide():
    """A lab of two system hosts, for what needs real bridges."""
    try:
        lab = lv.Lab.start(f"nets-{os.getpid()}", hosts=2, backend="system", ephemeral=True)
    except LabError as error:
        pytest.skip(f"the system back end does not work here: {error.what.splitlines()[0]}")
    with lab:
        yield lab
        lab.stop()


@pytest.fixture(scope="session")
def host(wide):
    return wide["alpha"]


@pytest.fixture(scope="session")
def lan(host):
    """A network with NAT, a reservation for the guest, and names."""
    spec = NetworkSpec(
        name="lan",
        stp=False,
        domain="lab.example",
        domain_local=True,
        ips=[
            NetworkIp(
                address="192.168.150.1/24",
                dhcp_start="192.168.150.100",
                dhcp_end="192.168.150.120",
                lease_s=600,
                hosts=[{"mac": WEB, "ip": "192.168.150.10", "name": "web1"}],
            ),
            "fd00:150::1/64",
        ],
        dns_hosts=[{"ip": "192.168.150.1", "names": ["gw"]}],
        portgroups=[{"name": "usual", "default": True}],
        dnsmasq_options=["dhcp-option=option:ntp-server,192.168.150.1"],
    )
    return host.plan(spec).apply()


@pytest.fixture(scope="session")
def web(host, lan):
    """A guest with a reserved address, and a second card on the wire between the hosts."""
    spec = lv.DomainSpec(
        name="web1",
        memory="128 MiB",
        source=lv.TinyGuest(),
        interfaces=[{"source": "lan", "mac": WEB}, {"source": "fabric", "mac": FAR}],
    )
    domain = host.plan(spec).apply()
    domain.wait_for("agent", timeout_s=90)
    return domain
