"""Migrations of a real guest, whole and broken, each with evidence from inside the guest.

``python -m tests.bench migration_matrix [word ...]`` prints all of them, or those whose name holds
a word, as a table. The tests of `tests/host/migrating` run the same cases.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.table import Table

import labvirt as lv
from labvirt.connection import domain as calls
from labvirt.errors import LabError, LabvirtError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labvirt.host import Domain, Host

PATIENCE_S = 90.0
#: Slow enough that there is time to break something.
SLOW = {"bandwidth_mib_s": 4}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Case:
    """A migration: how, what is broken, and how it must end.

    Attributes:
        name: what the table calls it.
        options: fields of `MigrationSpec`.
        ends: ``moved`` or ``stayed``.
        breaks: breaks something in the middle: (stage, job); None: nothing.
        error: a word of the error, when it must fail.
        disk: ``shared`` or ``local``.
        backend: of the lab.
        busy: the guest writes memory all the time.
        state: of the guest, afterwards.
        before: what is prepared.
        seconds: about how long it takes.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    ends: str = "moved"
    breaks: Callable[[Stage, Any], object] | None = None
    error: str = ""
    disk: str = "shared"
    backend: str = "session"
    busy: bool = False
    state: str = "running"
    before: Callable[[Stage], Any] | None = None
    seconds: int = 10


@dataclass(frozen=True)
class Row:
    """How a case went; `wrong` is empty when all is as it must be."""

    case: Case
    seconds: float
    downtime_ms: int | None
    outcome: str
    evidence: str
    wrong: str


