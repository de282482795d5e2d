"""A migration that is asked for (chapter 12 of the guide, G12.3-01)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, Strict, model_validator

from labvirt.errors import Problem, SpecError
from labvirt.model.fields import Line, ObjectName, SafeName
from labvirt.model.spec import Spec

__all__ = ["DATA_SCHEMES", "MigrationSpec"]

#: How the memory of a guest can travel; libvirt's words for the start of a migration URI.
DATA_SCHEMES: Final = ("tcp", "tls", "unix", "rdma")

_Seconds = Annotated[float, Strict(), Field(allow_inf_nan=False, gt=0)]
_Percent = Annotated[int, Strict(), Field(ge=1, le=99)]


class MigrationSpec(Spec):
    """How a domain is to move to another host.

    Everything has a default that suits a lab and two hosts with shared storage: live, by way of
    this process, verified afterwards, defined there and no longer here.
    """

    live: bool = Field(default=True, description="the guest runs while its memory is copied")
    offline: bool = Field(
        default=False, description="only the definition of a domain that is shut off moves"
    )
    mode: Literal["direct", "p2p", "tunnelled"] = Field(
        "direct",
        description="direct: this process speaks to both daemons; p2p: the source's daemon speaks "
        "to the destination's; tunnelled: the data goes through the daemons' own connection too",
    )
    peer_uri: Line | None = Field(
        None,
        description="p2p: what the source's daemon calls the destination, when it is not the URI "
        "used here",
        examples=["qemu+tls://kvm2/system"],
    )
    migrate_uri: Line | None = Field(
        None,
        description="where the data goes; left out: what the destination says",
        examples=["tcp://10.0.0.2", "unix:///run/m.sock"],
    )
    tls: bool = Field(default=False, description="encrypt the data with TLS")
    tls_name: Line | None = Field(
        None, description="name in the destination's certificate, when it is not its host name"
    )
    storage: Literal["shared", "copy", "increment"] = Field(
        "shared",
        description="shared: both hosts see the same disks; copy: disks are copied along; "
        "increment: only the top image is, above a backing image that is there already",
    )
    disks: tuple[SafeName, ...] | None = Field(
        None, description="which disks are copied; left out: all that are not shared"
    )
    pool: ObjectName | None = Field(
        None,
        description="pool of the destination for copied disks; left out: the same path as here",
    )
    bandwidth_mib_s: Annotated[int, Strict(), Field(ge=1, le=1 << 30)] | None = Field(
        None, description="limit for the data, MiB/s"
    )
    max_downtime_ms: Annotated[int, Strict(), Field(ge=1, le=2_000_000)] | None = Field(
        None, description="how long the guest may stand still at the end, ms; QEMU's own: 300"
    )
    auto_converge: bool = Field(
        default=False, description="slow the guest down while it writes faster than is sent"
    )
    throttle_initial: _Percent | None = Field(None, description="first slowing down, %")
    throttle_increment: _Percent | None = Field(None, description="each further one, %")
    compression: Literal["xbzrle", "mt", "zlib", "zstd"] | None = Field(
        None,
        description="xbzrle: differences of pages; mt: old, corrupts, needs `unsafe`; zlib, zstd: with `parallel`",
    )
    parallel: Annotated[int, Strict(), Field(ge=1, le=255)] | None = Field(
        None, description="connections side by side for the data (multifd)"
    )
    postcopy: bool = Field(
        default=False,
        description="the guest may be switched over before all of its memory is there",
    )
    postcopy_after_s: _Seconds | None = Field(
        None, description="switch over after that time by itself; left out: by `switch()`"
    )
    timeout_s: _Seconds = Field(600.0, description="limit of the whole, seconds")
    on_timeout: Literal["abort", "suspend", "postcopy"] = Field(
        "abort",
        description="abort: it stays here; suspend: it is paused here, so that the rest goes "
        "quickly; postcopy: it is switched over",
    )
    persist: bool = Field(default=True, description="keep the definition on the destination")
    undefine_source: bool = Field(default=True, description="remove the definition here")
    paused: bool = Field(default=False, description="leave the guest paused on the destination")
    rename: ObjectName | None = Field(None, description="its name on the destination")
    unsafe: bool = Field(
        default=False, description="even where libvirt fears for the disks (cache mode)"
    )

    @property
    def p2p(self) -> bool:
        """Return True when the source's daemon speaks to the destination's."""
        return self.mode != "direct"

    @property
    def copies_disks(self) -> bool:
        """Return True when disks are copied along."""
        return self.storage != "shared"

    @model_validator(mode="after")
    def _check(self) -> Self:
        problems = [*self._offline_problems(), *self._way_problems(), *self._tuning_problems()]
        if problems:
            raise SpecError("MigrationSpec", problems)
        return self

    def _offline_problems(self) -> list[Problem]:
        if not self.offline:
            return []
        set_here = self.model_fields_set
        running = (
            "tls",
            "migrate_uri",
            "bandwidth_mib_s",
            "max_downtime_ms",
            "auto_converge",
            "compression",
            "parallel",
            "postcopy",
            "paused",
        )
        why = "has no meaning for a domain that is shut off"
        found = [
            Problem(name, str(getattr(self, name)), why, "leave it out, or start the domain")
            for name in running
            if name in set_here and getattr(self, name)
        ]
        if not self.persist:
            why = "an offline migration moves the definition: it must be kept there"
            found.append(Problem("persist", "False", why))
        if self.mode == "tunnelled":
            found.append(Problem("mode", self.mode, why, "direct or p2p"))
        if self.copies_disks:
            why = "libvirt copies disks of running domains only"
            found.append(Problem("storage", self.storage, why, "copy the volumes, or start it"))
        return found

    def _way_problems(self) -> list[Problem]:
        found = []
        if self.mode == "tunnelled":
            why = "a tunnelled migration carries its data in the daemons' connection"
            found += [
                Problem(name, str(getattr(self, name)), why, "mode='p2p'")
                for name in ("migrate_uri", "tls", "parallel")
                if getattr(self, name)
            ]
            if self.copies_disks:
                why = "QEMU cannot copy disks through the tunnel"
                found.append(Problem("storage", self.storage, why, "mode='p2p' with tls=True"))
        if self.peer_uri is not None and not self.p2p:
            why = "is for the source's daemon, which has no part in a direct migration"
            found.append(Problem("peer_uri", self.peer_uri, why, "mode='p2p'"))
        if self.migrate_uri is not None:
            scheme = self.migrate_uri.partition(":")[0]
            if scheme not in DATA_SCHEMES:
                why = "does not begin with a way for data"
                hint = ", ".join(f"{one}://" for one in DATA_SCHEMES)
                found.append(Problem("migrate_uri", self.migrate_uri, why, hint))
        if self.tls_name is not None and not self.tls:
            found.append(Problem("tls_name", self.tls_name, "needs tls=True"))
        for name in ("disks", "pool"):
            if getattr(self, name) is not None and not self.copies_disks:
                why = "is about disks that are copied"
                found.append(Problem(name, str(getattr(self, name)), why, "storage='copy'"))
        return found

    def _tuning_problems(self) -> list[Problem]:
        found = []
        for name in ("throttle_initial", "throttle_increment"):
            if getattr(self, name) is not None and not self.auto_converge:
                value = str(getattr(self, name))
                found.append(Problem(name, value, "needs auto_converge=True"))
        if self.compression in {"zlib", "zstd"} and self.parallel is None:
            why = "compresses the data of parallel connections"
            found.append(Problem("compression", self.compression, why, "parallel=2"))
        if self.compression in {"xbzrle", "mt"} and self.parallel is not None:
            why = "does not go with parallel connections"
            found.append(Problem("compression", str(self.compression), why, "zlib or zstd"))
        if self.postcopy_after_s is not None and not self.postcopy:
            value = str(self.postcopy_after_s)
            found.append(Problem("postcopy_after_s", value, "needs postcopy=True"))
        if self.on_timeout == "postcopy" and not self.postcopy:
            found.append(Problem("on_timeout", "postcopy", "needs postcopy=True"))
        if self.postcopy and self.copies_disks:
            why = "a disk that is copied cannot follow the guest after the switch"
            found.append(Problem("postcopy", "True", why, "storage='shared'"))
        if self.postcopy and not self.live:
            found.append(Problem("postcopy", "True", "needs live=True"))
        return found
