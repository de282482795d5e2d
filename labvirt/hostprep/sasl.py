"""SASL: mechanisms, users, and the file from which a client answers (libvirt.org/auth.html).

A password goes to ``saslpasswd2`` by its standard input and into files with mode 0600; it stands in
no plan, journal or record.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from labvirt.errors import HostError, Problem, SpecError, UnsupportedError
from labvirt.hostprep import preparing
from labvirt.hostprep.file_actions import MakeFile
from labvirt.plan import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labvirt.plan import JobControl, Plan

__all__ = [
    "SaslConfig",
    "add_user",
    "auth_file",
    "daemon_lines",
    "parse_config",
    "users",
    "write_config",
]

#: Mechanisms that a careful host offers; ``scram-sha-256`` needs TLS, ``gssapi`` a Kerberos realm.
GOOD: Final = ("scram-sha-256", "scram-sha-512", "gssapi")
_OLD: Final = {
    "digest-md5": "digest-md5 is broken (RFC 6331)",
    "plain": "plain sends the password itself",
    "anonymous": "anonymous lets everybody in",
}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True)
class SaslConfig:
    """What ``/etc/sasl2/libvirt.conf`` says.

    Attributes:
        mechanisms: in order.
        database: file with users and passwords.
        keytab: Kerberos keys of the host; for gssapi.
    """

    mechanisms: tuple[str, ...] = ("scram-sha-256",)
    database: str = "/etc/libvirt/passwd.db"
    keytab: str = ""

    def __post_init__(self) -> None:
        known = (*GOOD, *_OLD, "scram-sha-1", "external")
        problems = [
            Problem("mechanisms", each, "is not known", ", ".join(known))
            for each in self.mechanisms
            if each not in known
        ]
        if not self.mechanisms:
            problems.append(Problem("mechanisms", "", "nobody could log in", "scram-sha-256"))
        problems += [
            Problem(name, getattr(self, name), "must have no blanks")
            for name in ("database", "keytab")
            if re.search(r"\s", getattr(self, name))
        ]
        if problems:
            raise SpecError("SASL for libvirt", problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a careful administrator would say."""
        return tuple(_OLD[each] for each in self.mechanisms if each in _OLD)

    @property
    def text(self) -> str:
        """Return the file's text."""
        lines = [f"mech_list: {' '.join(self.mechanisms)}"]
        lines += [f"sasldb_path: {self.database}"] if self.database else []
        lines += [f"keytab: {self.keytab}"] if self.keytab else []
        return "\n".join(lines) + "\n"


def parse_config(text: str) -> SaslConfig:
    """Read the text of ``libvirt.conf`` of SASL; comments and other settings are passed over.

    Raises:
        SpecError: a mechanism is not known.
    """
    lines = (line.split("#")[0].partition(":") for line in text.splitlines())
    found = {name.strip(): value.strip() for name, mark, value in lines if mark}
    return SaslConfig(
        tuple(found.get("mech_list", "").lower().split()),
        found.get("sasldb_path", ""),
        found.get("keytab", ""),
    )


def write_config(config: SaslConfig, *, root: str | Path = "/") -> Plan[Path]:
    """Return the plan that writes ``/etc/sasl2/libvirt.conf`` below a root folder."""
    path = Path(root) / "etc/sasl2/libvirt.conf"
    actions = [*preparing.folder(path.parent), *preparing.text(path, config.text)]
    return preparing.preparation(
        "SASL for libvirt", actions, lambda: path, warnings=config.warnings
    )


def daemon_lines(*, tls: bool = True, tcp: bool = False, unix: bool = False) -> tuple[str, ...]:
    """Return the lines of ``libvirtd.conf`` (or ``virtproxyd.conf``) that ask for SASL."""
    chosen = {"auth_tls": tls, "auth_tcp": tcp, "auth_unix_rw": unix}
    return tuple(f'{name} = "sasl"' for name, wanted in chosen.items() if wanted)