class Stage:
    """Two hosts and a guest that counts and has data on a disk."""

    def __init__(self, lab: lv.Lab, disk: str = "shared") -> None:
        self.lab, self.disk = lab, disk
        hosts = tuple(lab)[:2]
        pool = {"pool": "default"} if disk == "local" else {}
        spec = lv.DomainSpec(
            name=f"mover-{disk}-{next(_numbers)}",
            memory="128 MiB",
            source=lv.TinyGuest(),
            interfaces=(),
            disks=(lv.DiskSpec(size="16 MiB", **pool),),
        )
        self.domain: Domain = hosts[0].plan(spec).apply()
        self.domain.wait_for("agent", timeout_s=PATIENCE_S)
        self.other: Host = hosts[1]
        self.sealed = self.shell(
            "dd if=/dev/urandom of=/dev/vda bs=1M count=8 2>/dev/null; sync; md5sum /dev/vda"
        )
        self.busy = False

    @property
    def here(self) -> Host:
        """The host where the guest is."""
        return self.domain.host

    def shell(self, line: str) -> str:
        """Run a line inside the guest."""
        return self.domain.run(["/bin/sh", "-c", line], timeout_s=60).stdout.strip()

    def proof(self) -> tuple[str, int, str]:
        """Ask inside the guest: which boot, how far it has counted, what is on the disk."""
        text = "echo 3 > /proc/sys/vm/drop_caches; cat /run/bootid /run/counter; md5sum /dev/vda"
        boot, count, checksum = self.shell(text).split(maxsplit=2)
        return boot, int(count), checksum

    def scribble(self, on: bool) -> None:
        """Let the guest write 24 MiB of memory over and over, or stop that."""
        if on == self.busy:
            return
        if on:
            loop = "while :; do dd if=/dev/urandom of=/tmp/x bs=1M count=24 2>/dev/null; done"
            line = (
                f"mkdir -p /tmp; mount -t tmpfs -o size=40m t /tmp; ({loop}) & echo $! >/run/loop"
            )
            self.domain.agent("guest-exec", path="/bin/sh", arg=["-c", line])
            time.sleep(1.0)
        else:
            self.shell("kill $(cat /run/loop); umount -l /tmp; true")
        self.busy = on

    def processes(self) -> list[psutil.Process]:
        """Return the guest's QEMU processes on all hosts."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if any(self.domain.uuid in word for word in words) and "qemu" in words[0]:
                found.append(process)
        return found

    def play(self, case: Case) -> Row:
        """Run a case; the guest is somewhere afterwards, whole."""
        self.scribble(case.busy)
        before = self.proof()
        undo = case.before(self) if case.before is not None else None
        try:
            return self._play(case, before)
        finally:
            if callable(undo):
                undo()

    def _play(self, case: Case, before: tuple[str, int, str]) -> Row:
        source, destination = self.here, self.other
        boot, count, checksum = before
        began = time.monotonic()
        error: LabvirtError | None = None
        result = None
        try:
            alone = getattr(case.breaks, "alone", False)
            job = None if alone else self.domain.migrate.job(destination, **case.options)
            if case.breaks is not None:
                case.breaks(self, job)
            result = job.result(PATIENCE_S) if job is not None else None
        except LabvirtError as failure:
            error = failure
        seconds = time.monotonic() - began
        downtime = result.downtime_ms if result is not None else None
        self._settle(source, destination)
        found = source_view = self.domain_at(source).whereabouts(destination)
        if found.where == "moved":
            self.domain, self.other = destination.domains[self.domain.uuid], source
        wrong = _wrong(case, found, error)
        if found.recover and not wrong:
            wrong = f"something is left to do: {found.recover}"
        if not wrong:
            wrong = self._state(case)
        try:
            boot_now, count_now, checksum_now = self.proof()
        except LabvirtError as failure:
            # What comes next needs a guest that answers.
            return Row(case, seconds, downtime, found.where, "", wrong or f"silent: {failure.what}")
        if boot_now != boot or count_now <= count or checksum_now != checksum:
            wrong = wrong or f"{boot_now}/{boot}, {count_now}/{count}, {checksum_now}/{checksum}"
        if len(self.processes()) != 1:
            wrong = wrong or f"{len(self.processes())} processes"
        evidence = f"counter {count} -> {count_now}, disk {checksum_now[:8]}, {source_view.text}"
        told = type(error).__name__ if error is not None else "done"
        return Row(case, seconds, downtime, f"{found.where}, {told}", evidence, wrong)

    def domain_at(self, host: Host) -> Domain:
        """Return the handle of the guest on a host, also where it is no more."""
        from labvirt.host import Domain

        return Domain(host, self.domain.uuid, self.domain.name)

    def find(self) -> None:
        """Look where the guest is, after it was moved without this stage."""
        for host, other in ((self.here, self.other), (self.other, self.here)):
            if any(one.uuid == self.domain.uuid and one.is_active for one in host.domains):
                self.domain, self.other = host.domains[self.domain.uuid], other
                return

    def _state(self, case: Case) -> str:
        state = self.domain.state.text
        if state == "paused":
            self.domain.resume()
        return "" if state == case.state else f"it is {state}"

    def _settle(self, *hosts: Host) -> None:
        """Wait until daemons that were killed are back, and nothing moves any more."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(LabvirtError):
                for host in hosts:
                    host.connection.wait_link(10)
                found = self.domain_at(hosts[0]).whereabouts(hosts[1])
                if found.where in {"moved", "stayed"} and len(self.processes()) == 1:
                    return
            time.sleep(0.2)

    def remove(self) -> None:
        """Remove the guest and its disks."""
        uuid = self.domain.uuid
        for host in (self.here, self.other):
            if uuid not in {one.uuid for one in host.domains}:
                continue
            domain = host.domains[uuid]
            if domain.is_active:
                domain.destroy(confirm=True)
            domain.undefine(confirm=True)
        for host in (self.here, self.other):
            for pool in host.pools:
                if pool.info().is_active:
                    pool.refresh()
                    for volume in pool.volumes:
                        if volume.name.startswith(self.domain.name):
                            volume.delete(confirm=True)


def _wrong(case: Case, found: Any, error: LabvirtError | None) -> str:
    if found.where != case.ends:
        return f"{found.where} instead of {case.ends}: {error}"
    if case.error and case.error not in f"{type(error).__name__} {error}":
        return f"{case.error!r} is not told: {error!r}"
    if not case.error and error is not None:
        return str(error)
    return ""


# what is broken -----------------------------------------------------------------------------------


def under_way(stage: Stage, job: Any, phase: str = "precopy") -> None:
    """Wait until memory is sent."""
    until = time.monotonic() + 30
    while time.monotonic() < until and not job.done():
        track = stage.domain.migration
        last = track.last if track is not None else None
        if last is None or last.phase != phase:
            pass
        elif phase == "setup" or last.processed_bytes > 0:
            return
        time.sleep(0.05)


