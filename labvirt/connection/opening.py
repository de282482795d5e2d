"""Opening: one link to libvirt, with keepalive, without prompts, and its failures explained."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt

from labvirt.connection.failures import translate
from labvirt.errors import AccessDeniedError, ConnectionLostError, LabvirtError

if TYPE_CHECKING:
    from labvirt.model.uri import Uri

__all__ = ["Ask", "is_alive", "open_raw"]

#: Runs ssh where ^C does not reach it.
_SSH_APART = Path(__file__).with_name("ssh-apart")

#: Answers a question of the log-in: kind (``username``, ``password`` ...) and prompt; None refuses.
Ask = Callable[[str, str], str | None]

_QUESTIONS = {
    libvirt.VIR_CRED_USERNAME: "username",
    libvirt.VIR_CRED_AUTHNAME: "username",
    libvirt.VIR_CRED_PASSPHRASE: "password",
    libvirt.VIR_CRED_ECHOPROMPT: "answer",
    libvirt.VIR_CRED_NOECHOPROMPT: "password",
    libvirt.VIR_CRED_REALM: "realm",
}


def open_raw(uri: Uri, *, readonly: bool, keepalive: tuple[int, int], ask: Ask | None) -> Any:
    """Open one link; blocks, so it is called on a worker.

    Args:
        uri: where to.
        readonly: ask the daemon for a connection that cannot change anything.
        keepalive: seconds between probes, and how many may go unanswered.
        ask: answers the questions of the log-in; None refuses them all.

    Returns:
        A ``libvirt.virConnect``.

    Raises:
        LabvirtError: it cannot be opened; says why and what to try.
    """

    def answer(questions: list[list[Any]], _: None) -> int:
        for question in questions:
            said = ask(_QUESTIONS[question[0]], str(question[1])) if ask is not None else None
            if said is None:
                return -1
            question[4] = said
        return 0

    flags = libvirt.VIR_CONNECT_RO if readonly else 0
    try:
        raw = libvirt.openAuth(_unattended(uri).build(), [list(_QUESTIONS), answer, None], flags)
    except libvirt.libvirtError as error:
        asked = "open a read-only connection" if readonly else "open a connection"
        failure = translate(error, asked, uri=uri.redacted(), opening=True)
        raise _with_socket_facts(failure, uri, readonly=readonly) from error
    with contextlib.suppress(libvirt.libvirtError):  # drivers in this process have no keepalive
        raw.setKeepAlive(*keepalive)
    return raw


def _unattended(uri: Uri) -> Uri:
    """Return the URI as it is opened from a notebook, where nobody sits at a terminal."""
    if uri.effective_transport != "ssh":
        return uri
    if uri.param("no_tty") is None:
        uri = uri.with_param("no_tty", "1")  # fail at once instead of asking there (G13.3-20)
    if uri.param("command") is None and os.access(_SSH_APART, os.X_OK) and shutil.which("setsid"):
        uri = uri.with_param("command", str(_SSH_APART))
    return uri


def is_alive(raw: Any) -> bool:
    """Whether a link is up as far as this side knows; asks nobody."""
    try:
        return bool(raw.isAlive() == 1)
    except libvirt.libvirtError:
        return False


def _with_socket_facts(failure: LabvirtError, uri: Uri, *, readonly: bool) -> LabvirtError:
    """Add to a refusal who may use the socket, or which of the sockets is missing."""
    if uri.effective_transport != "unix" or not isinstance(
        failure, AccessDeniedError | ConnectionLostError
    ):
        return failure
    runtime = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    facts = []
    for path in uri.sockets(readonly=readonly, runtime=runtime):
        try:
            found = os.stat(path)  # noqa: PTH116 - a Path would add nothing
        except FileNotFoundError:
            facts.append(f"{path} does not exist")
            continue
        except OSError as error:
            facts.append(f"{path}: {error.strerror}")
            continue
        owner, group = _user_name(found.st_uid), _group_name(found.st_gid)
        facts.append(f"{path} belongs to {owner}:{group}, mode {stat.S_IMODE(found.st_mode):o}")
    failure.hint = "; ".join([failure.hint, *facts]) if failure.hint else "; ".join(facts)
    return failure


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
