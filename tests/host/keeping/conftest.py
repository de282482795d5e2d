"""Guests with one disk of data on both back ends, kept from test to test while they are clean."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

import pytest

import labvirt as lv
from labvirt.connection import volume as volumes
from labvirt.errors import ConflictError, LabError, LabvirtError

_numbers = itertools.count(1)
SIZE_MIB = 8


class Guests:
    """Labs and guests, made when they are first asked for."""

    def __init__(self):
        self._labs = {}
        self._guests = {}

    def host(self, backend):
        if backend not in self._labs:
            name = f"keep-{backend[:3]}-{os.getpid()}"
            lab = lv.Lab.start(name, hosts=1, backend=backend, ephemeral=True)
            self._labs[backend] = lab
        lab = self._labs[backend]
        return lab[lab.names[0]]

    def guest(self, backend):
        if backend not in self._guests:
            self._guests[backend] = new_guest(self.host(backend))
        return self._guests[backend]

    def look(self, backend):
        """Keep the guest if it is as it was made; else make another one next time."""
        guest = self._guests[backend]
        if not is_clean(guest):
            del self._guests[backend]
            remove(guest)
        sweep(self.host(backend), {guest.name})

    def lab(self, backend):
        self.host(backend)
        return self._labs[backend]

    def close(self):
        for lab in self._labs.values():
            lab.stop()
            lab.close()


def new_guest(host, size_mib=SIZE_MIB, **options):
    spec = lv.DomainSpec(
        name=f"k{next(_numbers)}",
        memory="128 MiB",
        source=lv.TinyGuest(),
        interfaces=(),
        disks=(lv.DiskSpec(size=f"{size_mib} MiB"),),
        **options,
    )
    guest = host.plan(spec).apply()
    guest.wait_for("agent", timeout_s=90)
    guest.home = guest.chain("vda").top.path
    return guest


def is_clean(guest):
    try:
        return (
            guest.agent_answers()
            and guest.chain("vda").paths == (guest.home,)
            and not len(guest.snapshots)
            and not len(guest.checkpoints)
            and guest.block_job("vda") is None
            and guest.info().persistent
        )
    except LabvirtError:
        return False


def remove(guest):
    if guest.is_active:
        guest.destroy(confirm=True)
    guest.undefine(
        managed_save=True, snapshots_metadata=True, checkpoints_metadata=True, confirm=True
    )


def sweep(host, but):
    """Remove the other domains, and every file that no domain uses."""
    for domain in list(host.domains):
        if domain.name not in but:
            remove(domain)
    for pool in host.pools:
        pool.refresh()
        for volume in pool.volumes:
            if volume.info().type == "file" and not host.users_of(volume.path):
                with contextlib.suppress(LabvirtError):
                    volumes.delete(host.connection, pool.uuid, volume.name)


@pytest.fixture(scope="session")
def guests():
    found = Guests()
    yield found
    found.close()


@pytest.fixture
def backend(request):
    """The back end: session, unless the test asks for others."""
    return getattr(request, "param", "session")


@pytest.fixture
def host(guests, backend):
    try:
        return guests.host(backend)
    except LabError as error:
        pytest.skip(f"the {backend} back end does not work here: {error.what.splitlines()[0]}")


@pytest.fixture
def guest(guests, host, backend):
    """A running guest whose disk vda is one file."""
    yield guests.guest(backend)
    guests.look(backend)


@pytest.fixture
def folder(host):
    """A folder that QEMU and the test can write to; a pool lies in it."""
    return Path(host.pools["shared" if "shared" in host.pools else "default"].info().path)


def _said(domain, command, timeout_s=60):
    try:
        done = domain.run(["/bin/sh", "-c", command], timeout_s=timeout_s)
    except ConflictError:
        # After a guest was brought back its agent is seen again a moment later.
        domain.wait_for("agent", timeout_s=30)
        done = domain.run(["/bin/sh", "-c", command], timeout_s=timeout_s)
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def said():
    """What a shell inside a guest says."""
    return _said


@pytest.fixture
def mark():
    """Write a word to the beginning of a disk, past the guest's cache."""

    def write(domain, text, disk="vda"):
        _said(domain, f"printf %-512s {text} | dd of=/dev/{disk} conv=fsync 2>/dev/null")

    return write


@pytest.fixture
def marked():
    """The word at the beginning of a disk, past the guest's cache."""

    def read(domain, disk="vda"):
        drop = "echo 3 > /proc/sys/vm/drop_caches"
        return _said(domain, f"{drop}; dd if=/dev/{disk} bs=512 count=1 2>/dev/null").strip()

    return read


@pytest.fixture
def fill():
    """Write random blocks into a disk and return the checksum that the guest sees."""

    def write(domain, disk="vda", *, seek_mib=0, count_mib=SIZE_MIB, timeout_s=60):
        _said(
            domain,
            f"dd if=/dev/urandom of=/dev/{disk} bs=1M count={count_mib} seek={seek_mib} "
            "conv=fsync 2>/dev/null",
            timeout_s,
        )
        return _checksum(domain, disk, timeout_s)

    return write


def _checksum(domain, disk="vda", timeout_s=60):
    drop = "echo 3 > /proc/sys/vm/drop_caches"
    return _said(domain, f"{drop}; sha256sum /dev/{disk}", timeout_s).split()[0]


@pytest.fixture
def checksum():
    """The checksum of a disk as the guest reads it, past its cache."""
    return _checksum
