"""Libvirt's connection URIs: read, checked, explained and written back without loss (guide 13.3).

``driver[+transport]://[user@][host][:port]/[path][?parameter=value&...]``, as in
https://libvirt.org/uri.html.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Self
from urllib.parse import quote, unquote

from labvirt.errors import Problem, SpecError
from labvirt.model.uri_table import (
    BARE,
    DRIVERS,
    OWN_HOST,
    PARAMETERS,
    PATHS,
    TRANSPORTS,
    Parameter,
    Transport,
)

__all__ = ["DRIVERS", "PARAMETERS", "TRANSPORTS", "Parameter", "Transport", "Uri"]


_SHAPE = re.compile(
    r"(?P<driver>[A-Za-z0-9.-]*)(?:\+(?P<transport>[^:/?#]*))?://"
    r"(?:(?P<user>[^@/?#]*)@)?(?P<host>\[[^\]/?#]*\]|[^:/?#@\[\]]*)(?::(?P<port>[^/?#]*))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_SECRET = re.compile(r"pass|secret|token|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Uri:
    """A connection URI; constructing or parsing a wrong one raises ``SpecError``.

    Attributes:
        driver: ``qemu``, ``xen``, ``test`` ...
        transport: what was written after the ``+``; None when nothing was.
        user: name to log in with; empty when none.
        host: name or address, IPv6 without brackets; empty for this machine.
        port: None for the transport's own.
        path: ``/system``, ``/session``, ``/default`` ...; may be empty.
        params: extra parameters, decoded, in order, unknown ones too.
        source: the text this was read from; kept so that it is written back as it was.
    """

    driver: str
    transport: str | None = None
    user: str = ""
    host: str = ""
    port: int | None = None
    path: str = ""
    params: tuple[tuple[str, str], ...] = ()
    source: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        problems = tuple(_problems(self))
        if problems:
            raise SpecError(f"the URI {self.redacted()!r} cannot be right", problems)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI, or a bare driver name (``qemu``, ``xen``, ``test``).

        Raises:
            SpecError: it has a typo or parts that cannot go together; suggests the nearest.
        """
        source = BARE.get(text, text)
        found = _SHAPE.fullmatch(source)
        bad = next((char for char in source if char <= " " or char == "\x7f"), None)
        if found is None or bad is not None:
            shown = _shortened(_masked(text))
            raise SpecError(
                f"{shown!r} is not a connection URI",
                (Problem("uri", shown, _shape_trouble(source, bad)),),
                hint="e.g. qemu:///system, qemu+ssh://user@host/system, test:///default",
            )
        port, host, query = found["port"], found["host"], found["query"] or ""
        wrong = None
        if port and not (port.isascii() and port.isdigit() and len(port) <= 8):
            wrong = Problem("port", _shortened(port), "is not a number", "1 to 65535")
        elif host.startswith("[") and ":" not in host:
            wrong = Problem("host", host, "only an IPv6 address stands in brackets")
        if wrong is not None:
            raise SpecError(f"the URI {_masked(text)!r} cannot be right", (wrong,))
        pairs = [pair.partition("=") for pair in re.split("[&;]", query) if pair]
        return cls(
            driver=found["driver"].lower(),
            transport=found["transport"],
            user=unquote(found["user"] or ""),
            host=unquote(host[1:-1]) if host.startswith("[") else host,
            port=int(port) if port else None,
            path=unquote(found["path"] or ""),
            params=tuple((unquote(name), unquote(value)) for name, _, value in pairs if name),
            source=source,
        )

    def build(self) -> str:
        """Return the URI as text; one that was parsed comes back exactly as it was."""
        if self.source:
            return self.source
        scheme = self.driver + (f"+{self.transport}" if self.transport is not None else "")
        user = quote(self.user, safe="!$'()*,;&=+~") + "@" if self.user else ""
        host = f"[{quote(self.host, safe=':')}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None else ""
        path = quote(self.path, safe="/!$'()*,;&=+~:@")
        query = "&".join(f"{quote(n, safe='')}={quote(v, safe='/:,@')}" for n, v in self.params)
        return f"{scheme}://{user}{host}{port}{path}" + (f"?{query}" if query else "")

    def __str__(self) -> str:
        return self.build()

    def with_(self, **changes: Any) -> Self:
        """Return the URI with some attributes changed; ``params`` replaces them all.

        Raises:
            SpecError: the result cannot be right.
        """
        return replace(self, **{"source": "", **changes})

    def with_param(self, name: str, value: str | None) -> Self:
        """Return the URI with one parameter set, or removed when `value` is None."""
        kept = tuple(pair for pair in self.params if pair[0] != name)
        return self.with_(params=kept if value is None else (*kept, (name, value)))

    def param(self, name: str) -> str | None:
        """Return the decoded value of a parameter, None when it is absent; the last one counts."""
        return next((value for key, value in reversed(self.params) if key == name), None)

    def flag(self, name: str) -> bool:
        """Whether a yes/no parameter (``no_verify``, ``no_tty``, ``no_sanity``) is there and not 0."""
        value = self.param(name)
        return value is not None and int(value) != 0

    @property
    def is_in_process(self) -> bool:
        """Whether the driver works inside this process: no daemon, no transport."""
        if self.transport is not None or (self.host and self.driver not in OWN_HOST):
            return False
        return DRIVERS[self.driver] or self.path == "/embed"

    @property
    def effective_transport(self) -> str:
        """The transport used: as written, else tls with a host and unix without (G13.3-06).

        ``none`` for a driver that works in this process.
        """
        if self.transport is not None:
            return self.transport
        if self.is_in_process:
            return "none"
        return "tls" if self.host else "unix"

    @property
    def is_local(self) -> bool:
        """Whether the connection cannot leave this machine."""
        return self.effective_transport in ("unix", "none") and not self.host

    @property
    def default_port(self) -> int | None:
        """The port the transport uses when the URI names none; None where ports mean nothing."""
        known = TRANSPORTS.get(self.effective_transport)
        return known.port if known else None

    @property
    def unknown_params(self) -> tuple[str, ...]:
        """Names of parameters that libvirt's client does not know; it passes them on (G13.3-14)."""
        if self.is_in_process:
            return ()
        return tuple(name for name, _ in self.params if name not in PARAMETERS)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a careful administrator would say about this URI, one sentence each."""
        transport = self.effective_transport
        found = [TRANSPORTS[transport].warning] if transport in TRANSPORTS else []
        if transport == "tls" and self.flag("no_verify"):
            found.append("no_verify: anybody can pretend to be this host (G13.3-10)")
        if transport == "ssh" and self.flag("no_verify"):
            found.append("no_verify: an unknown host key is accepted without asking")
        if self.param("known_hosts_verify") == "ignore":
            found.append("known_hosts_verify=ignore: anybody can pretend to be this host")
        if ":" in self.user:
            found.append("libvirt does not take a password from a URI, and others can see it there")
        for name in self.unknown_params:
            near = get_close_matches(name, PARAMETERS, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            found.append(f"{name}: not known to libvirt's client, passed on as it is{meant}")
        for name in dict.fromkeys(name for name, _ in self.params):
            fits = PARAMETERS[name].transports if name in PARAMETERS else ()
            if fits and transport not in (*fits, "none"):
                found.append(f"{name}: means nothing to {transport}, only to {', '.join(fits)}")
        return tuple(warning for warning in found if warning)

    @property
    def remote_name(self) -> str:
        """The URI that the remote daemon is asked to open (G13.3-15)."""
        passed = [(name, value) for name, value in self.params if name not in PARAMETERS]
        query = "&".join(f"{quote(n, safe='')}={quote(v, safe='/:,@')}" for n, v in passed)
        bare = f"{self.driver}://{quote(self.path, safe='/')}" + (f"?{query}" if query else "")
        return self.param("name") or bare

    def sockets(
        self, *, readonly: bool = False, runtime: str = "$XDG_RUNTIME_DIR"
    ) -> tuple[str, ...]:
        """Return where the daemon's socket is looked for, the first that exists counts (G13.3-02).

        Args:
            readonly: for a read-only connection.
            runtime: the user's runtime folder, for ``/session``.
        """
        if given := self.param("socket"):
            return (given,)
        folder = f"{runtime}/libvirt" if self.path == "/session" else "/run/libvirt"
        # A user's own daemon has no read-only socket.
        tail = "-ro" if readonly and self.path != "/session" else ""
        names = {
            "legacy": ("libvirt-sock",),
            "direct": (f"virt{self.driver}d-sock",),
        }.get(self.param("mode") or "auto", (f"virt{self.driver}d-sock", "libvirt-sock"))
        return tuple(f"{folder}/{name}{tail}" for name in names)

    def ssh_line(self, *, readonly: bool = False) -> str:
        """Return the line libvirt runs to reach this host with nc over ssh (G13.3-18).

        ``command -p port [-l user] host netcat -U socket``

        Raises:
            SpecError: the transport is not ssh.
        """
        if self.effective_transport != "ssh":
            raise SpecError(f"{self.redacted()} does not use the ssh program")
        words = [*self.ssh_words(), *(["-o", "BatchMode=yes"] if self.flag("no_tty") else [])]
        words += ["-o", "StrictHostKeyChecking=no"] if self.flag("no_verify") else []
        words += ["--", self.host]
        words += [self.param("netcat") or "nc", "-U", self.sockets(readonly=readonly)[-1]]
        return shlex.join(words)

    def ssh_words(self) -> list[str]:
        """Return how ssh is called for this host, up to its options: who logs in, and with which key."""
        words = [self.param("command") or "ssh"]
        words += ["-p", str(self.port)] if self.port else []
        words += ["-l", self.user] if self.user else []
        words += ["-i", str(self.param("keyfile"))] if self.param("keyfile") else []
        return [*words, "-T", "-e", "none"]

    def redacted(self) -> str:
        """Return the URI for messages: anything that looks like a password is masked."""
        return _masked(self.build())


def _masked(text: str) -> str:
    head, mark, query = text.partition("?")
    head = re.sub(r"(://[^@/?#:]*):[^@/?#]*@", r"\1:***@", head)
    pairs = [
        f"{pair.partition('=')[0]}=***" if _SECRET.search(unquote(pair.partition("=")[0])) else pair
        for pair in query.split("&")
    ]
    return _shortened(head + mark + "&".join(pairs), 300)


def _shortened(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def _near(word: str, known: Any) -> str:
    found = get_close_matches(word, known, 1, 0.5)
    return f"did you mean {found[0]!r}?" if found else "one of: " + ", ".join(known)


def _shape_trouble(text: str, bad: str | None) -> str:
    if bad is not None:
        return f"the character {bad!r} must be written as %{ord(bad):02X}"
    if not text:
        return "it is empty"
    if "://" not in text:
        near = get_close_matches(text.split(":", maxsplit=1)[0], BARE, 1)
        return "there is no '://'" + (f"; did you mean {BARE[near[0]]!r}?" if near else "")
    if "#" in text:
        return "'#' must be written as %23"
    return "host and port cannot be told apart; an IPv6 address stands in [brackets]"


def _problems(uri: Uri) -> list[Problem]:
    found = []
    if uri.driver not in DRIVERS:
        found.append(
            Problem("driver", uri.driver, "libvirt has no such driver", _near(uri.driver, DRIVERS))
        )
        return found
    if uri.transport is not None and uri.transport not in TRANSPORTS:
        near = _near(uri.transport, TRANSPORTS)
        found.append(Problem("transport", uri.transport, "libvirt has no such transport", near))
        return found
    found += _host_problems(uri)
    if uri.port is not None and not 1 <= uri.port <= 65535:
        found.append(Problem("port", str(uri.port), "is out of range", "1 to 65535"))
    if uri.path and not uri.path.startswith("/"):
        found.append(Problem("path", uri.path, "must begin with '/'"))
    paths = PATHS.get(uri.driver, ())
    if paths and uri.path not in paths and not uri.param("name"):
        found.append(
            Problem("path", uri.path, f"{uri.driver} has no such service", _near(uri.path, paths))
        )
    return found + _param_problems(uri)


def _host_problems(uri: Uri) -> list[Problem]:
    found = []
    transport = uri.effective_transport
    needs = TRANSPORTS[transport].needs_host if transport in TRANSPORTS else None
    if needs and not uri.host:
        found.append(
            Problem("host", "", f"{transport} needs a host", f"{uri.driver}+{transport}://host/")
        )
    if needs is False and uri.host:
        why = f"{transport} reaches this machine only"
        found.append(Problem("host", uri.host, why, "+ssh reaches another machine"))
    if not uri.host and (uri.user or uri.port is not None) and not found:
        found.append(Problem("host", "", "there is a user or a port but no host"))
    if ":" in uri.host:
        try:
            ipaddress.IPv6Address(uri.host)
        except ValueError as error:
            found.append(Problem("host", uri.host, f"is not an IPv6 address: {error}"))
    elif uri.host and not (_HOST.fullmatch(uri.host) and len(uri.host) <= 253):
        found.append(Problem("host", _shortened(uri.host), "is not a host name"))
    return found


def _param_problems(uri: Uri) -> list[Problem]:
    found = []
    for name, value in uri.params:
        known = PARAMETERS.get(name)
        if known is None or uri.is_in_process:
            continue
        if known.is_flag and not re.fullmatch(r"[+-]?\d{1,9}", value, re.ASCII):
            found.append(
                Problem(f"params.{name}", value, "must be a number", "1 for yes, 0 for no")
            )
        if known.values and value not in known.values:
            hint = _near(value, known.values)
            found.append(Problem(f"params.{name}", value, "is not a known value", hint))
        if known.transports and not value and not known.is_flag:
            found.append(Problem(f"params.{name}", "", "is empty"))
    if uri.transport == "ext" and not uri.param("command"):
        hint = "e.g. command=/path/to/program"
        found.append(Problem("params.command", "", "ext needs a program that connects", hint))
    return found
