"""The connection doctor: why a host cannot be opened, question by question (guide 13).

It takes the way of the URI itself, one stage after the other; behind a stage that fails nothing can
be known, and that is said too. Nothing is changed, and nothing asks for a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.doctor import way, way_ssh, way_tls
from labvirt.doctor.way import Way
from labvirt.errors import LabvirtError, SpecError
from labvirt.model.arguments import Wait, checked
from labvirt.model.uri import Uri
from labvirt.status.finding import Finding, Findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from labvirt.status.finding import Verdict

__all__ = ["connection"]

_FAR: Final = (way.name, way.port)
_STAGES: Final[dict[str, tuple[Callable[[Way], Iterable[Finding]], ...]]] = {
    "none": (way.daemon,),
    "unix": (way.socket_file, way.daemon),
    "ext": (way.program, way.daemon),
    "tcp": (*_FAR, way.daemon),
    "ssh": (way_ssh.target, *_FAR, way_ssh.log_in, way_ssh.far_side, way.daemon),
    "libssh": (*_FAR, way_ssh.known, way.daemon),
    "libssh2": (*_FAR, way_ssh.known, way.daemon),
    "tls": (way_tls.own_files, *_FAR, way_tls.handshake, way.daemon),
}


def connection(uri: str | Uri, *, readonly: bool = True, timeout_s: float = 20.0) -> Findings:
    """Look whether a host can be opened and, if not, where on the way it fails.

    Args:
        uri: as for `labvirt.connect`; that of a lab's host is ``lab.uris["alpha"]``.
        readonly: ask for no more than to look; False also tells whether changes are allowed.
        timeout_s: limit for each stage in seconds.

    Returns:
        Findings with the ids ``uri``, ``name``, ``port``, ``host_key``, ``key``, ``own_files``,
        ``certificate``, ``protocol``, ``accepted``, ``socket``, ``helper``, ``daemon``, ``rights``, ``version``:
        those that the way has.

    Raises:
        SpecError: the limit cannot be right, or it is a lab's name. A wrong URI is a finding.
    """
    checked(Wait, "look at a connection", timeout_s=timeout_s)
    if isinstance(uri, str) and uri.startswith("lab:"):
        raise SpecError(f"{uri} is no libvirt URI", hint="lab.uris['alpha']")
    try:
        parsed = uri if isinstance(uri, Uri) else Uri.parse(uri)
    except SpecError as error:
        shown = "; ".join(str(problem) for problem in error.problems) or error.what
        remedy = error.hint or "qemu:///system, qemu+ssh://root@host/system"
        bad = Finding("uri", "Can the URI be right?", "fail", "", shown, remedy, "G13.3-07")
        return Findings("A connection", (bad,))
    found = [_uri(parsed)]
    looked = Way(parsed, readonly=readonly, timeout_s=timeout_s)
    for stage in _STAGES[parsed.effective_transport]:
        failed = next((one for one in found if one.verdict == "fail"), None)
        if failed is not None:
            break
        try:
            found += stage(looked)
        except LabvirtError as error:
            question = f"Can {stage.__name__.replace('_', ' ')} be looked at?"
            found.append(Finding(stage.__name__, question, "unknown", error.what, "", error.hint))
    if all(one.id != "daemon" for one in found):
        stopped = next(one for one in found if one.verdict == "fail")
        why = f"not looked at, because of: {stopped.question}"
        found.append(Finding("daemon", "Does the daemon answer?", "unknown", why))
    return Findings(f"Connection to {parsed.redacted()}", tuple(found))


def _uri(uri: Uri) -> Finding:
    said = f"{uri.driver}, by {uri.effective_transport}"
    if uri.host:
        said += f", host {uri.host}, port {uri.port or uri.default_port}"
    warnings = "; ".join(uri.warnings)
    verdict: Verdict = "warning" if warnings else "ok"
    return Finding("uri", "Can the URI be right?", verdict, said, warnings, "", "G13.3-07")
