"""Failures: which of our errors each of libvirt's becomes, and what to try then.

Two tables. `CODES` has one row per ``VIR_ERR_*`` code, by name because older and newer libraries
know different ones; a test walks the installed library and fails on a code without a row.
`HINTS` looks at the words, most specific first, where a code alone says too little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import libvirt

from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    ConnectionLostError,
    HostError,
    LabvirtError,
    NotFoundError,
    Problem,
    SpecError,
    UnsupportedError,
)

__all__ = ["CODES", "HINTS", "Hint", "code_name", "is_code", "translate"]

ErrorClass = type[HostError] | type[SpecError]

_SCHEMA = "the element or attribute named above is not known to this libvirt, or stands elsewhere"
_RIGHTS = "open the connection without readonly, or as a user who may change things"
_AUTH = "check user name, key, password or certificate of this connection"
_GUEST_AGENT = "start qemu-guest-agent inside the guest, or do without mode='agent'"
_DAEMON = "is libvirtd (or virtqemud) running there? `systemctl start libvirtd`, or check the path"

#: name of the code without VIR_ERR_: our class, and what to try when the words say no more
CODES: dict[str, tuple[ErrorClass, str]] = {
    "OK": (HostError, ""),
    "INTERNAL_ERROR": (HostError, ""),
    "NO_MEMORY": (HostError, "the host is out of memory: stop something on it"),
    "NO_SUPPORT": (UnsupportedError, "this driver does not offer the call"),
    "UNKNOWN_HOST": (ConnectionLostError, "check the spelling of the host's name"),
    "NO_CONNECT": (UnsupportedError, "this libvirt has no such driver: install its package"),
    "INVALID_CONN": (ConnectionLostError, ""),
    "INVALID_DOMAIN": (NotFoundError, ""),
    "INVALID_ARG": (HostError, ""),
    "OPERATION_FAILED": (HostError, ""),
    "GET_FAILED": (HostError, ""),
    "POST_FAILED": (HostError, ""),
    "HTTP_ERROR": (HostError, ""),
    "SEXPR_SERIAL": (HostError, ""),
    "NO_XEN": (UnsupportedError, "the host does not run under Xen"),
    "XEN_CALL": (HostError, ""),
    "OS_TYPE": (SpecError, "os type: hvm, linux, xen or exe"),
    "NO_KERNEL": (SpecError, "name a kernel"),
    "NO_ROOT": (SpecError, ""),
    "NO_SOURCE": (SpecError, "the device needs a source"),
    "NO_TARGET": (SpecError, "the device needs a target"),
    "NO_NAME": (SpecError, "give it a name"),
    "NO_OS": (SpecError, "the domain needs an <os> element"),
    "NO_DEVICE": (SpecError, "a device is missing or incomplete"),
    "NO_XENSTORE": (UnsupportedError, "the host does not run under Xen"),
    "DRIVER_FULL": (HostError, ""),
    "CALL_FAILED": (UnsupportedError, ""),
    "XML_ERROR": (SpecError, ""),
    "DOM_EXIST": (ConflictError, "choose another name, or undefine the old domain first"),
    "OPERATION_DENIED": (AccessDeniedError, _RIGHTS),
    "OPEN_FAILED": (HostError, ""),
    "READ_FAILED": (HostError, ""),
    "PARSE_FAILED": (SpecError, ""),
    "CONF_SYNTAX": (HostError, "repair the configuration file named above"),
    "WRITE_FAILED": (HostError, ""),
    "XML_DETAIL": (SpecError, ""),
    "INVALID_NETWORK": (NotFoundError, ""),
    "NETWORK_EXIST": (ConflictError, "choose another name, or undefine the old network first"),
    "SYSTEM_ERROR": (HostError, ""),
    "RPC": (ConnectionLostError, ""),
    "GNUTLS_ERROR": (ConnectionLostError, "check the certificates of both sides"),
    "NO_DOMAIN": (NotFoundError, ""),
    "NO_NETWORK": (NotFoundError, ""),
    "INVALID_MAC": (SpecError, "six bytes in hexadecimal, e.g. 52:54:00:12:34:56"),
    "AUTH_FAILED": (AccessDeniedError, _AUTH),
    "INVALID_STORAGE_POOL": (NotFoundError, ""),
    "INVALID_STORAGE_VOL": (NotFoundError, ""),
    "NO_STORAGE_POOL": (NotFoundError, ""),
    "NO_STORAGE_VOL": (NotFoundError, ""),
    "INVALID_NODE_DEVICE": (NotFoundError, ""),
    "NO_NODE_DEVICE": (NotFoundError, ""),
    "NO_SECURITY_MODEL": (UnsupportedError, ""),
    "OPERATION_INVALID": (ConflictError, "look at its state first"),
    "NO_INTERFACE": (NotFoundError, ""),
    "INVALID_INTERFACE": (NotFoundError, ""),
    "MULTIPLE_INTERFACES": (ConflictError, "name it by something unique"),
    "INVALID_NWFILTER": (NotFoundError, ""),
    "NO_NWFILTER": (NotFoundError, ""),
    "BUILD_FIREWALL": (HostError, "the host's firewall refused: see its libvirtd log"),
    "INVALID_SECRET": (NotFoundError, ""),
    "NO_SECRET": (NotFoundError, ""),
    "CONFIG_UNSUPPORTED": (UnsupportedError, ""),
    "OPERATION_TIMEOUT": (ConflictError, "another operation on it is under way: wait, or abort it"),
    "MIGRATE_PERSIST_FAILED": (HostError, "it runs on the destination, but only as transient"),
    "HOOK_SCRIPT_FAILED": (HostError, "see /etc/libvirt/hooks on the host"),
    "INVALID_DOMAIN_SNAPSHOT": (NotFoundError, ""),
    "NO_DOMAIN_SNAPSHOT": (NotFoundError, ""),
    "INVALID_STREAM": (ConnectionLostError, ""),
    "ARGUMENT_UNSUPPORTED": (UnsupportedError, ""),
    "STORAGE_PROBE_FAILED": (HostError, ""),
    "STORAGE_POOL_BUILT": (ConflictError, "it is built already: start it"),
    "SNAPSHOT_REVERT_RISKY": (ConflictError, ""),
    "OPERATION_ABORTED": (ConflictError, "somebody cancelled it; it can be started again"),
    "AUTH_CANCELLED": (AccessDeniedError, _AUTH),
    "NO_DOMAIN_METADATA": (NotFoundError, ""),
    "MIGRATE_UNSAFE": (
        ConflictError,
        (
            "put its disks on storage that both hosts share, copy them, or set cache='none'; "
            "unsafe=True if you know that it is safe"
        ),
    ),
    "OVERFLOW": (SpecError, "the number is too large"),
    "BLOCK_COPY_ACTIVE": (ConflictError, "end or abort the block job first"),
    "OPERATION_UNSUPPORTED": (UnsupportedError, ""),
    "SSH": (ConnectionLostError, ""),
    "AGENT_UNRESPONSIVE": (ConflictError, _GUEST_AGENT),
    "RESOURCE_BUSY": (ConflictError, "another operation on it is under way: wait, or abort it"),
    "ACCESS_DENIED": (AccessDeniedError, "the host's access policy (polkit) forbids it"),
    "DBUS_SERVICE": (HostError, ""),
    "STORAGE_VOL_EXIST": (ConflictError, "choose another name, or delete the old volume first"),
    "CPU_INCOMPATIBLE": (UnsupportedError, "choose a CPU model that both hosts have"),
    "XML_INVALID_SCHEMA": (SpecError, _SCHEMA),
    "MIGRATE_FINISH_OK": (HostError, ""),
    "AUTH_UNAVAILABLE": (AccessDeniedError, "no polkit agent is running: join the libvirt group"),
    "NO_SERVER": (NotFoundError, ""),
    "NO_CLIENT": (NotFoundError, ""),
    "AGENT_UNSYNCED": (ConflictError, _GUEST_AGENT),
    "LIBSSH": (ConnectionLostError, ""),
    "DEVICE_MISSING": (NotFoundError, ""),
    "INVALID_NWFILTER_BINDING": (NotFoundError, ""),
    "NO_NWFILTER_BINDING": (NotFoundError, ""),
    "INVALID_DOMAIN_CHECKPOINT": (NotFoundError, ""),
    "NO_DOMAIN_CHECKPOINT": (NotFoundError, ""),
    "NO_DOMAIN_BACKUP": (NotFoundError, ""),
    "INVALID_NETWORK_PORT": (NotFoundError, ""),
    "NETWORK_PORT_EXIST": (ConflictError, ""),
    "NO_NETWORK_PORT": (NotFoundError, ""),
    "NO_HOSTNAME": (HostError, "no guest agent or DHCP lease told a host name"),
    "CHECKPOINT_INCONSISTENT": (ConflictError, ""),
    "MULTIPLE_DOMAINS": (ConflictError, "name it by its UUID"),
    "NO_NETWORK_METADATA": (NotFoundError, ""),
}


@dataclass(frozen=True, slots=True)
class Hint:
    """What some words of libvirt mean.

    Attributes:
        pattern: regular expression looked for in libvirt's text, whatever the case.
        hint: what to try.
        codes: names of the codes it is meant for; empty means any.
        domains: names of the libvirt parts (``VIR_FROM_*``) it is meant for; empty means any.
        becomes: our class, where it is not the one of the code.
    """

    pattern: str
    hint: str
    codes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    becomes: ErrorClass | None = None


_OPENING = ("RPC", "REMOTE", "AUTH", "SSH", "LIBSSH")

HINTS: tuple[Hint, ...] = (
    # consoles
    Hint(r"create lock file for device .*file exists",
         "another libvirt daemon of this machine has a console open under the same number: "
         "close that one, or remove the lock file named above if nobody has",
         becomes=ConflictError),
    # opening and losing a connection
    Hint(r"host key verification failed|unknown host key|host key .*(not|mismatch)",
         "ssh to the host once by hand, or put its key into known_hosts",
         domains=_OPENING, becomes=AccessDeniedError),
    Hint(r"unable to read tls confirmation|unable to verify tls peer|server verification .*failed",
         "the daemon refuses our certificate: has it expired, is it revoked, of another authority, "
         "or missing from its tls_allowed_dn_list? its log says which",
         domains=_OPENING, becomes=AccessDeniedError),
    Hint(r"certificate|tls (handshake|session)|pki",
         "check cacert.pem, the certificates of both sides, and the host name in them",
         domains=_OPENING, becomes=AccessDeniedError),
    Hint(r"permission denied \(|authentication failed|no more authentication|access denied",
         _AUTH, domains=_OPENING, becomes=AccessDeniedError),
    Hint(r"could not resolve hostname|name or service not known|temporary failure in name|"
         r"no address associated|unable to resolve",
         "check the spelling of the host's name",
         domains=_OPENING, becomes=ConnectionLostError),
    Hint(r"connect socket to .*permission denied",
         "join the group that owns the socket (often 'libvirt'), or use qemu:///session",
         domains=_OPENING, becomes=AccessDeniedError),
    Hint(r"connect socket to|connection refused|unable to connect to server",
         _DAEMON, domains=_OPENING, becomes=ConnectionLostError),
    Hint(r": (command )?not found|no such file or directory: connection reset",
         "the host lacks the helper: install nc (netcat-openbsd) there, name it with netcat=, or use "
         "proxy=native",
         domains=_OPENING, becomes=ConnectionLostError),
    Hint(r"cannot recv data|cannot write data|end of file|client socket is closed|"
         r"connection closed|broken pipe|connection reset|hangup|keepalive",
         "", domains=_OPENING, becomes=ConnectionLostError),
    Hint(r"no route to host|network is unreachable|timed out",
         "check the network between here and the host",
         domains=_OPENING, becomes=ConnectionLostError),
    Hint(r"client socket is closed|connection closed due to keepalive|end of file while reading",
         "", ("INTERNAL_ERROR", "SYSTEM_ERROR"), becomes=ConnectionLostError),
    # state of domains
    Hint(r"cannot acquire state change lock",
         "another call about this domain hangs, perhaps because its QEMU does not answer: "
         "wait, abort the job, or destroy the domain", becomes=ConflictError),
    Hint(r"domain is not running|not running", "start it first", ("OPERATION_INVALID",)),
    Hint(r"already running|domain is already active", "it is running: nothing to start",
         ("OPERATION_INVALID",)),
    Hint(r"address already in use|failed to find an available port",
         "another program has the port: give migrate_uri another one or a unix socket; hosts that share "
         "a machine need their own migration_port_min and _max in qemu.conf", becomes=ConflictError),
    Hint(r"network is already in use by interface",
         "the host has a route to this subnet: host.free_subnet() proposes another",
         becomes=ConflictError),
    Hint(r"enabling ipv6 forwarding with ra routes",
         "the host learns its own routes by router advertisements: sysctl "
         "net.ipv6.conf.<device>.accept_ra=2 keeps them while it forwards", becomes=ConflictError),
    Hint(r"already in use|already exists", "choose another name, or remove the old one first",
         becomes=ConflictError),
    Hint(r"already defined with uuid|is already being (started|removed)|already active",
         "choose another name, or remove the old one first", becomes=ConflictError),
    Hint(r"managed save image",
         "start it, or remove the image with managed_save=True", becomes=ConflictError),
    Hint(r"cannot (undefine|delete).*(nvram|snapshot|checkpoint|tpm)|domain .*has .*snapshots",
         "say what becomes of it: nvram=, snapshots_metadata=, checkpoints_metadata=, tpm=",
         becomes=ConflictError),
    Hint(r"transient domain|domain is transient|not persistent",
         "a transient domain has no stored definition: use live=True, or define it first",
         ("OPERATION_INVALID", "OPERATION_UNSUPPORTED", "INVALID_ARG")),
    Hint(r"network '.*' is not active|network is not active",
         "start the network first", becomes=ConflictError),
    Hint(r"storage pool.* is not active", "start the pool first", becomes=ConflictError),
    Hint(r"(storage )?pool .* is still active|is already active",
         "stop it first", ("OPERATION_INVALID",)),
    Hint(r"guest agent is not (configured|connected|available|responding)|agent is not",
         _GUEST_AGENT, becomes=ConflictError),
    Hint(r"active console session exists|console .*already",
         "force=True takes it over", becomes=ConflictError),
    Hint(r"greater than max|higher than max|maximum vcpus|exceeds the maximum",
         "raise the maximum first (config, from the next start on)",
         ("INVALID_ARG", "OPERATION_INVALID", "INTERNAL_ERROR"), becomes=ConflictError),
    # devices
    Hint(r"is locked and force was not specified|timed out waiting to open tray",
         "the guest has locked the tray: unmount the disc there, or force=True opens it",
         becomes=ConflictError),
    Hint(r"tpm (version|model|backend type) .*(is )?not supported",
         "an emulated TPM needs swtpm on the host: apt-get install swtpm swtpm-tools",
         becomes=UnsupportedError),
    Hint(r"/sys/bus/usb/devices.*no such file", "this host has no USB bus at all",
         becomes=UnsupportedError),
    Hint(r"qdisc kind is unknown|\(tc .*unexpected exit status",
         "the host's kernel lacks traffic shaping (sch_htb, sch_sfq, act_police): rates of "
         "interfaces and networks cannot be limited there", becomes=UnsupportedError),
    Hint(r"no more available pci slots",
         "remove a device, or use a SCSI disk, which needs no slot; hotplug() counts them",
         becomes=ConflictError),
    # migration
    Hint(r"unsafe migration", CODES["MIGRATE_UNSAFE"][1], becomes=ConflictError),
    Hint(r"unsupported compression method",
         "this libvirt cannot compress parallel connections (9.1 and newer can): "
         "compression='xbzrle' without parallel", becomes=UnsupportedError),
    Hint(r"attempt to migrate guest to the same host",
         "the two hosts have the same host_uuid: set another in libvirtd.conf",
         becomes=ConflictError),
    Hint(r"canceled by client|cancelled by client", "it was cancelled; it goes on where it was",
         becomes=ConflictError),
    Hint(r"unable to connect to server at .*49\d\d\d|migration .*connect",
         "give migrate_uri an address of the destination that the source can reach"),
    # files and rights on the host
    Hint(r"failed to get shared \"write\" lock|is another process using the image",
         "another QEMU uses this image: stop that domain first", becomes=ConflictError),
    Hint(r"failed to log in to target.*authentication",
         "the server refuses user or password: check auth of the pool and the value of its secret",
         becomes=AccessDeniedError),
    Hint(r"failed to (connect to|login).*(refused|unreachable|timed out|connect)",
         "is the iSCSI server up, and is the port right (3260)?"),
    Hint(r"no space left|disk quota exceeded", "free some space on the host, or use another pool"),
    Hint(r"read.only (access|connection)|forbidden for read only",
         _RIGHTS, becomes=AccessDeniedError),
    Hint(r"permission denied|operation not permitted",
         "the daemon or QEMU may not touch it: check owner and mode of the path and of its folders",
         becomes=AccessDeniedError),
    Hint(r"no such file or directory",
         "check the path as the host sees it",
         ("SYSTEM_ERROR", "INTERNAL_ERROR", "OPEN_FAILED"), becomes=NotFoundError),
    Hint(r"cannot allocate memory|cannot set up guest memory",
         "the host has too little free memory: give it less, or stop something"),
    # what this host can do
    Hint(r"firewalld is not active", "leave zone out, or start firewalld on the host",
         becomes=UnsupportedError),
    Hint(r"no (usable )?vf'?s|is not an sr-iov",
         "the card has no virtual functions: make some (sriov_numvfs), or name another card",
         becomes=UnsupportedError),
    Hint(r"(cannot find|not found|no such file).*dnsmasq|dnsmasq.*(not found|no such file or dir)",
         "the host lacks dnsmasq (package dnsmasq-base)", becomes=UnsupportedError),
    Hint(r"could not find capabilities|kvm is not available|failed to initialize kvm|"
         r"invalid accelerator kvm|domaintype=kvm|could not access kvm|support virt type 'kvm'",
         "this host has no usable KVM: use virt='qemu' (slow, works everywhere)",
         becomes=UnsupportedError),
    Hint(r"unsupported machine type|machine type .* (not|does)",
         "choose a machine that the host's capabilities list", becomes=UnsupportedError),
    Hint(r"is not supported (by|in|for|with)|not supported",
         "", ("INTERNAL_ERROR", "OPERATION_FAILED"), becomes=UnsupportedError),
)  # fmt: skip


@cache
def _numbers() -> dict[int, str]:
    found = {}
    for name in CODES:
        number = getattr(libvirt, f"VIR_ERR_{name}", None)
        if number is not None:
            found[number] = name
    return found


@cache
def _part_names() -> dict[int, str]:
    prefix = "VIR_FROM_"
    return {getattr(libvirt, n): n[len(prefix) :] for n in dir(libvirt) if n.startswith(prefix)}


def code_name(error: libvirt.libvirtError) -> str:
    """Return the name of an error's code without ``VIR_ERR_``; empty for one we do not know."""
    return _numbers().get(error.get_error_code() or 0, "")