@dataclass(frozen=True)
class AddUser(Action[Any]):
    """Give a user a password; an older one is replaced.

    Attributes:
        database: the file.
        user: his name.
        realm: the host's name, as its daemon knows it.
        password: not written down.
    """

    kind: ClassVar[str] = "sasl-user"
    database: str
    user: str
    realm: str
    password: str = field(default="", repr=False, compare=False)

    @property
    def title(self) -> str:
        """What is done."""
        return f"give SASL user {self.user}@{self.realm} a password"

    @property
    def shell(self) -> tuple[str, ...]:
        """Return the command; it reads the password from its input."""
        return (shlex.join(_command(self.database, self.realm, self.user)),)

    def to_record(self) -> dict[str, Any]:
        """Return the fields but the password."""
        record = super().to_record()
        del record["password"]
        return record

    def do(self, host: Any, control: JobControl) -> None:  # noqa: ARG002 - as every action
        """Call saslpasswd2."""
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        tool = shutil.which("saslpasswd2", path=path)
        if tool is None:
            hint = "apt-get install sasl2-bin, or dnf install cyrus-sasl-lib"
            raise UnsupportedError(self.title, libvirt_text="saslpasswd2 is not here", hint=hint)
        command = [tool, *_command(self.database, self.realm, self.user)[1:]]
        done = subprocess.run(
            command, input=self.password, capture_output=True, text=True, check=False, timeout=30
        )
        if done.returncode:
            raise HostError(self.title, libvirt_text=done.stderr.strip()[-300:])
        Path(self.database).chmod(0o600)


def _command(database: str, realm: str, user: str) -> list[str]:
    return ["saslpasswd2", "-p", "-c", "-a", "libvirt", "-f", database, "-u", realm, user]


def _checked(asked: str, password: str, **names: str) -> None:
    problems = [
        Problem(name, value, "cannot be such a name")
        for name, value in names.items()
        if not _WORD.fullmatch(value)
    ]
    if not password or not password.isprintable():
        problems.append(Problem("password", "", "is empty or has a line break"))
    if problems:
        raise SpecError(asked, problems)


def add_user(user: str, password: str, *, realm: str, database: str | Path) -> Plan[None]:
    """Return the plan that gives a user a password.

    Args:
        user: his name.
        password: goes to the tool by its standard input only.
        realm: the name of the daemon's host as that host knows it; with another one the daemon says
            that it does not find the user.
        database: the file of `SaslConfig`.

    Raises:
        SpecError: a name cannot be right.
    """
    _checked("add a SASL user", password, user=user, realm=realm)
    place = Path(database).absolute()
    actions: list[Action[Any]] = [*preparing.folder(place.parent)]
    actions.append(AddUser(str(place), user, realm, password))
    return preparing.preparation(f"SASL user {user}", actions, lambda: None)


def auth_file(path: str | Path, credentials: Mapping[str, tuple[str, str]]) -> Plan[Path]:
    """Return the plan that makes the file from which a client answers (``authfile=`` of a URI).

    Args:
        path: the file; one that is there is never overwritten.
        credentials: user name and password by the host's name as in the URI; ``default`` for all.

    Raises:
        SpecError: a name cannot be right.
    """
    parts = []
    for host, (user, password) in credentials.items():
        _checked("a client's SASL answers", password, user=user, host=host)
        # Some mechanisms ask for the name to act as, too.
        who = f"authname={user}\nusername={user}\npassword={password}\n"
        parts.append(f"[credentials-{host}]\n{who}")
        parts.append(f"[auth-libvirt-{host}]\ncredentials={host}\n")
    text = "\n".join(parts)
    place = Path(path).expanduser().absolute()
    actions: list[Action[Any]] = [*preparing.folder(place.parent, 0o700)]
    actions.append(MakeFile(str(place), 0o600, "answers for SASL", "", text.encode))
    return preparing.preparation(f"SASL answers {place}", actions, lambda: place)


def users(database: str | Path) -> tuple[str, ...]:
    """Return the users that a database has, as ``user@realm``.

    Raises:
        UnsupportedError: sasldblistusers2 is not here.
        HostError: it cannot be read.
    """
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    tool = shutil.which("sasldblistusers2", path=path)
    if tool is None:
        raise UnsupportedError(
            "list SASL users", libvirt_text="sasldblistusers2 is not here", hint="sasl2-bin"
        )
    done = subprocess.run(
        [tool, "-f", str(database)], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode:
        raise HostError("list SASL users", libvirt_text=done.stderr.strip()[-300:])
    return tuple(line.partition(":")[0] for line in done.stdout.splitlines() if ":" in line)
