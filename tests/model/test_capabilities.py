"""Capabilities are read into records; what is unknown or malformed does no harm."""

from __future__ import annotations

import dataclasses

import pytest

from labvirt.errors import SpecError
from labvirt.model.units import Size
from labvirt.model.xml.capabilities import Capabilities, DomainCapabilities


@pytest.fixture
def read(data):
    return lambda name: (data / "capabilities" / f"{name}.xml").read_text()


def test_a_host_with_qemu_is_read(read):
    host = Capabilities.parse(read("host-qemu"))
    assert host.arch == "x86_64"
    assert host.host_uuid.endswith("000000000000")
    assert host.cpu_vendor == "AMD"
    assert (host.sockets, host.dies, host.cores, host.threads) == (1, 1, 2, 1)
    assert host.cells[0].cpus == (0, 1)
    assert host.cells[0].memory > Size.parse("1 GiB")
    assert "tcp" in host.migration_transports
    guest = host.guest()
    assert guest.emulator == "/usr/bin/qemu-system-x86_64"
    assert guest.domain_types == ("qemu",)
    assert guest.word_size == 64
    assert guest.canonical["pc"] == "pc-i440fx-7.2"
    assert "q35" in guest.machines


def test_only_the_kinds_of_guest_that_fit_are_found(read):
    host = Capabilities.parse(read("host-qemu"))
    assert host.guest(domain_type="kvm") is None
    assert host.guest(arch="i686").word_size == 32
    assert host.guest(os_type="xen") is None


def test_a_host_with_xen_is_read_with_what_it_does_not_tell(read):
    host = Capabilities.parse(read("host-xen"))
    assert host.host_uuid == ""
    assert host.sockets == 1
    assert [cell.memory for cell in host.cells] == [None, Size.parse("4 GiB")]
    assert host.security_models == ("selinux",)
    assert [guest.os_type for guest in host.guests] == ["xen", "hvm"]
    assert host.guest(domain_type="kvm").word_size == 0


def test_what_a_domain_may_have_is_read(read):
    domain = DomainCapabilities.parse(read("domain-qemu-q35"))
    assert domain.machine == "pc-q35-7.2"
    assert domain.domain_type == "qemu"
    assert domain.max_vcpus == 288
    assert "sata" in domain.disk_buses
    assert "ide" not in domain.disk_buses
    assert "vnc" in domain.graphics_types
    assert "virtio" in domain.video_models
    assert not domain.cpu_modes["host-passthrough"].is_supported
    custom = domain.cpu_modes["custom"]
    assert "qemu64" in custom.usable_models
    assert set(custom.usable_models) < set(custom.models)
    assert domain.features["vmcoreinfo"]
    assert not domain.features["sev"]
    assert domain.devices["tpm"]
    assert domain.firmwares == ()
    assert not domain.has_secure_boot


def test_firmware_and_secure_boot_are_seen():
    domain = DomainCapabilities.parse(
        "<domainCapabilities><os supported='yes'><enum name='firmware'><value>efi</value></enum>"
        "<loader supported='yes'><value>/OVMF.fd</value><enum name='secure'><value>yes</value>"
        "</enum></loader></os></domainCapabilities>"
    )
    assert domain.firmwares == ("efi",)
    assert domain.loaders == ("/OVMF.fd",)
    assert domain.has_secure_boot
    assert domain.max_vcpus == 0


@pytest.mark.parametrize("cls", [Capabilities, DomainCapabilities])
@pytest.mark.parametrize("text", ["<domain/>", "", "<!DOCTYPE x><capabilities/>", "no xml"])
def test_another_document_is_refused(cls, text):
    with pytest.raises(SpecError):
        cls.parse(text)


def test_the_smallest_documents_are_read():
    assert Capabilities.parse("<capabilities/>").guests == ()
    assert DomainCapabilities.parse("<domainCapabilities/>").enums == {}


def test_records_cannot_be_changed(read):
    host = Capabilities.parse(read("host-qemu"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        host.arch = "x"
