"""What libvirt's connection URIs can say: drivers, transports, parameters (guide table 13.1)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BARE",
    "DRIVERS",
    "OWN_HOST",
    "PARAMETERS",
    "PATHS",
    "TRANSPORTS",
    "Parameter",
    "Transport",
]


@dataclass(frozen=True, slots=True)
class Transport:
    """One way to reach a host (G13.3-01 to -05).

    Attributes:
        text: what it is, for people.
        port: the port used when none is given; None where ports mean nothing.
        needs_host: whether a host must (True), may (None) or must not (False) be named.
        warning: what is dangerous about it; empty when nothing is.
    """

    text: str
    port: int | None = None
    needs_host: bool | None = True
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One extra parameter of table 13.1, or one that libvirt has added since (G13.3-15 to -20).

    Attributes:
        text: what it does.
        transports: transports that understand it; empty means all.
        values: the values it may have; empty means any text.
        is_flag: whether it is a number that means yes (not 0) or no (0).
    """

    text: str
    transports: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    is_flag: bool = False


TRANSPORTS: dict[str, Transport] = {
    "unix": Transport("local socket, not encrypted, this machine only", needs_host=False),
    "ssh": Transport("the ssh program, with nc or virt-ssh-helper on the host", 22),
    "tls": Transport("TLS 1.2 or later, certificates on both sides", 16514),
    "tcp": Transport(
        "plain TCP",
        16509,
        warning="tcp is not encrypted: anybody on the way can read it and join in; "
        "use it in tests and trusted networks only",
    ),
    "ext": Transport("an external program makes the connection", needs_host=None),
    "libssh": Transport("SSH by the libssh library, without the ssh program", 22),
    "libssh2": Transport("SSH by the libssh2 library, without the ssh program", 22),
}
_SSH = ("ssh", "libssh", "libssh2")

PARAMETERS: dict[str, Parameter] = {
    "name": Parameter("the URI that the remote daemon opens, instead of one made from this URI"),
    "command": Parameter("the program that makes the connection", ("ssh", "ext")),
    "socket": Parameter("path of the daemon's socket on the host", ("unix", *_SSH)),
    "netcat": Parameter("name or path of nc on the host", _SSH),
    "keyfile": Parameter("private key to log in with", _SSH),
    "no_verify": Parameter(
        "do not check the host's certificate (tls), accept unknown host keys (ssh)",
        ("tls", "ssh"),
        is_flag=True,
    ),
    "no_tty": Parameter("never ask for a password on the terminal", ("ssh",), is_flag=True),
    "pkipath": Parameter("folder with cacert.pem, clientcert.pem and clientkey.pem", ("tls",)),
    "tls_priority": Parameter("GnuTLS priority string", ("tls",)),
    "no_sanity": Parameter("do not check our own certificates first", ("tls",), is_flag=True),
    "known_hosts": Parameter("file with the host keys", ("libssh", "libssh2")),
    "known_hosts_verify": Parameter(
        "what to do with an unknown host key", ("libssh", "libssh2"), ("normal", "auto", "ignore")
    ),
    "sshauth": Parameter(
        "login methods in order: agent, privkey, password, keyboard-interactive",
        ("libssh", "libssh2"),
    ),
    "proxy": Parameter("helper on the host", _SSH, ("auto", "netcat", "native")),
    "mode": Parameter(
        "which daemon: one for all or one per driver", (), ("auto", "legacy", "direct")
    ),
    "auth": Parameter("old name of sshauth", ("libssh", "libssh2")),
    "authfile": Parameter("file with user names and passwords for the daemon"),
}

#: Drivers of libvirt; True when they work inside this process, without a daemon.
DRIVERS: dict[str, bool] = {
    "qemu": False,
    "xen": False,
    "lxc": False,
    "ch": False,
    "bhyve": False,
    "vz": False,
    "parallels": False,
    "network": False,
    "storage": False,
    "interface": False,
    "nodedev": False,
    "nwfilter": False,
    "secret": False,
    "vbox": False,
    "test": True,
    "esx": True,
    "gsx": True,
    "vpx": True,
    "hyperv": True,
    "openvz": True,
    "vmwareplayer": True,
    "vmwarews": True,
    "vmwarefusion": True,
}
#: What a bare driver name means (G15-39).
BARE = {name: f"{name}:///system" for name in ("qemu", "xen", "lxc", "ch", "bhyve")} | {
    "test": "test:///default"
}
#: The services of a driver, where it has more than one.
PATHS = {"qemu": ("/system", "/session", "/embed")}
#: The drivers that take a host of their own, without any transport of libvirt's.
OWN_HOST = ("esx", "gsx", "vpx", "hyperv")
