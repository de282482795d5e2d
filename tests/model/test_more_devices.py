"""The smaller devices as XML of their own: what libvirt's schema takes, and what is refused."""

from __future__ import annotations

import pytest

from labvirt.errors import SpecError
from labvirt.model import (
    CdromSpec,
    ChannelSpec,
    ConsoleSpec,
    ControllerSpec,
    DiskSpec,
    DomainXml,
    FilesystemSpec,
    FloppySpec,
    HostPciSpec,
    HostUsbSpec,
    InputSpec,
    InterfaceSpec,
    IommuSpec,
    MemballoonSpec,
    PanicSpec,
    RngSpec,
    ShmemSpec,
    SoundSpec,
    TpmSpec,
    VsockSpec,
)

DOMAIN = (
    "<domain type='qemu'><name>a</name><memory>1</memory><os><type>hvm</type></os>"
    "<devices/></domain>"
)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            CdromSpec(path="/a.iso", bus="sata", target="sda"),
            ["device='cdrom'", "type='raw'", "<readonly/>"],
        ),
        (CdromSpec(bus="sata", target="sda"), ["device='cdrom'", "<target dev='sda' bus='sata'/>"]),
        (FloppySpec(path="/a.img", target="fda"), ["device='floppy'", "bus='fdc'"]),
        (
            DiskSpec(path="/a", target="vda", bytes_per_s="2 MiB", iops=100),
            ["<total_bytes_sec>2097152<", "<total_iops_sec>100<"],
        ),
        (
            InterfaceSpec(kind="user", inbound="1 MiB", outbound="512 KiB"),
            ["<inbound average='1024'/>", "<outbound average='512'/>"],
        ),
        (SoundSpec(), ["<sound model='ich9'/>"]),
        (InputSpec(), ["<input type='tablet' bus='usb'/>"]),
        (InputSpec(kind="keyboard", bus="virtio"), ["type='keyboard' bus='virtio'"]),
        (RngSpec(rate="4 KiB"), ["<rate bytes='4096' period='1000'/>", ">/dev/urandom<"]),
        (TpmSpec(), ["model='tpm-crb'", "<backend type='emulator' version='2.0'/>"]),
        (TpmSpec(model="tpm-tis", path="/dev/tpm0"), ["passthrough", "<device path='/dev/tpm0'/>"]),
        (PanicSpec(), ["<panic model='isa'/>"]),
        (MemballoonSpec(stats_period_s=5), ["<stats period='5'/>"]),
        (MemballoonSpec(model="none"), ["<memballoon model='none'/>"]),
        (ControllerSpec(), ["<controller type='scsi' model='virtio-scsi'/>"]),
        (ControllerSpec(kind="usb", model="qemu-xhci", index=1), ["index='1'"]),
        (VsockSpec(), ["<cid auto='yes'/>"]),
        (VsockSpec(cid=7), ["address='7'"]),
        (ShmemSpec(name="pad"), ["<shmem name='pad'>", "<size unit='M'>4</size>"]),
        (IommuSpec(), ["<iommu model='intel'/>"]),
        (
            FilesystemSpec(path="/srv", tag="share"),
            ["<driver type='virtiofs'/>", "accessmode='passthrough'", "<target dir='share'/>"],
        ),
        (
            FilesystemSpec(driver="9p", path="/srv", tag="s", readonly=True),
            ["accessmode='mapped'", "<readonly/>"],
        ),
        (HostUsbSpec(vendor=0x46D, product=0xC31C), ["id='0x046d'", "id='0xc31c'"]),
        (HostUsbSpec(bus=1, device=3), ["<address bus='1' device='3'/>"]),
        (
            HostPciSpec(address="0000:06:12.5"),
            ["managed='yes'", "bus='0x06' slot='0x12' function='0x5'"],
        ),
        (HostPciSpec(address="pci_0000_06_12_5"), ["bus='0x06' slot='0x12' function='0x5'"]),
        (ConsoleSpec(), ["<console type='pty'>", "<target type='virtio'/>"]),
        (ChannelSpec(), ["<channel type='unix'>", "name='org.qemu.guest_agent.0'"]),
        (ChannelSpec(name="com.redhat.spice.0"), ["<channel type='spicevmc'>"]),
        (ChannelSpec(name="x", path="/run/x"), ["<source mode='bind' path='/run/x'/>"]),
    ],
)
def test_a_device_is_what_libvirts_schema_allows(spec, words, schema):
    text = spec.to_xml()
    for word in words:
        assert word in text
    domain = DomainXml.parse(DOMAIN)
    domain.add_device(text)
    problems = schema.check(domain.text())
    assert problems == (), [str(one) for one in problems]
    assert type(spec).model_validate_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: InputSpec(kind="tablet", bus="ps2"), "no tablet"),
        (lambda: TpmSpec(version="1.2"), "2.0 only"),
        (lambda: ShmemSpec(name="a", size="3 MiB"), "power of two"),
        (lambda: ShmemSpec(name="a/b"), "name"),
        (lambda: FilesystemSpec(path="srv", tag="a"), "absolute"),
        (lambda: FilesystemSpec(path="/srv", tag="a", access="mapped"), "passthrough only"),
        (lambda: FilesystemSpec(path="/srv", tag="a", readonly=True), "9p"),
        (lambda: FilesystemSpec(driver="9p", path="/srv", tag="a", binary="/v"), "no daemon"),
        (HostUsbSpec, "is missing"),
        (lambda: HostUsbSpec(vendor=1), "both halves"),
        (lambda: HostUsbSpec.model_validate("46d"), "vendor:product"),
        (lambda: HostPciSpec(address="6:12"), "no PCI address"),
        (lambda: ConsoleSpec(kind="file"), "needs it"),
        (lambda: ChannelSpec(kind="pty", path="/x"), "has none"),
        (lambda: ChannelSpec(name="a b"), "name"),
        (lambda: VsockSpec(cid=2), "at least 3"),
        (lambda: RngSpec(path="urandom"), "absolute"),
        (lambda: CdromSpec(size="1 MiB"), "existing image"),
        (lambda: CdromSpec(path="/a", bus="virtio"), "no CD drives"),
        (lambda: FloppySpec(path="/a", bus="sata"), "floppy"),
        (lambda: CdromSpec(path="/a", device="disk"), "device"),
        (lambda: ControllerSpec(kind="floppy"), "allowed"),
    ],
)
def test_what_cannot_be_is_refused(make, word):
    with pytest.raises(SpecError, match=word):
        make()


def test_short_forms():
    assert HostUsbSpec.model_validate("046d:c31c") == HostUsbSpec(vendor=0x46D, product=0xC31C)
    assert HostPciSpec.model_validate("0000:06:12.5").address == "0000:06:12.5"
    assert SoundSpec.model_validate("ac97").model == "ac97"
    assert ChannelSpec.model_validate("a.b").name == "a.b"
    assert CdromSpec.model_validate("/a.iso").source.path == "/a.iso"
