"""NFS for disk images: export lines, and what server and client must do (guide 12.2).

exports(5), fstab(5). The images must stand at the same path on every host (G12.1-05). One NFS
server is fine to learn with; for many guests take storage that is made for it (G12.2-04).
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from labvirt.errors import Problem, SpecError
from labvirt.hostprep import preparing
from labvirt.hostprep.files import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labvirt.plan import Plan

__all__ = [
    "Client",
    "Export",
    "Mount",
    "Setup",
    "export_line",
    "export_plan",
    "mount_plan",
    "parse_exports",
    "setup",
]

_CLIENT = re.compile(r"[A-Za-z0-9@*?\[\]._:/-]+")
_OPTION = re.compile(r"[a-z_]+(=[A-Za-z0-9_.:/@+-]+)?")
_OPTIONS: Final = {
    "rw", "ro", "sync", "async", "root_squash", "no_root_squash", "all_squash", "no_all_squash",
    "subtree_check", "no_subtree_check", "secure", "insecure", "wdelay", "no_wdelay", "hide",
    "nohide", "crossmnt", "auth_nlm", "no_auth_nlm", "mountpoint", "mp", "fsid", "anonuid",
    "anongid", "sec", "refer", "replicas", "pnfs", "no_pnfs", "security_label", "xprtsec", "acl",
    "no_acl", "secure_locks", "insecure_locks",
}  # fmt: skip


@dataclass(frozen=True)
class Client:
    """Who may mount an export, and how.

    Attributes:
        who: host name, address, network (``192.168.1.0/24``), ``*.example.com``, ``@netgroup``.
        options: as in exports(5); empty takes ``rw``, ``sync``, ``no_subtree_check`` and
            ``no_root_squash``, because QEMU's files belong to root at times.
    """

    who: str
    options: tuple[str, ...] = ("rw", "sync", "no_subtree_check", "no_root_squash")

    def __post_init__(self) -> None:
        problems = []
        if not _CLIENT.fullmatch(self.who):
            problems.append(Problem("who", self.who, "is no client", "*.example.com, 10.0.0.0/24"))
        elif "/" in self.who and self.who[0].isdigit():
            try:
                ipaddress.ip_network(self.who, strict=False)
            except ValueError as error:
                problems.append(Problem("who", self.who, str(error)))
        for option in self.options:
            word = option.partition("=")[0]
            if not _OPTION.fullmatch(option) or word not in _OPTIONS:
                problems.append(Problem("options", option, "is no option of exports(5)"))
        for one, other in (("rw", "ro"), ("sync", "async"), ("root_squash", "no_root_squash")):
            if one in self.options and other in self.options:
                problems.append(Problem("options", f"{one},{other}", "exclude each other"))
        if problems:
            raise SpecError(f"NFS client {self.who!r}", problems)

    def __str__(self) -> str:
        return f"{self.who}({','.join(self.options)})" if self.options else self.who


@dataclass(frozen=True)
class Export:
    """One line of ``/etc/exports``.

    Attributes:
        path: the folder.
        clients: who may mount it.
    """

    path: str
    clients: tuple[Client, ...]

    def __post_init__(self) -> None:
        problems = []
        pure = PurePosixPath(self.path)
        if not pure.is_absolute() or ".." in pure.parts or "\n" in self.path:
            problems.append(Problem("path", self.path, "must be a path from the root"))
        if not self.clients:
            problems.append(Problem("clients", "", "nobody may mount it", "*.example.com"))
        if problems:
            raise SpecError("NFS export", problems)

    @property
    def line(self) -> str:
        """Return the line as it stands in ``/etc/exports``."""
        path = f'"{self.path}"' if re.search(r"\s", self.path) else self.path
        return " ".join([path, *map(str, self.clients)])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a careful administrator would say, one sentence each (E-63)."""
        found = []
        for client in self.clients:
            if "async" in client.options:
                found.append(
                    f"{client.who}: async: a crash of the server can ruin disk images; take sync"
                )
            if client.who in {"*", "0.0.0.0/0", "::/0"}:
                found.append(f"{client.who}: every host that reaches the server may mount it")
            if "no_root_squash" in client.options:
                found.append(
                    f"{client.who}: no_root_squash: root of a client is root on these files"
                )
            if "insecure" in client.options:
                found.append(
                    f"{client.who}: insecure: users without rights may speak to the server too"
                )
        return tuple(found)


def export_line(path: str, clients: Iterable[str], options: Iterable[str] | None = None) -> str:
    """Return a line of ``/etc/exports`` (G12.2-01).

    Args:
        path: the folder.
        clients: host names, networks, patterns.
        options: None: ``rw,sync,no_subtree_check,no_root_squash``.

    Raises:
        SpecError: a part cannot be right.
    """
    if options is None:
        made = tuple(Client(who) for who in clients)
    else:
        made = tuple(Client(who, tuple(options)) for who in clients)
    return Export(path, made).line


def parse_exports(text: str) -> tuple[Export, ...]:
    """Read ``/etc/exports``: comments, continued lines and quoted paths too.

    Raises:
        SpecError: a line cannot be right; says which.
    """
    found = []
    whole = re.sub(r"\\\n", " ", text)
    for number, raw in enumerate(whole.splitlines(), 1):
        try:
            words = shlex.split(raw, comments=True)
        except ValueError as error:
            raise SpecError(f"line {number} of exports: {error}") from None
        if not words:
            continue
        default: tuple[str, ...] = ()
        clients = []
        for word in words[1:]:
            if word.startswith("-"):
                default = tuple(word[1:].split(","))
                continue
            who, mark, rest = word.partition("(")
            if mark and not rest.endswith(")"):
                raise SpecError(f"line {number} of exports: {word!r} has no closing bracket")
            own = tuple(filter(None, rest[:-1].split(","))) if mark else ()
            clients.append(Client(who or "*", own or default))
        found.append(Export(words[0], tuple(clients) or (Client("*", ()),)))
    return tuple(found)


