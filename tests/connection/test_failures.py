"""Failures: every code of the installed libvirt has its place, and the words become advice."""

from __future__ import annotations

import libvirt
import pytest

from labvirt.connection.failures import CODES, HINTS, code_name, is_code, translate
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    ConnectionLostError,
    HostError,
    NotFoundError,
    SpecError,
    UnsupportedError,
)

#: Names that look like codes and are none: levels of seriousness, and "no error".
LEVELS = {"NONE", "WARNING", "ERROR"}


def failure(code: str, text: str, part: str = "NONE") -> libvirt.libvirtError:
    error = libvirt.libvirtError(text)
    number = getattr(libvirt, f"VIR_ERR_{code}")
    error.err = (number, getattr(libvirt, f"VIR_FROM_{part}"), text, 2, "", None, None, -1, -1)
    return error


def test_every_code_of_the_installed_libvirt_is_mapped_on_purpose():
    known = {name.removeprefix("VIR_ERR_") for name in dir(libvirt) if name.startswith("VIR_ERR_")}
    assert sorted(known - LEVELS - set(CODES)) == []


@pytest.mark.parametrize("code", [code for code in CODES if hasattr(libvirt, f"VIR_ERR_{code}")])
def test_every_code_becomes_an_error_that_says_what_was_asked_and_what_libvirt_said(code):
    cause = failure(code, "something broke")
    error = translate(cause, "start domain web1", uri="qemu:///system")
    assert isinstance(error, CODES[code][0])
    assert "start domain web1" in str(error)
    assert "qemu:///system" in str(error)
    assert "something broke" in str(error)
    assert error.hint == CODES[code][1]
    if isinstance(error, HostError):
        assert error.code == cause.get_error_code()
    assert code_name(cause) == code
    assert is_code(cause, "NOTHING", code)


def test_a_code_from_the_future_is_a_plain_host_error():
    error = libvirt.libvirtError("new trouble")
    error.err = (9999, 9999, "new trouble", 2, None, None, None, -1, -1)
    told = translate(error, "start domain web1", uri="qemu:///system")
    assert type(told) is HostError
    assert (told.code, told.domain) == (9999, 9999)
    assert code_name(error) == ""


def test_an_error_without_details_is_a_plain_host_error():
    error = libvirt.libvirtError("virDomainCreate() failed")
    error.err = None
    told = translate(error, "start domain web1", uri="qemu:///system")
    assert type(told) is HostError
    assert "virDomainCreate() failed" in str(told)
    assert not is_code(error, "NO_DOMAIN")


SAID = [
    (
        "MIGRATE_UNSAFE", "QEMU",
        "Unsafe migration: Migration without shared storage is unsafe",
        ConflictError, "storage that both hosts share",
    ),
    (
        "OPERATION_TIMEOUT", "QEMU",
        "Timed out during operation: cannot acquire state change lock (held by monitor=x)",
        ConflictError, "does not answer",
    ),
    (
        "OPERATION_INVALID", "NETWORK",
        "Requested operation is not valid: network 'default' is not active",
        ConflictError, "start the network first",
    ),
    (
        "OPERATION_INVALID", "STORAGE",
        "Requested operation is not valid: storage pool 'p' is not active",
        ConflictError, "start the pool first",
    ),
    (
        "OPERATION_INVALID", "DOMAIN",
        "Requested operation is not valid: domain is not running",
        ConflictError, "start it first",
    ),
    (
        "OPERATION_INVALID", "QEMU",
        "Requested operation is not valid: Refusing to undefine while domain managed save image exists",
        ConflictError, "managed_save=True",
    ),
    (
        "OPERATION_FAILED", "DOMAIN",
        "operation failed: domain 'web1' already exists with uuid 1",
        ConflictError, "choose another name",
    ),
    (
        "OPERATION_FAILED", "QEMU",
        "operation failed: timed out waiting to open tray of 'hda'",
        ConflictError, "force=True opens it",
    ),
    (
        "CONFIG_UNSUPPORTED", "QEMU",
        "unsupported configuration: TPM version '2.0' is not supported",
        UnsupportedError, "swtpm",
    ),
    (
        "SYSTEM_ERROR", "NONE",
        "cannot open directory '/sys/bus/usb/devices': No such file or directory",
        UnsupportedError, "no USB bus",
    ),
    (
        "INTERNAL_ERROR", "NONE",
        "internal error: No more available PCI slots",
        ConflictError, "hotplug() counts them",
    ),
    (
        "INTERNAL_ERROR", "NONE",
        "internal error: Child process (tc qdisc add dev vnet0) unexpected exit status 2: Error: x",
        UnsupportedError, "traffic shaping",
    ),
    (
        "OPERATION_FAILED", "QEMU",
        "operation failed: migration out job: canceled by client",
        ConflictError, "goes on where it was",
    ),
    (
        "SYSTEM_ERROR", "STORAGE",
        "cannot open file '/x.img': Permission denied",
        AccessDeniedError, "owner and mode",
    ),
    (
        "SYSTEM_ERROR", "STORAGE",
        "cannot fill file '/x': No space left on device",
        HostError, "free some space",
    ),
    (
        "SYSTEM_ERROR", "STORAGE",
        "Cannot access storage file '/x': No such file or directory",
        NotFoundError, "check the path",
    ),
    (
        "INTERNAL_ERROR", "QEMU",
        'internal error: process exited while connecting to monitor: Failed to get shared "write" lock',
        ConflictError, "another QEMU uses this image",
    ),
    (
        "INTERNAL_ERROR", "QEMU",
        "internal error: qemu closed the monitor: cannot set up guest memory: Cannot allocate memory",
        HostError, "too little free memory",
    ),
    (
        "INTERNAL_ERROR", "QEMU",
        "internal error: 'migrate-incoming': Failed to find an available port: Address already in use",
        ConflictError, "migration_port_min",
    ),
    (
        "INVALID_ARG", "QEMU",
        "invalid argument: could not find capabilities for domaintype=kvm",
        UnsupportedError, "virt='qemu'",
    ),
    (
        "CONFIG_UNSUPPORTED", "QEMU",
        "unsupported configuration: Emulator does not support machine type 'q99'",
        UnsupportedError, "",
    ),
    (
        "INVALID_ARG", "QEMU",
        "invalid argument: cannot set memory higher than max memory",
        ConflictError, "raise the maximum",
    ),
    (
        "AGENT_UNRESPONSIVE", "QEMU",
        "Guest agent is not responding: QEMU guest agent is not connected",
        ConflictError, "start qemu-guest-agent",
    ),
    (
        "OPERATION_DENIED", "REMOTE",
        "operation virDomainCreate forbidden for read only access",
        AccessDeniedError, "without readonly",
    ),
    (
        "OPERATION_FAILED", "QEMU",
        "operation failed: Active console session exists for this domain",
        ConflictError, "force=True",
    ),
    (
        "AUTH_FAILED", "AUTH", "authentication failed: Failed to verify peer's certificate",
        AccessDeniedError, "cacert.pem",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "part", "text", "kind", "advice"), SAID)
