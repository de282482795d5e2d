"""The order in which libvirt itself writes the children of its elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labvirt.model.xml.source import is_element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element as Element

__all__ = ["ORDER", "insert_in_order"]

_QEMU: Final = "{http://libvirt.org/schemas/domain/qemu/1.0}"

_DNSMASQ: Final = "{http://libvirt.org/schemas/network/dnsmasq/1.0}"

# From the virDomain*Format functions of libvirt's src/conf/domain_conf.c, 9.0 to 11.
ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    key: tuple(words.split())
    for key, words in {
        "domain": f"""name uuid genid hwuuid title description metadata maxMemory memory
            currentMemory blkiotune memtune memoryBacking vcpu vcpus iothreads iothreadids
            defaultiothread cputune numatune resource sysinfo bootloader bootloader_args os idmap
            features cpu clock on_poweroff on_reboot on_crash on_lockfailure pm perf devices
            seclabel {_QEMU}commandline {_QEMU}capabilities {_QEMU}override keywrap
            launchSecurity""",
        "os": """type firmware init initarg initenv initdir inituser initgroup loader nvram kernel
            initrd cmdline dtb root acpi boot bootmenu smbios bios""",
        "features": """pae acpi apic hap viridian privnet hyperv kvm xen pvspinlock pmu vmport gic
            smm ioapic hpt htm nested-hv ccf-assist capabilities vmcoreinfo msrs cfpc sbbc ibs
            tcg async-teardown ras ps2""",
        "memoryBacking": "hugepages nosharepages locked source access allocation discard",
        "cpu": "model vendor topology cache maxphysaddr feature numa",
        "clock": "timer",
        "pm": "suspend-to-mem suspend-to-disk",
        "devices": """emulator disk controller lease filesystem interface smartcard serial parallel
            console channel input tpm graphics sound audio video hostdev redirdev redirfilter hub
            watchdog memballoon rng nvram panic shmem memory iommu vsock crypto""",
        "disk": """driver auth source backingStore backenddomain geometry blockio mirror target
            iotune readonly shareable transient serial wwn vendor product encryption boot alias
            acpi address""",
        "interface": """mac source vlan virtualport bandwidth port portForward ip route script
            backenddomain target guest model driver backend filterref tune link mtu coalesce
            teaming boot alias rom acpi address""",
        "graphics": "listen channel image jpeg zlib playback streaming clipboard mouse filetransfer gl",
        "serial": "source protocol log target alias address",
        "parallel": "source protocol log target alias address",
        "console": "source protocol log target alias address",
        "channel": "source protocol log target alias address",
        "video": "driver model alias address",
        "controller": "driver model target pcihole64 alias master address",
        "memballoon": "stats driver alias address",
        "rng": "rate backend driver alias address",
        "input": "driver source alias address",
        "tpm": "backend alias address",
        "watchdog": "alias address",
        "filesystem": """driver binary source target readonly space_hard_limit space_soft_limit
            alias address""",
        "sound": "codec audio alias address",
        "panic": "alias address",
        "vsock": "cid driver alias address",
        "shmem": "model size server msi alias address",
        "iommu": "driver alias address",
        "hostdev": "driver source teaming readonly shareable boot alias rom acpi address",
        "network": f"""name uuid title description metadata forward bridge mtu mac domain dns vlan
            bandwidth port ip route virtualport portgroup {_DNSMASQ}options""",
        "forward": "pf driver nat interface address",
        "nat": "address port",
        "dns": "forwarder txt srv host",
        "bandwidth": "inbound outbound",
        "portgroup": "virtualport bandwidth vlan",
        "ip": "tftp dhcp",
        "dhcp": "range host bootp",
        "pool": "name uuid capacity allocation available features source target",
        "volume": "name key source capacity allocation physical target backingStore",
        "target": "path format permissions timestamps encryption compat nocow clusterSize features "
        "model",
        "permissions": "mode owner group label",
    }.items()
}


def insert_in_order(parent: Element, child: Element) -> None:
    """Put ``child`` where libvirt would write it among the children of ``parent``.

    It goes after the last sibling that comes before it in libvirt's order, so that a comment
    stays next to the element that it precedes. Siblings nobody knows are not moved.
    """
    order = ORDER.get(str(parent.tag), ())
    if child.tag not in order:
        same = [place for place, one in enumerate(parent) if one.tag == child.tag]
        parent.insert(same[-1] + 1 if same else len(parent), child)
        return
    rank = order.index(child.tag)
    elements = [(place, one) for place, one in enumerate(parent) if is_element(one)]
    before = [place for place, one in elements if one.tag in order[: rank + 1]]
    if before:
        parent.insert(before[-1] + 1, child)
        return
    after = [place for place, one in elements if one.tag in order[rank + 1 :]]
    parent.insert(after[0] if after else len(parent), child)