def kill_destination_qemu(stage: Stage, job: Any) -> None:
    under_way(stage, job)
    for process in stage.processes():
        if "-incoming" in process.cmdline():
            # The source has such a word too, when it came by a migration itself.
            newest = max(stage.processes(), key=lambda each: each.create_time())
            newest.kill()
            return


def kill_destination_daemon(stage: Stage, job: Any) -> None:
    under_way(stage, job)
    stage.lab.daemon(stage.other.name, "KILL")


def kill_source_daemon(stage: Stage, job: Any) -> None:
    under_way(stage, job)
    stage.lab.daemon(stage.here.name, "KILL")


def kill_client(stage: Stage, **options: Any) -> None:
    """Migrate by another process, kill that in the middle, and open the source anew."""
    code = f"""
import labvirt as lv
lab = lv.Lab.attach({stage.lab.name!r})
guest = lab[{stage.here.name!r}].domains[{stage.domain.name!r}]
job = guest.migrate.job(lab[{stage.other.name!r}], **{options!r})
job.listen(lambda progress: print(progress.stage, flush=True))
job.result()
"""
    before = _volumes(stage)
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "round" in line or "MiB left" in line:
                break
        process.kill()
    host = stage.lab.open(stage.here.name)
    try:
        told = [str(each) for each in host.recovered]
    finally:
        host.close()
    assert _volumes(stage) == before
    raise LabvirtError(f"client killed; {told}")


def _volumes(stage: Stage) -> set[str]:
    pool = stage.other.pools["default"]
    pool.refresh()
    return {name for name in pool.volumes.names if name.startswith(stage.domain.name)}


def client(**options: Any) -> Callable[[Stage, Any], None]:
    """Let another process migrate, and kill it."""

    def act(stage: Stage, _job: Any) -> None:
        kill_client(stage, **options)

    act.alone = True  # type: ignore[attr-defined]
    return act


def cut_network(stage: Stage, job: Any) -> None:
    under_way(stage, job)
    down = stage.lab.run(stage.other.name, ["ip", "link", "set", "eth0", "down"])
    assert down.code == 0, down


def mend_network(stage: Stage) -> Callable[[], None]:
    hosts = (stage.here.name, stage.other.name)

    def mend() -> None:
        for host in hosts:
            stage.lab.run(host, ["ip", "link", "set", "eth0", "up"])

    return mend


def cancel_after(seconds: float) -> Callable[[Stage, Any], None]:
    def act(stage: Stage, job: Any) -> None:
        time.sleep(seconds)
        job.cancel()

    return act


def switch(stage: Stage, job: Any) -> None:
    under_way(stage, job)
    stage.domain.switch_to_postcopy()


def break_postcopy(stage: Stage, job: Any) -> None:
    """Cut a migration off after the switch, see what is told, and go on."""
    switch(stage, job)
    time.sleep(1.5)
    calls.abort_job(stage.here.connection, stage.domain.uuid, postcopy=True)
    with contextlib.suppress(LabvirtError):
        job.result(PATIENCE_S)
    found = stage.domain.whereabouts(stage.other)
    assert found.where == "split", found.text
    assert "--postcopy-resume" in found.recover[0]
    stage.domain.resume_postcopy(stage.other)
    raise LabvirtError("cut off after the switch, resumed")


def take_name(stage: Stage) -> Callable[[], None]:
    spec = lv.DomainSpec(name=stage.domain.name, memory="32 MiB", interfaces=(), agent=False)
    other = stage.other.plan(spec, start=False).apply()
    return lambda: other.undefine(confirm=True)


def suspend(stage: Stage) -> None:
    stage.domain.suspend()