def is_code(error: libvirt.libvirtError, *names: str) -> bool:
    """Whether an error has one of the codes, named without ``VIR_ERR_``."""
    return code_name(error) in names


def _find_hint(name: str, part: str, text: str) -> Hint | None:
    for hint in HINTS:
        fits = (not hint.codes or name in hint.codes) and (not hint.domains or part in hint.domains)
        if fits and re.search(hint.pattern, text, re.IGNORECASE | re.DOTALL):
            return hint
    return None


def translate(
    error: libvirt.libvirtError,
    asked: str,
    *,
    uri: str,
    opening: bool = False,
    lost: bool = False,
) -> LabvirtError:
    """Return our error for one of libvirt's; the caller raises it ``from`` the cause.

    Args:
        error: what libvirt raised.
        asked: what was asked, of which object, e.g. ``start domain web1``.
        uri: the host, without secrets.
        opening: the connection was being opened: an unspecific failure means there is no link.
        lost: the link is known to be broken.
    """
    text = str(error.get_error_message() or error).strip()
    name = code_name(error)
    kind, hint = CODES.get(name, (HostError, ""))
    found = _find_hint(name, _part_names().get(error.get_error_domain() or 0, ""), text)
    if found is not None:
        kind, hint = found.becomes or kind, found.hint or hint
    if lost or (opening and kind in (HostError, NotFoundError)):
        kind = ConnectionLostError
    if lost:
        hint = "the connection comes back by itself; then look at the object again"
    if issubclass(kind, SpecError):
        return _as_spec_error(asked, uri, text, hint)
    facts: dict[str, Any] = {
        "code": error.get_error_code() or 0,
        "domain": error.get_error_domain() or 0,
    }
    return kind(asked, uri=uri, libvirt_text=text, hint=hint, **facts)


def _as_spec_error(asked: str, uri: str, text: str, hint: str) -> SpecError:
    first, _, rest = text.partition("\n")
    lines = [line.strip() for line in rest.splitlines() if line.strip()] or [first]
    problems = [Problem("xml", "", line) for line in lines]
    return SpecError(f"{asked} on {uri} was refused by libvirt: {first}", problems, hint=hint)
