"""What can be seen and done inside a guest: agent, console, screen, keys, addresses."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labvirt.connection import domain as calls
from labvirt.errors import HostError, LabvirtError, SpecError, WaitTimeoutError
from labvirt.host.console import open_script
from labvirt.host.display import open_screen
from labvirt.host.handle import DomainHandle, python_call
from labvirt.host.networks.addressing import Addresses, find_addresses, reachable
from labvirt.model.arguments import HostFile, Wait, checked
from labvirt.plan import Plan, verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from socket import socket

    from labvirt.connection import Connection
    from labvirt.connection.domain import Screenshot
    from labvirt.host.console import Console
    from labvirt.plan import JobControl
    from labvirt.status import AddressRecord

__all__ = ["Answer", "GuestOutput", "InsideVerbs"]

_SHORT_KEYS = {
    "ctrl": "KEY_LEFTCTRL",
    "alt": "KEY_LEFTALT",
    "shift": "KEY_LEFTSHIFT",
    "del": "KEY_DELETE",
    "sysrq": "KEY_SYSRQ",
}


@dataclass(frozen=True)
class GuestOutput:
    """What a command inside the guest did.

    Attributes:
        exit_code: its exit code.
        stdout: what it printed.
        stderr: what it complained about.
    """

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Answer:
    """What a shell inside the guest said.

    Attributes:
        text: what it printed.
        channel: how it was asked: ``guest agent`` or ``serial console``.
    """

    text: str
    channel: str


class InsideVerbs(DomainHandle):
    """Verbs that reach into the guest."""

    def agent(self, command: str, timeout_s: float = 10.0, **arguments: Any) -> Any:
        """Send one command to the guest agent and return its answer.

        Args:
            command: ``guest-ping``, ``guest-info`` ...
            timeout_s: limit in seconds.
            arguments: the command's arguments; write ``_`` for ``-``.

        Raises:
            HostError: there is no agent channel, or no agent answers.
        """
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        return calls.agent(self._link, self.uuid, request, timeout_s)["return"]

    def run(self, argv: Sequence[str], *, timeout_s: float = 30.0, data: str = "") -> GuestOutput:
        """Run a program inside the guest through its agent.

        Args:
            argv: path of the program and its arguments.
            timeout_s: limit in seconds; the program is not killed when it is over.
            data: what the program reads from its standard input.

        Raises:
            HostError: no agent answers, or it may not run programs.
            WaitTimeoutError: the program has not ended in time.
        """
        checked(Wait, f"run a program inside {self.name}", timeout_s=timeout_s)
        options: dict[str, Any] = {"path": argv[0], "arg": list(argv[1:]), "capture_output": True}
        if data:
            options["input_data"] = base64.b64encode(data.encode()).decode()
        pid = self.agent("guest-exec", **options)["pid"]
        deadline, pause = time.monotonic() + timeout_s, 0.02
        while True:
            told = self.agent("guest-exec-status", pid=pid)
            if told["exited"]:
                out, err = (
                    base64.b64decode(told.get(key, "")).decode(errors="replace")
                    for key in ("out-data", "err-data")
                )
                return GuestOutput(told.get("exitcode", -1), out, err)
            if time.monotonic() > deadline:
                raise WaitTimeoutError(
                    f"{argv[0]} to end inside {self.name}",
                    timeout_s=timeout_s,
                    last_seen=f"it runs there with pid {pid}",
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.5)

    def ask(self, command: str, *, timeout_s: float = 30.0) -> Answer:
        """Run a shell command inside the guest, by the agent or, without one, by the serial console.

        Raises:
            WaitTimeoutError: neither answers in time.
            ConflictError: somebody else has the console open.
        """
        if self.agent_answers():
            done = self.run(["/bin/sh", "-c", command], timeout_s=timeout_s)
            return Answer(done.stdout + done.stderr, "guest agent")
        with self.console() as console:
            console.send("\n")
            return Answer(console.run(command, timeout_s=timeout_s), "serial console")

    def known_addresses(self) -> tuple[AddressRecord, ...]:
        """Return the addresses by which others can reach the guest, none when nobody can tell."""
        try:
            return reachable(self.addresses())
        except HostError:
            return ()

    def addresses(self, *, every: bool = False) -> Addresses:
        """Return the guest's IP addresses: from leases, the agent, ARP, or the serial console.

        They are asked in this order until one answers. What each said, and why those that told
        nothing did not, is in ``.answers`` of the result; each address has its evidence.

        Args:
            every: ask all of them, and put together what they say.

        Raises:
            HostError: nobody could tell; says what each source answered.
        """
        return find_addresses(self, every=every)

    def console(
        self,
        device: str | None = None,
        *,
        force: bool = False,
        wait: bool = False,
        transcript: str | PathLike[str] | None = None,
    ) -> Console:
        """Open the serial console (G3.1-19).

        Libvirt gives it to one reader; scripts and views of one `Host` share that reader.

        Args:
            device: alias of the device, the first one when None.
            force: take it away from whoever has it.
            wait: let `Console.wait_for` outlast a guest that is off, or a link that is lost; it is
                attached again by itself.
            transcript: file that everything printed is added to (mode 0600 when it is made). It
                holds whatever the guest prints, secrets too.

        Raises:
            ConflictError: somebody else has it open, or the domain is not running (without wait).
            SpecError: the transcript cannot be written.
        """
        return open_script(self, device, force=force, wait=wait, transcript=transcript)

    def screenshot(self, screen: int = 0) -> Screenshot:
        """Return a picture of the guest's screen (PNG on today's QEMU); shows itself in a cell."""
        return calls.screenshot(self._link, self.uuid, screen=screen)

    def screen(self, index: int | None = None) -> socket:
        """Open the graphical console: a socket that speaks VNC (RFB), without any port.

        Whoever gets it closes it. The guest's device may ask for its password on it.

        Args:
            index: which of the ``<graphics>`` devices, from 0; None for the first of VNC.

        Raises:
            ConflictError: the domain is not running.
            UnsupportedError: it has no VNC device, or it cannot be reached from this machine; over
                ssh it can when it listens on 127.0.0.1 or a socket of the host.
            AccessDeniedError: read-only connection, or ssh refused the log-in.
        """
        return open_screen(self, index)

    @verb
    def send_key(self, *keys: str, hold_ms: int = 50) -> Plan[None]:
        """Press keys together and let go of them (G3.3-05, G16.4-03).

        Args:
            keys: ``ctrl``, ``alt``, ``del``, ``f5``, ``a``, or Linux names such as ``KEY_ENTER``.
            hold_ms: how long they are held.

        Raises:
            SpecError: a key that nobody knows.
        """
        codes = [_key_code(key) for key in keys]
        return self.one_call(
            f"press {'+'.join(keys)} in domain",
            lambda link, _: calls.send_key(
                link, self.uuid, codeset="linux", keys=codes, hold_ms=hold_ms
            ),
            virsh=("send-key", self.name, *(_key_name(key) for key in keys)),
            python=python_call("", "send_key", keys, {}),
        )

    @verb
    def dump(
        self, path: str, *, memory_only: bool = True, live: bool = True, confirm: bool = False
    ) -> Plan[None]:
        """Write the guest's memory to a file on the host, for a debugger (G14-04).

        Args:
            path: absolute path on the host.
            memory_only: an ELF file for ``crash`` and ``gdb``.
            live: let the guest run meanwhile.
            confirm: agree to overwrite a file that exists.

        Raises:
            SpecError: the path is not absolute.
        """
        path = checked(HostFile, f"dump {self.name}", path=path).path

        def run(link: Connection, control: JobControl) -> None:
            control.on_cancel(lambda: calls.abort_job(link, self.uuid))
            calls.dump_core(link, self.uuid, path, memory_only=memory_only, live=live)

        flags = ("--memory-only",) * memory_only + ("--live",) * live
        return self.one_call(
            f"dump to {path} the memory of domain",
            run,
            virsh=("dump", self.name, path, *flags),
            python=python_call("", "dump", (path,), {}),
            destroys=self.host.overwritten(path),
            confirm=confirm,
        )

    def agent_answers(self, timeout_s: float = 1.0) -> bool:
        """Return True when the guest agent answers a ping now."""
        try:
            self.agent("guest-ping", timeout_s)
        except LabvirtError:
            return False
        return True


def _key_name(key: str) -> str:
    return _SHORT_KEYS.get(key.lower(), key if key.startswith("KEY_") else f"KEY_{key.upper()}")


def _key_code(key: str) -> int:
    name = _key_name(key)
    if name not in calls.KEYCODES:
        raise SpecError(
            f"the key {key!r} is not known", hint="ctrl, alt, del, f1, a, KEY_ENTER ..."
        )
    return calls.KEYCODES[name]
