"""A network of two addresses with a guest on it, and a shell on their host."""

from __future__ import annotations

import pytest

import labvirt as lv
from labvirt.model import NetworkSpec
from tests.doctor.net.breaking import CARD


@pytest.fixture(scope="session")
def net(system):
    """A network of two addresses, with a guest that has one of them."""
    spec = NetworkSpec(
        name="small",
        stp=False,
        bridge="lvsmall",
        ips=[{"address": "192.168.177.1/24", "dhcp_start": "192.168.177.10",
              "dhcp_end": "192.168.177.11"}],
    )  # fmt: skip
    network = system.plan(spec).apply()
    yield network
    network.undefine(stop=True, confirm=True)


@pytest.fixture(scope="session")
def guest(system, net):
    """A tiny guest with a lease of `net`, and a second card on the wire between hosts."""
    spec = lv.DomainSpec(
        name="nets",
        memory="128 MiB",
        source=lv.TinyGuest(),
        interfaces=[{"source": "small", "mac": CARD}, {"source": "fabric"}],
    )
    domain = system.plan(spec).apply()
    domain.wait_for("network", timeout_s=90)
    yield domain
    domain.destroy(confirm=True)
    domain.undefine(confirm=True)


@pytest.fixture
def shell(system):
    """Run a line where the daemon of the host runs."""

    def run(line):
        code, out, err = system.facts.run(["sh", "-c", line], 20.0)
        assert code == 0, (line, err)
        return out

    return run
