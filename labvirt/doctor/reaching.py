"""Whether a server can be reached from the machine of a host: a TCP connection, made and closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.errors import NotFoundError, UnsupportedError, WaitTimeoutError

if TYPE_CHECKING:
    from labvirt.doctor.case import Case

__all__ = ["DEFAULT_PORTS", "reach"]

#: Where the servers of storage listen, when the XML does not say.
DEFAULT_PORTS: Final = {
    "nbd": 10809,
    "iscsi": 3260,
    "iscsi-direct": 3260,
    "netfs": 2049,
    "nfs": 2049,
    "rbd": 3300,
    "gluster": 24007,
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ssh": 22,
    "sheepdog": 7000,
}
_LIMIT_S: Final = 1.5


def reach(case: Case, server: str, port: int) -> str:
    """Return why no connection can be made; empty when one can.

    Raises:
        UnsupportedError: the machine has no program that could try.
    """
    key = ("reach", server, port)
    return case.patient.once(key, lambda: _reach(case, server, port))


def _reach(case: Case, server: str, port: int) -> str:
    script = 'exec 3<>"/dev/tcp/$0/$1"'
    try:
        ran = case.machine.run("bash", "-c", script, server, str(port), timeout_s=_LIMIT_S)
    except WaitTimeoutError:
        return f"no answer in {_LIMIT_S:g} s"
    except NotFoundError:
        raise UnsupportedError(
            f"connect to {server}:{port}", hint="it needs bash on the machine of the host"
        ) from None
    if ran:
        return ""
    said = ran.err.strip().splitlines()
    return said[0].rpartition(": ")[2] if said else f"exit code {ran.code}"
