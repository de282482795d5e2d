"""Forms for networks, storage pools and volumes, by the maker of all forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import LabvirtError, SpecError
from labvirt.model.network import NetworkSpec
from labvirt.model.pool import PoolSpec
from labvirt.model.volume import VolumeSpec
from labvirt.widgets.forms.capacity import short
from labvirt.widgets.forms.clashes import readouts, subnet_clashes
from labvirt.widgets.forms.planning import PlanForm
from labvirt.widgets.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from labvirt.widgets.forms.tree import Section

__all__ = ["network_form", "pool_form", "volume_form"]

_NETWORK: Final[tuple[Section, ...]] = (
    (
        "general",
        N_("General"),
        ("name", "forward", "forward_dev", "devices", "pf", "pci", "bridge", "openvswitch"),
    ),
    ("addresses", N_("Addresses"), ("ips", "routes", "ipv6", "nat")),
    (
        "names",
        N_("Names (DNS)"),
        (
            *("dns", "domain", "domain_local", "dns_forwarders", "dns_hosts", "dns_txts"),
            *("dns_srvs", "dnsmasq_options"),
        ),
    ),
    (
        "limits",
        N_("Limits and classes"),
        ("inbound", "outbound", "port_isolated", "vlan", "portgroups"),
    ),
    ("more", N_("More settings"), ("stp", "delay_s", "zone", "mtu", "mac", "uuid")),
)
_POOL: Final[tuple[Section, ...]] = (
    ("general", N_("General"), ("name", "kind", "path")),
    (
        "source",
        N_("Source"),
        (
            *("device", "devices", "target", "hosts", "dir", "source_name", "format", "adapter"),
            *("initiator", "auth", "rbd_options"),
        ),
    ),
    (
        "more",
        N_("More settings"),
        (
            *("mode", "owner", "group", "protocol_version", "mount_options", "part_separator"),
            *("cow", "refresh_allocation", "uuid"),
        ),
    ),
)
_VOLUME: Final[tuple[Section, ...]] = (
    ("general", N_("General"), ("name", "capacity", "format", "allocation")),
    ("backing", N_("Backing image"), ("backing_path", "backing_format")),
    ("secret", N_("Encryption"), ("encryption",)),
    (
        "more",
        N_("More settings"),
        (
            *("preallocation", "mode", "owner", "group", "compat", "cluster_size"),
            *("lazy_refcounts", "extended_l2", "nocow"),
        ),
    ),
)
_AUTOSTART: Final = {
    "start": (N_("Start it when it is made"), N_("Off: it is only defined"), True),
    "autostart": (
        N_("Autostart"),
        N_("Start it whenever the host's libvirt starts"),
        True,
    ),
}


def network_form(host: Any) -> PlanForm[NetworkSpec]:
    """Return a form that makes a virtual network (G16.15); a free subnet is filled in.

    Overlaps are found while one types: the plan says which subnet is in the way.

    Raises:
        SpecError: `host` is no host.
    """
    return _NetworkForm(_host(host, "network_form"))


def pool_form(host: Any) -> PlanForm[PoolSpec]:
    """Return a form that makes a storage pool of any type (guide 12).

    Raises:
        SpecError: `host` is no host.
    """
    _host(host, "pool_form")
    build = N_("Make its folder, file system or volume group")
    losing = N_("What was on it is lost; only with Build")
    return PlanForm(
        PoolSpec,
        title=N_("Create a storage pool"),
        verb=N_("Create pool"),
        plan=host.plan,
        host=host,
        sections=_POOL,
        options={
            **_AUTOSTART,
            "build": (N_("Build"), build, False),
            "overwrite": (N_("Format whatever is on the device"), losing, False),
        },
    )


def volume_form(pool: Any) -> PlanForm[VolumeSpec]:
    """Return a form that makes a volume in a pool (guide 12.4.2), with the space that is left.

    Raises:
        SpecError: `pool` is no storage pool.
    """
    if not hasattr(pool, "volumes"):
        raise SpecError(f"volume_form: {type(pool).__name__} is no pool", hint="host.pools[...]")
    return _VolumeForm(pool)


class _NetworkForm(PlanForm[NetworkSpec]):
    """With a subnet that nobody uses."""

    def __init__(self, host: Any) -> None:
        super().__init__(
            NetworkSpec,
            title=N_("Create a virtual network"),
            verb=N_("Create network"),
            plan=host.plan,
            host=host,
            sections=_NETWORK,
            options=_AUTOSTART,
        )
        self._note = ""

    def propose(self) -> None:
        """Fill in a free subnet with a DHCP range, where no address was given.

        Raises:
            LabvirtError: the host gives no answer, or has none free.
        """
        subnet = self.host.free_subnet()
        addresses = list(subnet.hosts())
        with self._lock:
            if self.state.counts.get("ips"):
                return
            self.state.add("ips")
            self.state.set("ips[0].address", f"{addresses[0]}/{subnet.prefixlen}")
            self.state.set("ips[0].dhcp_start", str(addresses[len(addresses) // 2]))
            self.state.set("ips[0].dhcp_end", str(addresses[-1]))
            self._note = _("{subnet} is free on {host}").format(subnet=subnet, host=self.host.name)

    def _ask_host(self) -> None:
        try:
            self.propose()
        except LabvirtError as error:
            self._note = error.what
        super()._ask_host()

    def clashes(self) -> Mapping[str, str]:
        """Return names and addresses that are taken."""
        offer = self.choices.offer
        found = subnet_clashes(self.state.raw, offer) if offer is not None else {}
        return {**super().clashes(), **found}

    def more(self) -> dict[str, Any]:
        """Return what was found free, and what the addresses mean."""
        notes = [self._note] if self._note else []
        told = [*notes, *readouts(self.state.raw)]
        return {**super().more(), "notes": [("info", text) for text in told]}


class _VolumeForm(PlanForm[VolumeSpec]):
    """With the space that the pool has left."""

    def __init__(self, pool: Any) -> None:
        super().__init__(
            VolumeSpec,
            title=N_("Create a volume"),
            verb=N_("Create volume"),
            plan=pool.plan,
            host=pool.host,
            sections=_VOLUME,
        )
        self.pool = pool
        self._note: tuple[str, str] | None = None
        self._free: int | None = None
        self._taken: tuple[str, ...] = ()

    def names_taken(self) -> Collection[str]:
        """Return the names of the pool's volumes."""
        return self._taken

    def _ask_again(self) -> None:
        self._look()
        super()._ask_again()

    def _ask_host(self) -> None:
        self._look()
        super()._ask_host()

    def _look(self) -> None:
        try:
            self._free = int(self.pool.available)
            self._taken = tuple(each.name for each in self.pool.volumes.records)
        except LabvirtError as error:
            self._note = ("warning", error.what)

    def more(self) -> dict[str, Any]:
        """Return how much is free, and whether the volume may outgrow it."""
        notes: list[tuple[str, str]] = [self._note] if self._note else []
        if self._free is not None:
            text = _("{free} are free in {pool}").format(
                free=short(self._free), pool=self.pool.name
            )
            notes.append(("info", text))
            spec = self.state.check().spec
            if spec is not None and spec.capacity is not None and spec.capacity > self._free:
                text = _("The volume may grow to {size}: more than is free.")
                notes.append(("warning", text.format(size=short(spec.capacity))))
        return {**super().more(), "notes": notes}


def _host(host: Any, asked: str) -> Any:
    if not hasattr(host, "plan") or not hasattr(host, "networks"):
        raise SpecError(f"{asked}: {type(host).__name__} is no host", hint="lv.connect(...)")
    return host