def test_what_libvirt_says_becomes_the_right_class_and_advice(code, part, text, kind, advice):
    error = translate(failure(code, text, part), "do it", uri="qemu:///system")
    assert type(error) is kind
    assert advice in error.hint
    assert error.libvirt_text == text


OPENING = [
    ("Failed to connect socket to '/x': No such file or directory", ConnectionLostError, "libvirtd"),
    ("Failed to connect socket to '/x': Connection refused", ConnectionLostError, "libvirtd"),
    ("Failed to connect socket to '/x': Permission denied", AccessDeniedError, "group"),
    ("Unable to resolve address 'x' service '1': Name or service not known",
     ConnectionLostError, "spelling"),
    ("unable to connect to server at 'x:1': No route to host", ConnectionLostError, ""),
    ("Cannot recv data: Host key verification failed.: Connection reset by peer",
     AccessDeniedError, "known_hosts"),
    ("Cannot recv data: u@h: Permission denied (publickey,password).: Connection reset by peer",
     AccessDeniedError, "key"),
    ("Cannot recv data: ssh: connect to host h port 22: Connection refused: Connection reset by peer",
     ConnectionLostError, "libvirtd"),
    ("Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file or directory",
     AccessDeniedError, "cacert.pem"),
    ("Cannot recv data: bash: line 1: nc: command not found: Connection reset by peer",
     ConnectionLostError, ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "advice"), OPENING)
def test_an_open_that_fails_says_whether_nobody_is_there_or_we_may_not(text, kind, advice):
    cause = failure("SYSTEM_ERROR", text, "RPC")
    error = translate(cause, "open a connection", uri="qemu+ssh://h/system", opening=True)
    assert type(error) is kind
    assert advice in error.hint


def test_an_unspecific_failure_to_open_means_that_there_is_no_link():
    cause = failure("INTERNAL_ERROR", "internal error: the wire is bent", "NONE")
    error = translate(cause, "open a connection", uri="qemu:///system", opening=True)
    assert type(error) is ConnectionLostError


def test_a_broken_link_counts_more_than_what_libvirt_says():
    cause = failure("SYSTEM_ERROR", "Cannot write data: Broken pipe", "RPC")
    error = translate(cause, "start domain web1", uri="qemu:///system", lost=True)
    assert type(error) is ConnectionLostError
    assert "comes back by itself" in error.hint


def test_a_refused_document_names_each_line_of_libvirts_answer():
    text = (
        "XML document failed to validate against schema: Unable to validate doc against "
        "/usr/share/libvirt/schemas/domain.rng\nExtra element bogus in interleave\n"
        "Element domain failed to validate content\n"
    )
    error = translate(failure("XML_INVALID_SCHEMA", text), "define domain x", uri="qemu:///system")
    assert isinstance(error, SpecError)
    assert [problem.why for problem in error.problems] == [
        "Extra element bogus in interleave",
        "Element domain failed to validate content",
    ]
    assert error.exit_code == 2


def test_every_row_of_the_hints_names_things_that_exist_and_helps():
    for hint in HINTS:
        assert hint.hint or hint.becomes is not None
        assert all(code in CODES for code in hint.codes)
        assert all(hasattr(libvirt, f"VIR_FROM_{part}") for part in hint.domains)


def test_no_row_of_the_hints_stands_twice():
    rows = [(hint.pattern, hint.codes, hint.domains) for hint in HINTS]
    assert len(rows) == len(set(rows))