def small_pool(size: str, *, fill: bool) -> Callable[[Stage], Callable[[], None]]:
    """A pool of the destination on a small file system."""

    def make(stage: Stage) -> Callable[[], None]:
        folder = tempfile.mkdtemp(prefix="lvt-small-")
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "t", folder], check=True
        )
        from labvirt.model import PoolSpec

        pool = stage.other.plan(PoolSpec(name="small", kind="dir", path=folder)).apply()
        filler = Path(folder, "filler")
        stage.filler = filler if fill else None  # type: ignore[attr-defined]

        def remove() -> None:
            pool.stop()
            pool.undefine()
            subprocess.run(["umount", "-l", folder], check=True)
            Path(folder).rmdir()

        return remove

    return make


def fill_pool(stage: Stage, job: Any) -> None:
    """Somebody else takes the room while the disk is copied."""
    with contextlib.suppress(OSError), stage.filler.open("wb") as file:  # type: ignore[attr-defined]
        while True:
            file.write(bytes(1 << 16))


@functools.cache
def certificates() -> Path:
    """Return a folder with an authority and a certificate for ``localhost``."""
    folder = Path(tempfile.mkdtemp(prefix="lvt-pki-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    ca = "-CA ca-cert.pem -CAkey ca.key -CAcreateserial -days 2"
    (folder / "one.ext").write_text("subjectAltName=DNS:localhost\n")
    for line in (
        f"req -x509 {ec} -subj /CN=lab -keyout ca.key -out ca-cert.pem",
        f"req {ec} -subj /CN=localhost -keyout server-key.pem -out one.csr",
        f"x509 -req -in one.csr {ca} -extfile one.ext -out server-cert.pem",
    ):
        command = ["openssl", *line.split()]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    for kind in ("key", "cert"):
        shutil.copy(folder / f"server-{kind}.pem", folder / f"client-{kind}.pem")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def with_tls(stage: Stage) -> None:
    """Give both daemons a certificate; once."""
    if getattr(stage.lab, "has_tls", False):
        return
    line = f'migrate_tls_x509_cert_dir = "{certificates()}"\n'
    conf = "cat >> ${XDG_CONFIG_HOME:-/etc}/libvirt/qemu.conf"
    for host in stage.lab.names:
        done = stage.lab.run(host, ["/bin/sh", "-c", conf], stdin=line.encode())
        assert done.code == 0, done
        stage.lab.daemon(host, "stop")
        stage.lab.daemon(host, "start")
        stage.lab[host].connection.wait_link(20)
    stage.lab.has_tls = True  # type: ignore[attr-defined]


@contextlib.contextmanager
def other_certificate(**changes: Any) -> Iterator[None]:
    """Put another server certificate in the place of the good one for a while."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    folder = certificates()
    good = (folder / "server-cert.pem").read_bytes()
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    old = x509.load_pem_x509_certificate(good)
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now - dt.timedelta(days=changes["ended_days"]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )
    (folder / "server-cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    try:
        yield
    finally:
        (folder / "server-cert.pem").write_bytes(good)


def expired(stage: Stage) -> Callable[[], None]:
    """Let the certificate of the destination have ended a day ago."""
    with_tls(stage)
    stack = contextlib.ExitStack()
    stack.enter_context(other_certificate(ended_days=1))
    return stack.close


@contextlib.contextmanager
def stranger() -> Iterator[int]:
    """Run an sshd whose host key nobody knows; gives its port."""
    path = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise LabError("no sshd on this machine (openssh-server)")
    folder = Path(tempfile.mkdtemp(prefix="lvt-sshd-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    try:
        key = folder / "key"
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(make, check=True)
        (folder / "config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nUsePAM no\nPidFile none\n"
        )
        with contextlib.suppress(OSError):  # what root's sshd wants
            Path("/run/sshd").mkdir(exist_ok=True)
        process = subprocess.Popen([path, "-D", "-f", str(folder / "config")])
        try:
            time.sleep(0.3)
            yield port
        finally:
            process.terminate()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refused(to: Callable[[Stage, contextlib.ExitStack], Host], **options: Any) -> Any:
    """Migrate the guest to where it cannot go."""

    def act(stage: Stage, _job: Any) -> None:
        with contextlib.ExitStack() as stack:
            stage.domain.migrate(to(stage, stack), timeout_s=20.0, **options)

    act.alone = True  # type: ignore[attr-defined]
    return act


def unknown_key(stage: Stage, _job: Any) -> None:
    """Let the source's daemon go by ssh to a host whose key it does not know."""
    with stranger() as port:
        uri = f"qemu+ssh://127.0.0.1:{port}/session?no_tty=1"
        stage.domain.migrate(stage.other, mode="p2p", peer_uri=uri, timeout_s=20.0)


unknown_key.alone = True  # type: ignore[attr-defined]


def other_guest(**fields: Any) -> Callable[[Stage, contextlib.ExitStack], Domain]:
    """Return what makes a second guest on the source, for what the first one lacks."""

    def make(stage: Stage, stack: contextlib.ExitStack) -> Domain:
        spec = lv.DomainSpec(
            name=f"second-{next(_numbers)}",
            memory="32 MiB",
            agent=False,
            rng=False,
            **{"interfaces": (), **fields},
        )
        second = stage.here.plan(spec).apply()
        pool = stage.here.pools["default"]
        pool.refresh()
        second_disks = [each for each in pool.volumes if each.name.startswith(second.name)]

        def remove() -> None:
            if second.is_active:
                second.destroy(confirm=True)
            second.undefine(confirm=True)
            for disk in second_disks:
                disk.delete(confirm=True)

        stack.callback(remove)
        return second

    return make


def second_refused(
    made: Callable[[Stage, contextlib.ExitStack], Domain],
    prepare: Callable[[Stage, contextlib.ExitStack, Domain], object] = lambda *_: None,
    **options: Any,
) -> Any:
    """Migrate a second guest, which cannot go; it must run on where it is."""

    def act(stage: Stage, _job: Any) -> None:
        with contextlib.ExitStack() as stack:
            second = made(stage, stack)
            prepare(stage, stack, second)
            try:
                second.migrate(stage.other, timeout_s=20.0, **options)
            finally:
                assert second.state.text == "running"
                assert second.name not in stage.other.domains

    act.alone = True  # type: ignore[attr-defined]
    return act


def lonely_network(stage: Stage, stack: contextlib.ExitStack) -> Domain:
    """A guest on a network that only the source has."""
    from labvirt.model import InterfaceSpec, NetworkSpec

    name = f"lonely{next(_numbers)}"
    network = stage.here.plan(NetworkSpec(name=name, forward="isolated"), autostart=False).apply()

    def remove() -> None:
        network.stop(confirm=True)
        network.undefine(confirm=True)

    stack.callback(remove)
    return other_guest(interfaces=(InterfaceSpec(source=name),))(stage, stack)


def small_volume(stage: Stage, stack: contextlib.ExitStack, second: Domain) -> None:
    """Put a smaller volume of the same name on the destination."""
    from labvirt.model import VolumeSpec

    name = f"{second.name}-vda.qcow2"
    volume = stage.other.pools["default"].plan(VolumeSpec(name=name, capacity="1 MiB")).apply()
    stack.callback(lambda: volume.delete(confirm=True))


def stopped_daemon(stage: Stage, _job: Any) -> None:
    """Migrate while the destination's daemon is stopped."""
    name = stage.other.name
    stage.lab.daemon(name, "stop")
    try:
        stage.domain.migrate(stage.other, timeout_s=15.0)
    finally:
        stage.lab.daemon(name, "start")
        stage.other.connection.wait_link(20)


stopped_daemon.alone = True  # type: ignore[attr-defined]


# the cases ----------------------------------------------------------------------------------------

TCP = {"migrate_uri": "tcp://127.0.0.1"}
COPY = {"storage": "copy", "pool": "default", "confirm": True}

VARIANTS = (
    Case("live, direct"),
    Case("not live", {"live": False}),
    Case("paused guest", state="paused", before=suspend, options={"live": False}),
    Case("left paused there", {"paused": True}, state="paused"),
    Case("p2p", {"mode": "p2p"}),
    Case("tunnelled", {"mode": "tunnelled"}),
    Case("explicit tcp", TCP),
    Case("p2p, tcp", {"mode": "p2p", **TCP}),
    Case("multifd, 2 connections", {"parallel": 2}),
    Case("xbzrle", {"compression": "xbzrle"}),
    Case("bandwidth 20 MiB/s", {"bandwidth_mib_s": 20}),
    Case("renamed", {"rename": "moved-and-renamed"}),
    Case("transient there", {"persist": False, "undefine_source": False}),
    Case("auto-converge, busy",
         {"auto_converge": True, "throttle_initial": 60, "throttle_increment": 30,
          "bandwidth_mib_s": 20, "max_downtime_ms": 1000}, busy=True, seconds=40),
    Case("time-out: suspend, busy",
         {"on_timeout": "suspend", "timeout_s": 8.0, "bandwidth_mib_s": 12}, busy=True, seconds=25),
    Case("TLS", {"tls": True, "tls_name": "localhost"}, before=with_tls),
    Case("TLS, multifd", {"tls": True, "tls_name": "localhost", "parallel": 2}, before=with_tls),
    Case("disks copied, made before", COPY, disk="local"),
    Case("disks copied, tcp", COPY | TCP, disk="local"),
    Case("disks copied, p2p", COPY | {"mode": "p2p"}, disk="local"),
    Case("disks copied, TLS, tcp", COPY | TCP | {"tls": True, "tls_name": "localhost"},
         disk="local", before=with_tls),
    Case("system: automatic URI", backend="system"),
    Case("system: p2p", {"mode": "p2p"}, backend="system"),
    Case("system: tunnelled", {"mode": "tunnelled"}, backend="system"),
    Case("system: post-copy, switched by hand, busy",
         {"postcopy": True, "bandwidth_mib_s": 16}, breaks=switch, backend="system", busy=True,
         seconds=20),
    Case("system: post-copy after 1 s, busy",
         {"postcopy": True, "postcopy_after_s": 1.0, "bandwidth_mib_s": 16}, backend="system",
         busy=True, seconds=20),
    Case("system: post-copy on time-out, busy",
         {"postcopy": True, "on_timeout": "postcopy", "timeout_s": 3.0, "bandwidth_mib_s": 16},
         backend="system", busy=True, seconds=20),
    Case("system: post-copy cut off, resumed",
         {"postcopy": True, "bandwidth_mib_s": 8}, breaks=break_postcopy, backend="system",
         error="resumed", seconds=30),
)  # fmt: skip

FAULTS = (
    Case("mt compression, which corrupts", {"compression": "mt"}, "stayed", None, "can corrupt"),
    Case("zstd, which libvirt 9.0 lacks", {"parallel": 2, "compression": "zstd"}, "stayed", None,
         "UnsupportedError"),
    Case("disks copied, TLS, by unix sockets", COPY | {"tls": True, "tls_name": "localhost"},
         "stayed", None, "UnsupportedError", disk="local", before=with_tls),
    Case("destination QEMU killed", SLOW, "stayed", kill_destination_qemu, "HostError"),
    Case("destination QEMU killed, p2p", SLOW | {"mode": "p2p"}, "stayed", kill_destination_qemu,
         "HostError"),
    Case("destination daemon killed, direct", {"bandwidth_mib_s": 16}, "stayed",
         kill_destination_daemon, "Error", seconds=20),
    Case("destination daemon killed, p2p", SLOW | {"mode": "p2p"}, "stayed",
         kill_destination_daemon, "Error", seconds=15),
    Case("source daemon killed", SLOW, "stayed", kill_source_daemon, "Error", seconds=15),
    Case("client killed, direct", SLOW, "stayed", client(**SLOW), "client killed", seconds=15),
    Case("client killed, p2p", SLOW, "stayed", client(mode="p2p", **SLOW), "client killed",
         seconds=15),
    Case("client killed, disks copied", SLOW, "stayed", client(**COPY, **SLOW), "client killed",
         disk="local", seconds=15),
    Case("name taken", {}, "stayed", None, "has a domain", before=take_name),
    Case("same host", {}, "stayed", refused(lambda stage, _: stage.here), "same"),
    Case("wrong driver", {}, "stayed",
         refused(lambda _, stack: stack.enter_context(lv.connect("test:///default"))), "not QEMU"),
    Case("no permission: destination read-only", {}, "stayed",
         refused(lambda stage, stack: stack.enter_context(
             stage.lab.open(stage.other.name, readonly=True))), "read-only"),
    Case("destination daemon stopped", {}, "stayed", stopped_daemon, "no answer", seconds=20),
    Case("data address of nobody", {"migrate_uri": "tcp://192.0.2.1"}, "stayed", None, "192.0.2.1"),
    Case("unknown host key, p2p by ssh", {}, "stayed", unknown_key, "ost key"),
    Case("expired certificate", {"tls": True, "tls_name": "localhost"}, "stayed", None, "expired",
         before=expired),
    Case("system: missing network", {}, "stayed", second_refused(lonely_network), "PreconditionError",
         backend="system"),
    Case("disk absent there", {}, "stayed",
         second_refused(other_guest(disks=(lv.DiskSpec(size="2 MiB", pool="default"),))),
         "storage that both"),
    Case("disk there too small", {}, "stayed",
         second_refused(other_guest(disks=(lv.DiskSpec(size="2 MiB", pool="default"),)),
                        small_volume, **COPY), "too small"),
    Case("wrong certificate name", {"tls": True, "tls_name": "elsewhere"}, "stayed", None,
         "tls_name", before=with_tls),
    Case("time-out: abort, busy", SLOW | {"timeout_s": 3.0}, "stayed", None, "WaitTimeoutError",
         busy=True),
    Case("no space, seen before", {"storage": "copy", "pool": "small"}, "stayed", None,
         "of room", disk="local", before=small_pool("2m", fill=False)),
    Case("no space, while it is copied", {"storage": "copy", "pool": "small"},
         "stayed", fill_pool, "Error", disk="local", before=small_pool("9m", fill=True)),
    Case("system: network cut", {"bandwidth_mib_s": 4, "timeout_s": 6.0}, "stayed", cut_network,
         "WaitTimeoutError", backend="system", before=mend_network, seconds=25),
    Case("system: network cut, p2p", {"bandwidth_mib_s": 4, "timeout_s": 6.0, "mode": "p2p"},
         "stayed", cut_network, "WaitTimeoutError", backend="system", before=mend_network,
         seconds=25),
    *(
        Case(f"cancelled after {moment:g} s", {"bandwidth_mib_s": 16}, "stayed",
             cancel_after(moment), "CancelledError")
        for moment in (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.9, 1.3, 1.8, 2.4)
    ),
)  # fmt: skip

CASES = VARIANTS + FAULTS


@contextlib.contextmanager
def stages() -> Iterator[Callable[[Case], Stage]]:
    """Give the stage of a case; labs and guests are made when they are first needed."""
    with contextlib.ExitStack() as stack:
        made: dict[tuple[str, str], Stage] = {}
        labs: dict[str, lv.Lab] = {}

        def lab(backend: str) -> lv.Lab:
            if backend not in labs:
                name = f"moves-{backend}-{os.getpid()}"
                labs[backend] = stack.enter_context(
                    lv.Lab.start(name, hosts=2, backend=backend, ephemeral=True)  # type: ignore[arg-type]
                )
            return labs[backend]

        def stage(case: Case) -> Stage:
            key = (case.backend, case.disk)
            if key not in made:
                made[key] = Stage(lab(case.backend), case.disk)
            return made[key]

        yield stage


def show(words: list[str]) -> int:
    """Run the cases whose names hold a word, and print the table."""
    table = Table(title="Migrations: what was seen from inside the guest")
    for heading in ("Case", "Outcome", "Total s", "Downtime ms", "Evidence"):
        table.add_column(heading, justify="right" if heading[-1] == "s" else "left")
    bad = 0
    with stages() as stage:
        for case in CASES:
            if words and not any(word in case.name for word in words):
                continue
            try:
                row = stage(case).play(case)
            except LabError as error:
                table.add_row(case.name, "not here", "", "", error.what.splitlines()[0])
                continue
            bad += bool(row.wrong)
            downtime = "" if row.downtime_ms is None else str(row.downtime_ms)
            text = f"WRONG: {row.wrong}; {row.evidence}" if row.wrong else row.evidence
            table.add_row(case.name, row.outcome, f"{row.seconds:.2f}", downtime, text)
            Console(width=220, stderr=True).print(case.name, row.outcome, row.wrong or "ok")
    Console(width=190).print(table)
    return 1 if bad else 0
