"""The stages of SSH: host key, our key, and what is there behind the log-in (guide 13.1)."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING, Final

from labvirt.hostprep.ssh import agent_keys
from labvirt.status.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.way import Way

__all__ = ["far_side", "known", "log_in", "target"]

_HOST_KEY: Final = "Is the host the one that we know?"
_KEY: Final = "Does the host let us in by a key?"


def _script(way: Way) -> str:
    """Return what is run on the host: it prints ``name=value`` lines and changes nothing."""
    lines = ["echo user=$(id -un); echo groups=$(id -Gn)"]
    programs = [way.uri.param("netcat") or "nc", "virt-ssh-helper", "libvirtd", "virtqemud"]
    for program in programs:
        where = f"PATH=$PATH:/usr/sbin:/sbin command -v {shlex.quote(program)}"
        lines.append(f"p=$({where}) && echo program={shlex.quote(program)}:$p")
    for path in way.uri.sockets(readonly=way.readonly, runtime="$XDG_RUNTIME_DIR"):
        head, dollar, tail = path.partition("$XDG_RUNTIME_DIR")
        name = (
            f'"$XDG_RUNTIME_DIR"{shlex.quote(tail)}' if dollar and not head else shlex.quote(path)
        )
        lines.append(f"[ -S {name} ] && echo socket={name}; [ -w {name} ] && echo writable={name}")
    return "; ".join([*lines, "true"])


def target(way: Way) -> Iterator[Finding]:
    """Read from the user's settings where ssh really goes (HostName, Port, ProxyJump)."""
    uri = way.uri
    if uri.param("command") is not None:
        way.facts["apart"] = "the program that the URI names finds the host by itself"
        return
    try:
        done = subprocess.run(
            ["ssh", "-G", "--", uri.host], capture_output=True, text=True, check=False,
            timeout=10, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return
    said = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    way.host = said.get("hostname", uri.host)
    if uri.port is None and said.get("port", "").isdecimal():
        way.port = int(said["port"])
    jump = said.get("proxyjump") or said.get("proxycommand")
    if jump and jump != "none":
        way.facts["apart"] = f"ssh goes by way of {jump}"
    if way.host != uri.host or "apart" in way.facts:
        shown = f"{way.host}, port {way.port}; {way.facts.get('apart', 'directly')}"
        yield Finding("settings", "Where do the settings of ssh lead?", "ok", shown)


def log_in(way: Way) -> Iterator[Finding]:
    """Log in as libvirt would, without any question, and read what is there."""
    uri = way.uri
    words = [*uri.ssh_words(), "-o", "BatchMode=yes"]
    if uri.param("command") is None:
        words += ["-o", f"ConnectTimeout={max(1, round(way.timeout_s / 2))}"]
    words += ["-o", "StrictHostKeyChecking=no"] if uri.flag("no_verify") else []
    words += ["--", uri.host, _script(way)]
    target = shlex.join([*uri.ssh_words()[1:-3], uri.host])
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", check=False,
            timeout=way.timeout_s, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        cause, remedy = f"{words[0]} is not here", "install openssh-client, or mend command="
        yield Finding("key", _KEY, "fail", "", cause, remedy, "G13.1-01")
        return
    except subprocess.TimeoutExpired:
        said = f"no answer in {way.timeout_s:g} s"
        yield Finding(
            "key", _KEY, "fail", said, "the host hangs, or a firewall drops us", f"ssh -v {target}"
        )
        return
    said = _last(done.stderr)
    if re.search(
        r"host key verification failed|identification has changed", done.stderr, re.IGNORECASE
    ):
        yield _unknown_host(way, done.stderr)
        return
    if "Permission denied" in done.stderr:
        yield Finding("host_key", _HOST_KEY, "ok", guide="G13.1-01")
        yield _no_key(way, said, target)
        return
    if done.returncode == 255:
        yield Finding(
            "key", _KEY, "fail", said, "ssh could not connect", f"ssh -v {target}", "G13.1-01"
        )
        return
    pairs = [line.partition("=")[::2] for line in done.stdout.splitlines()]
    way.facts["far"] = pairs
    user = dict(pairs).get("user", "?")
    careless = uri.flag("no_verify")
    cause = "no_verify: nobody looks at the key" if careless else ""
    yield Finding("host_key", _HOST_KEY, "warning" if careless else "ok", "", cause, "", "G13.1-01")
    yield Finding("key", _KEY, "ok", f"logged in as {user}", guide="G13.1-04")


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _unknown_host(way: Way, said: str) -> Finding:
    host, port = way.uri.host, way.port
    scan = f"ssh-keyscan -p {port} {host}"
    if "HAS CHANGED" in said:
        cause = "the host shows another key than before: it was made anew, or somebody stands in between"
        remedy = f"ask who runs it; then ssh-keygen -R {_entry(host, port)}"
    else:
        cause = "its key is not in known_hosts"
        remedy = (
            f"{scan} | ssh-keygen -lf -, compare the fingerprint, then add the line to known_hosts"
        )
    return Finding("host_key", _HOST_KEY, "fail", _last(said), cause, remedy, "G13.1-01")


def _entry(host: str, port: int) -> str:
    return host if port == 22 else f"'[{host}]:{port}'"


def _no_key(way: Way, said: str, target: str) -> Finding:
    if way.uri.param("keyfile"):
        cause = f"the host does not accept {way.uri.param('keyfile')}"
    else:
        held = agent_keys()
        agent = "no ssh-agent runs" if held is None else f"ssh-agent holds {len(held)} keys"
        cause = f"the host accepts none of our keys; {agent}"
    return Finding("key", _KEY, "fail", said, cause, f"ssh-copy-id {target}", "G13.1-04")


def far_side(way: Way) -> Iterator[Finding]:
    """Say what libvirt needs on the host: a helper or nc, and the daemon's socket."""
    pairs = way.facts.get("far", [])
    programs = dict(value.partition(":")[::2] for name, value in pairs if name == "program")
    netcat = way.uri.param("netcat") or "nc"
    proxy = way.uri.param("proxy") or ("netcat" if way.uri.param("netcat") else "auto")
    wanted = {"netcat": (netcat,), "native": ("virt-ssh-helper",)}.get(
        proxy, ("virt-ssh-helper", netcat)
    )
    question = "Does the host have what carries libvirt over SSH?"
    there = [programs[each] for each in wanted if each in programs]
    if (
        there
        and way.uri.param("socket")
        and "virt-ssh-helper" in wanted[:1]
        and there[0] == (programs.get("virt-ssh-helper"))
    ):
        cause = "virt-ssh-helper does not heed socket=: it takes the daemon's usual socket"
        remedy = "proxy=netcat, for a socket in another place"
        yield Finding("helper", question, "warning", there[0], cause, remedy, "G13.3-17")
    elif there:
        yield Finding("helper", question, "ok", ", ".join(there), guide="G13.3-03")
    else:
        missing = " or ".join(wanted)
        remedy = "install libvirt-clients or libvirt-daemon-common there, or proxy=native"
        if proxy == "native":
            remedy = "install libvirt there (9.0 or later brings virt-ssh-helper), or proxy=netcat"
        yield Finding("helper", question, "fail", f"not there: {missing}", "", remedy, "G13.3-03")
    yield _far_socket(way, [value for name, value in pairs if name == "socket"],
                      [value for name, value in pairs if name == "writable"], dict(pairs))  # fmt: skip


def _far_socket(way: Way, there: list[str], writable: list[str], facts: dict[str, str]) -> Finding:
    question = "Is the daemon's socket there, and may we use it?"
    if writable:
        return Finding("socket", question, "ok", writable[0], guide="G13.3-02")
    who = f"user {facts.get('user', '?')}, groups {facts.get('groups', '?')}"
    if there:
        cause = f"{who}: this user may not use it"
        remedy = f"on {way.uri.host}: usermod -aG libvirt {facts.get('user', 'USER')}"
        return Finding("socket", question, "fail", there[0], cause, remedy, "G13.1-02")
    paths = ", ".join(way.uri.sockets(readonly=way.readonly))
    if way.uri.path == "/session" and way.uri.param("socket") is None:
        said = "not there yet; the helper starts the daemon of this user by itself"
        return Finding("socket", question, "ok", said, guide="G13.3-02")
    remedy = f"on {way.uri.host}: systemctl enable --now libvirtd.socket (or virtqemud.socket)"
    said = f"not there: {paths}"
    return Finding("socket", question, "fail", said, "the daemon does not run", remedy, "G13.1-05")


def known(way: Way) -> Iterator[Finding]:
    """Say what a connection by a library looks at; the log-in itself is tried with the daemon."""
    verify = way.uri.param("known_hosts_verify") or "normal"
    question = _HOST_KEY
    if verify == "ignore":
        yield Finding("host_key", question, "warning", "known_hosts_verify=ignore", "nobody looks")
        return
    said = f"known_hosts_verify={verify}, {way.uri.param('known_hosts') or '~/.ssh/known_hosts'}"
    yield Finding("host_key", question, "ok", said)
