"""A lab of two real session hosts for the tests of `host`, and domains to play with."""

from __future__ import annotations

import contextlib
import itertools
import os
import time

import pytest

import labvirt as lv
from labvirt.errors import ConflictError, LabvirtError

_numbers = itertools.count(1)


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


@pytest.fixture(autouse=True)
def nothing_left(request):
    """Remove the domains and volumes that a test made."""
    if "lab" not in request.fixturenames:
        yield
        return
    hosts = list(request.getfixturevalue("lab"))
    before = {host.name: set(host.domains.names) for host in hosts}
    volumes = {
        (host.name, pool.name): set(pool.volumes.names)
        for host in hosts
        for pool in host.pools
        if pool.info().is_active
    }
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
