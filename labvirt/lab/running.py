"""A lab while it runs: brought up, served, taken down.

In a system lab this is process 1 of the lab's pid namespace: when it ends, by whatever signal,
the kernel ends all others. In a session lab it is their subreaper.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from labvirt.lab import locks, wire
from labvirt.lab.capabilities import CapabilityCache
from labvirt.lab.control import SOCKET_NAME, ControlServer
from labvirt.lab.daemon import Daemon
from labvirt.lab.loop import Loop
from labvirt.lab.processes import descendants, kill_all
from labvirt.lab.records import OUTCOME_FILE, RECORD_FILE, LabRecord, Outcome
from labvirt.lab.refusal import Failure, StarterGoneError, tail

if TYPE_CHECKING:
    from labvirt.lab.backend import Backend
    from labvirt.lab.records import Limit
    from labvirt.lab.report import Reporter

__all__ = ["RunningLab"]

_ANSWER_LIMIT_S, _PROBE_LIMIT_S, _KILL_LIMIT_S = 20.0, 60.0, 8.0
_LOCK_LIMIT_S = 0.5
_STEP_S, _PING_S, _LOOK_S = 0.002, 0.1, 2.0


class RunningLab:
    """A lab, seen by its keeper.

    Args:
        record: what was asked for.
        backend: the way its hosts are run, prepared.
        reporter: the line to the starter.
        refused: what kept other back ends from being chosen.
    """

    def __init__(
        self,
        record: LabRecord,
        backend: Backend,
        reporter: Reporter,
        refused: tuple[Limit, ...],
    ) -> None:
        self.record = record
        self.backend = backend
        self._reporter = reporter
        self._refused = refused
        self._lock: int | None = None
        self.stopper_has_lock = False
        self.loop = Loop(self._child_ended)
        self.daemons = {host.name: Daemon(host, backend, self.loop) for host in record.hosts}
        kind = f"{backend.name}/{backend.rootless}/{record.uid}/{backend.kvm()}"
        self._cache = CapabilityCache(Path(record.capabilities), kind, backend.libvirtd)

    # The life of a lab.

    def run(self, lock: int) -> None:
        """Bring the lab up, serve, and leave nothing behind.

        Args:
            lock: descriptor that keeps other commands from this lab until it is up.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _end)
        server = None
        self._lock = lock
        try:
            outcome = self.bring_up()
            outcome.write(Path(self.record.folder, OUTCOME_FILE))
            server = ControlServer(self, Path(self.record.sockets, SOCKET_NAME))
            self._reporter.say(ready=True)
            os.close(lock)
            self._lock = None
            self._depend_on_starter()
            self._watch_record()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda *_: self.loop.stop())
            self.loop.run()
        except StarterGoneError:
            print("the starter ended before the lab was up", flush=True)  # noqa: T201 - the keeper's log
        except Failure as failure:
            self._reporter.say(failed=failure.what, hint=failure.hint, log=failure.log)
        except Exception as error:  # noqa: BLE001 - the starter is told what the log would say
            self._reporter.say(failed=f"the keeper failed: {error!r}", log=traceback.format_exc())
        finally:
            if server is not None:
                server.close()
            self.take_down()
            self._remove_all()
            self.loop.close()

    def _depend_on_starter(self) -> None:
        """End with the starter when the lab is ephemeral, else forget about it."""
        if not self.record.ephemeral:
            self._reporter.hang_up()
            return
        for fd in self._reporter.handles:
            self.loop.add(fd, self.loop.stop)

    def _watch_record(self) -> None:
        """End when the lab's record was removed behind our back: nobody could find us again."""
        if not self._is_ours():
            self.loop.stop()
        self.loop.later(_LOOK_S, self._watch_record)

    def bring_up(self) -> Outcome:
        """Build all hosts and wait until every libvirtd answers.

        Raises:
            Failure: a stage failed or took too long.
            StarterGoneError: nobody waits for it any more.
        """
        report = self._reporter
        report.stage(f"building {len(self.record.hosts)} hosts ({self.backend.name})")
        try:
            self.backend.build()
            for host in self.record.hosts:
                self._cache.seed(self.backend.capabilities(host))
                self.backend.give(self.backend.folder(host))
            for daemon in self.daemons.values():
                daemon.start()
        except OSError as error:
            raise Failure(
                f"the hosts of lab {self.record.name} cannot be built: {error}",
                hint="see the reason; backend='session' needs least" if self._is_system else "",
            ) from error
        report.done("build")
        limits = (*self._refused, *self.backend.limits())
        report.stage("waiting for libvirtd to answer")
        for name in self.daemons:
            self._await_answer(name)
        report.done("answer")
        self._await_capabilities()
        report.done("capabilities")
        return Outcome(
            backend=self.backend.name,
            rootless=self.backend.rootless,
            data=str(self.backend.data),
            uris={host.name: self.backend.uri(host) for host in self.record.hosts},
            kvm=self.backend.kvm(),
            limits=limits,
            seconds=report.seconds,
        )

    def take_down(self) -> None:
        """Kill all that runs in the lab and let its namespaces go."""
        for daemon in self.daemons.values():
            daemon.forget()
        deadline = time.monotonic() + _KILL_LIMIT_S
        while (victims := descendants(os.getpid())) and time.monotonic() < deadline:
            # Whoever is killed may just have started somebody else, so look again.
            kill_all(victims, timeout_s=0.0)
            self.loop.reap()
            time.sleep(_STEP_S)
        self.loop.reap()
        self.backend.demolish()

    def reset(self) -> None:
        """Throw away all domains, networks, pools and files, and build the hosts anew.

        Raises:
            Failure: the hosts did not come back.
        """
        self.take_down()
        self.backend.unfurnish()
        outcome = self.bring_up()
        outcome.write(Path(self.record.folder, OUTCOME_FILE))

    def _remove_all(self) -> None:
        """Remove the lab's folders, and its lock unless another command is busy with the lab."""
        for folder in (self.record.sockets, self.record.spare_folder):
            shutil.rmtree(folder, ignore_errors=True)
        home = Path(self.record.folder)
        deadline = time.monotonic() + _LOCK_LIMIT_S
        with contextlib.suppress(OSError):
            while self._lock is None and not self.stopper_has_lock and time.monotonic() < deadline:
                # Whoever lists labs looks at the lock for a moment.
                self._lock = locks.take(home)
                time.sleep(_STEP_S)
        # Without record and lock it may be the folder of another lab that is just being made.
        if self._is_ours() or (self._lock is not None and not (home / RECORD_FILE).exists()):
            shutil.rmtree(home, ignore_errors=True)
        if self._lock is not None:
            locks.release(home, self._lock)

    def _is_ours(self) -> bool:
        """Tell whether the record in the lab's folder is the one this keeper was started with."""
        try:
            return LabRecord.read(Path(self.record.folder, RECORD_FILE)).id == self.record.id
        except (OSError, ValueError):
            return False

    # Stages of the start.

    @property
    def _is_system(self) -> bool:
        return self.backend.name == "system"

    def _child_ended(self, pid: int) -> None:
        for daemon in self.daemons.values():
            if daemon.pid == pid:
                daemon.exited()

    def _await_answer(self, name: str) -> None:
        """Wait until one libvirtd serves calls: its drivers, networks and pools are up then."""
        daemon = self.daemons[name]
        path, log = self.backend.socket(daemon.host), self.backend.log(daemon.host)
        deadline = time.monotonic() + _ANSWER_LIMIT_S
        pid = daemon.pid
        while time.monotonic() < deadline:
            self._reporter.check(_STEP_S)
            self.loop.reap()
            if daemon.pid != pid:
                daemon.forget()
                raise Failure(
                    f"libvirtd of host {name} ended at once",
                    hint="the log names the reason",
                    log=tail(log),
                )
            if path.exists() and wire.answers(str(path), _PING_S):
                return
        raise Failure(
            f"libvirtd of host {name} did not answer within {_ANSWER_LIMIT_S:g} s",
            hint="an overloaded machine; look for a hanging program of libvirtd with ps",
            log=tail(log),
        )

    def _await_capabilities(self) -> None:
        """Let one libvirtd find out what QEMU can do, and tell the others what it found."""
        first, *others = self.record.hosts
        is_cold = self._cache.is_empty
        if is_cold:
            self._reporter.stage("probing QEMU, which takes some seconds the first time")
        self._probe(first.name)
        self._cache.harvest(self.backend.capabilities(first))
        for host in others:
            if is_cold:
                self._cache.seed(self.backend.capabilities(host))
                self.backend.give(self.backend.capabilities(host))
            self._probe(host.name)

    def _probe(self, name: str) -> None:
        host = self.daemons[name].host
        path, uri = str(self.backend.socket(host)), f"qemu:///{self.backend.name}"
        # In a thread, because libvirtd waits for the QEMUs it probes to be reaped, by us.
        with ThreadPoolExecutor(max_workers=1) as worker:
            asked = worker.submit(wire.ask_capabilities, path, uri, _PROBE_LIMIT_S)
            while not asked.done():
                self._reporter.check(_STEP_S)
                self.loop.reap()
        try:
            asked.result()
        except OSError as error:
            raise Failure(
                f"libvirtd of host {name} did not tell its capabilities: {error}",
                hint="qemu-system-x86_64 -version must work; an overloaded machine needs longer",
                log=tail(self.backend.log(host)),
            ) from error


def _end(*_: object) -> NoReturn:
    raise StarterGoneError