def export_plan(export: Export, *, root: str | Path = "/") -> Plan[Path]:
    """Return the plan that adds an export to ``/etc/exports`` below a root folder.

    The server reads it after ``exportfs -ra``.

    Raises:
        SpecError: the folder is exported already, to others or otherwise.
    """
    path = Path(root) / "etc/exports"
    for each in parse_exports(read_text(path)):
        if each.path == export.path and each != export:
            raise SpecError(
                f"{export.path} is exported already", hint=f"change that line: {each.line}"
            )
    known = {each.path for each in parse_exports(read_text(path))}
    wanted = [] if export.path in known else [export.line]
    actions = [*preparing.folder(path.parent), *preparing.lines(path, wanted, 0o644)]
    return preparing.preparation(
        f"export {export.path}", actions, lambda: path, warnings=export.warnings
    )


@dataclass(frozen=True)
class Setup:
    """What an NFS server needs on a system (G12.2-02).

    Attributes:
        packages: names of packages.
        units: services.
        ports: port and protocol.
        commands: shell lines, in order.
        hosts_allow: a line for ``/etc/hosts.allow``, for systems that still look there.
    """

    packages: tuple[str, ...]
    units: tuple[str, ...]
    ports: tuple[str, ...]
    commands: tuple[str, ...]
    hosts_allow: str


def setup(
    system: Literal["fedora", "debian"] = "fedora",
    *,
    clients: str = "192.168.122.0/24",
    version3: bool = False,
) -> Setup:
    """Return what an NFS server needs: packages, services, ports (G12.2-02, E-63).

    Args:
        system: ``fedora`` (RHEL too) or ``debian`` (Ubuntu too).
        clients: network that may come in.
        version3: also speak NFS 3, which needs rpcbind and mountd.
    """
    if system not in {"fedora", "debian"}:
        raise SpecError(f"system {system!r} is not known", hint="fedora or debian")
    network = ipaddress.ip_network(clients, strict=False)
    package = {"fedora": "nfs-utils", "debian": "nfs-kernel-server"}[system]
    unit = {"fedora": "nfs-server", "debian": "nfs-kernel-server"}[system]
    ports = ("2049/tcp", *(("111/tcp", "111/udp", "20048/tcp") if version3 else ()))
    if system == "fedora":
        services = ("nfs", *(("rpc-bind", "mountd") if version3 else ()))
        wall = [f"firewall-cmd --permanent --add-service={name}" for name in services]
        commands = (f"dnf install {package}", *wall, "firewall-cmd --reload")
    else:
        wall = [
            f"ufw allow from {network} to any port {each.partition('/')[0]} proto {each.partition('/')[2]}"
            for each in ports
        ]
        commands = (f"apt-get install {package}", *wall)
    units = (unit, *(("rpcbind",) if version3 else ()))
    start = f"systemctl enable --now {' '.join(units)}"
    where = f"{network.network_address}/{network.netmask}"
    allow = f"rpcbind mountd nfsd: {where}"
    return Setup((package,), units, ports, (*commands, start, "exportfs -ra"), allow)


@dataclass(frozen=True)
class Mount:
    """How a client gets at the images: at the same path as on every other host (G12.2-03).

    Attributes:
        server: its name or address.
        path: the folder, there and here.
        options: mount options.
    """

    server: str
    path: str
    options: tuple[str, ...] = ("rw", "hard", "vers=4.2", "_netdev")

    def __post_init__(self) -> None:
        problems = []
        if not re.fullmatch(r"[A-Za-z0-9_\[][A-Za-z0-9_.:\]-]*", self.server):
            problems.append(Problem("server", self.server, "is no host name"))
        if not PurePosixPath(self.path).is_absolute() or ".." in PurePosixPath(self.path).parts:
            problems.append(Problem("path", self.path, "must be a path from the root"))
        if problems:
            raise SpecError("NFS mount", problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a careful administrator would say."""
        soft = "soft: a pause of the server becomes write errors in guests; take hard"
        return (soft,) if "soft" in self.options else ()

    @property
    def fstab(self) -> str:
        """Return the line of ``/etc/fstab``; blanks in a path are written as there."""
        there = self.path.replace(" ", "\\040")
        return f"{self.server}:{there} {there} nfs {','.join(self.options)} 0 0"

    @property
    def autofs(self) -> str:
        """Return the line of a direct map of autofs."""
        return f"{self.path} -fstype=nfs,{','.join(self.options)} {self.server}:{self.path}"

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the shell lines that mount it now."""
        path = shlex.quote(self.path)
        return (f"mkdir -p {path}", f"mount {path}", f"findmnt --target {path}")


def mount_plan(mount: Mount, *, root: str | Path = "/") -> Plan[Path]:
    """Return the plan that makes the folder and adds the mount to ``/etc/fstab`` below a root.

    Raises:
        SpecError: something else is mounted at that path according to fstab.
    """
    base = Path(root)
    path = base / "etc/fstab"
    place = mount.path.replace(" ", "\\040")
    for line in read_text(path).splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and words[1] == place and line.strip() != mount.fstab:
            raise SpecError(f"{path} has another mount at {mount.path}", hint=line.strip())
    actions = [
        *preparing.folder(base / mount.path.lstrip("/")),
        *preparing.folder(path.parent),
        *preparing.lines(path, [mount.fstab], 0o644),
    ]
    return preparing.preparation(
        f"mount {mount.server}:{mount.path}", actions, lambda: path, warnings=mount.warnings
    )
