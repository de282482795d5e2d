"""Pool: a storage pool of a host, and everything that can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import pool as pools
from labvirt.errors import ConflictError, UnsupportedError
from labvirt.host.actions import StartPool
from labvirt.host.resource import Resource
from labvirt.host.storage.pool_actions import AutostartPool, BuildPool
from labvirt.host.storage.pool_plan import plan_edit
from labvirt.host.storage.users import Sight
from labvirt.host.storage.volume import Volume
from labvirt.host.storage.volume_list import volumes_of
from labvirt.host.storage.volume_plan import plan_volume
from labvirt.host.storage.volume_transfer import plan_upload
from labvirt.host.storage.volume_tree import pool_tree
from labvirt.model.pool_types import POOL_TYPES
from labvirt.model.units import Size
from labvirt.model.xml.pool import PoolXml
from labvirt.plan import Call, verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from labvirt.host.collection import Collection
    from labvirt.host.host import Host
    from labvirt.host.storage.volume_tree import ChainNode
    from labvirt.model.volume import VolumeSpec
    from labvirt.plan import Action, Plan
    from labvirt.status import PoolRecord

__all__ = ["Pool"]


class Pool(Resource):
    """A storage pool of a host."""

    noun = "pool"

    def info(self) -> PoolRecord:
        """Read the pool now (``virsh pool-info``).

        Raises:
            NotFoundError: it is gone.
        """
        record = pools.read(self.host.connection, self.uuid)
        self.name = record.name
        return record

    def xml(self, *, inactive: bool = False) -> str:
        """Return the pool's XML (``virsh pool-dumpxml``).

        Args:
            inactive: what it will be at its next start, instead of what it is.
        """
        return pools.xml(self.host.connection, self.uuid, inactive=inactive)

    @property
    def available(self) -> Size:
        """Free space now, in bytes."""
        return Size(self.info().available)

    @property
    def volumes(self) -> Collection[Volume]:
        """The volumes of the pool, by name or path."""
        return volumes_of(self)

    def tree(self) -> tuple[ChainNode, ...]:
        """Return the images of the pool as trees: which is laid over which, and who uses them."""
        return pool_tree(self)

    # -- life -------------------------------------------------------------------------------

    @verb
    def start(self) -> Plan[None]:
        """Start the pool, so that its volumes can be used (``virsh pool-start``)."""
        return self.plan_of(
            (StartPool(self.name),),
            lambda: None,
            title=f"start pool {self.name}",
            python=".start()",
        )

    @verb
    def stop(self) -> Plan[None]:
        """Stop the pool; definition and volumes stay (``virsh pool-destroy``).

        The plan warns of running domains that use its volumes. What libvirt mounted is unmounted.
        """
        users = self._running_users()
        warnings = (f"running domains use its volumes: {', '.join(users)}",) if users else ()
        return self.one_call(
            "stop",
            lambda link, _: pools.stop(link, self.uuid),
            virsh=("pool-destroy", self.name),
            python=".stop()",
            warnings=warnings,
        )

    def _running_users(self) -> list[str]:
        if not self.info().is_active:
            return []
        sight = Sight(self.host)
        found = (user for one in self.volumes.records for user in sight.users(one.path))
        return sorted({user.name for user in found if user.active})

    @verb
    def set_autostart(self, on: bool = True) -> Plan[None]:  # noqa: FBT001, FBT002 - the value itself
        """Start the pool with the host's daemon, or no longer (``virsh pool-autostart``)."""
        action = AutostartPool(self.name, self.uuid, on)
        return self.plan_of(
            (action,), lambda: None, title=action.title, python=f".set_autostart({on})"
        )

    def refresh(self) -> None:
        """Let libvirt look for volumes that came or went behind its back (``virsh pool-refresh``)."""
        pools.refresh(self.host.connection, self.uuid)

    def refreshing(self) -> Plan[None]:
        """Return `refresh` as a plan, for those who show what they will do; no file is changed."""
        return self.one_call(
            "refresh",
            lambda link, _: pools.refresh(link, self.uuid),
            virsh=("pool-refresh", self.name),
            python=".refresh()",
        )

    @verb
    def build(self, *, overwrite: bool = False, confirm: bool = False) -> Plan[None]:
        """Make the place of a pool that is stopped (``virsh pool-build``).

        Args:
            overwrite: format its device whatever is on it.
            confirm: agree that everything on the device is lost.

        Raises:
            ConflictError: it is active, or there are data on the device.
            UnsupportedError: there is nothing to build for this kind.
        """
        kind = self._require("build", lambda one: one.builds)
        if self.info().is_active:
            raise ConflictError(
                f"build pool {self.name}", uri=self.host.label, hint="stop it first: pool.stop()"
            )
        view = PoolXml.parse(self.xml(inactive=True))
        device = ", ".join(view.devices)
        action = BuildPool(
            self.name,
            self.uuid,
            overwrite=overwrite and bool(device),
            no_overwrite=kind == "fs" and not overwrite,
            device=device,
        )
        return self.plan_of(
            (action,), lambda: None, title=action.title, python=".build()", confirm=confirm
        )

    def _require(self, what: str, has: Callable[[Any], bool]) -> str:
        """Return the kind of the pool.

        Raises:
            UnsupportedError: pools of this kind cannot do it.
        """
        kind = self.info().type
        known = POOL_TYPES.get(kind)
        if known is not None and not has(known):
            able = ", ".join(one.kind for one in POOL_TYPES.values() if has(one))
            raise UnsupportedError(
                f"{what} pool {self.name}",
                uri=self.host.label,
                libvirt_text=f"a pool of kind {kind} has no {what}",
                hint=f"kinds that have: {able}",
            )
        return kind

    # -- the end ----------------------------------------------------------------------------

    @verb
    def undefine(self, *, stop: bool = False) -> Plan[None]:
        """Forget the pool; its volumes stay where they are (``virsh pool-undefine``).

        Args:
            stop: stop it first.

        Raises:
            ConflictError: it is active and `stop` is not given.
        """
        record = self.info()
        if record.is_active and not stop:
            raise ConflictError(
                f"undefine pool {self.name}",
                uri=self.host.label,
                libvirt_text="the pool is active",
                hint="stop=True stops it first",
            )
        actions = self._stopping() if record.is_active else []
        if record.persistent:
            actions.append(self._call("undefine pool", "pool-undefine", pools.undefine))
        return self.plan_of(
            tuple(actions),
            lambda: None,
            title=f"undefine pool {self.name}",
            python=f".undefine({'stop=True' if stop else ''})",
        )

    def _stopping(self) -> list[Action[Any]]:
        return [self._call("stop pool", "pool-destroy", pools.stop)]

    def _call(
        self,
        text: str,
        word: str,
        run: Callable[[Any, str], None],
        *,
        destroys: tuple[str, ...] = (),
    ) -> Call[Host, None]:
        return Call(
            f"{text} {self.name}",
            lambda host, _: run(host.connection, self.uuid),
            line=f"{word} {self.name}",
            loses=destroys,
            before=lambda host: host.require_writable(f"{text} {self.name}"),
        )

    @verb
    def delete(self, *, volumes: bool = False, confirm: bool = False) -> Plan[None]:
        """Delete the pool with its place, and forget it.

        Args:
            volumes: delete its volumes too; without it a pool that has any is refused.
            confirm: agree to what is lost.

        Raises:
            ConflictError: it has volumes and `volumes` is not given, or somebody uses one of them.
            UnsupportedError: libvirt cannot delete pools of this kind; `undefine` forgets them.
        """
        self._require("delete", lambda one: one.destroys)
        record = self.info()
        actions: list[Action[Any]] = []
        asked = f"delete pool {self.name}"
        if record.is_active:
            pools.refresh(self.host.connection, self.uuid)
            actions += self._deletions(asked, delete=volumes)
            actions += self._stopping()
        lost = (f"pool {self.name} and {record.path or 'its place'}",)
        actions.append(
            self._call("delete the place of pool", "pool-delete", pools.delete, destroys=lost)
        )
        if record.persistent:
            actions.append(self._call("undefine pool", "pool-undefine", pools.undefine))
        return self.plan_of(
            tuple(actions),
            lambda: None,
            title=asked,
            python=f".delete(volumes={volumes}, confirm=True)",
            confirm=confirm,
        )

    def _deletions(self, asked: str, *, delete: bool) -> list[Action[Any]]:
        listed = self.volumes.records
        # The folder that mkfs makes is nobody's data.
        records = [one for one in listed if (one.name, one.type) != ("lost+found", "dir")]
        if records and not delete:
            names = ", ".join(one.name for one in records[:10])
            raise ConflictError(
                asked,
                uri=self.host.label,
                libvirt_text=f"it has {len(records)} volumes: {names}",
                hint="volumes=True deletes them too; undefine() only forgets the pool",
            )
        inside = {f"{self.name}/{one.name}" for one in records}
        sight = Sight(self.host)
        for one in records:
            users = [user for user in sight.users(one.path) if user.name not in inside]
            if users:
                raise ConflictError(
                    asked,
                    uri=self.host.label,
                    libvirt_text=f"volume {one.name} is in use: {'; '.join(map(str, users))}",
                    hint="remove the users first",
                )
        return [Volume(self, one).deletion(one) for one in records]

    # -- changes ----------------------------------------------------------------------------

    @verb
    def edit(self, xml: str | PoolXml) -> Plan[None]:
        """Give the pool another definition (``virsh pool-edit``); the plan shows the difference.

        Args:
            xml: the whole definition; name, UUID and type must stay.

        Raises:
            SpecError: it is another pool's, or libvirt's schema refuses it.
        """
        return plan_edit(self, xml)

    def plan(self, spec: VolumeSpec) -> Plan[Volume]:
        """Return the plan that makes a volume in this pool; nothing is changed yet.

        Raises:
            SpecError: it cannot be right in this pool: more than it holds, a format it has not.
            ConflictError: a volume of that name exists, or the pool is stopped.
            NotFoundError: the backing image or the secret object is not there.
            UnsupportedError: libvirt cannot make volumes in this kind of pool.
        """
        return plan_volume(self, spec)

    @verb
    def upload(
        self,
        path: str | PathLike[str],
        name: str | None = None,
        *,
        rate: int | str | None = None,
        verify: bool = True,
        sparse: bool | None = None,
        keep_partial: bool = False,
    ) -> Plan[Volume]:
        """Upload an image or ISO of this machine as a new volume.

        The bytes are compared at the end (SHA-256). What is cut in the middle is removed again,
        unless `keep_partial` is given: then `Volume.upload` with ``resume=True`` goes on.

        Args:
            path: the file here.
            name: name of the volume; that of the file when left out.
            rate: most bytes per second, e.g. ``"50 MiB"``; None for no limit.
            verify: read the volume back and compare.
            sparse: send holes as holes; None: when the file has any.
            keep_partial: leave what has come when the upload is cut.

        Raises:
            SpecError: there is no such file, or it is no ISO though its name says so.
            ConflictError: a volume of that name exists.
        """
        return plan_upload(
            self, path, name, rate=rate, verify=verify, sparse=sparse, keep_partial=keep_partial
        )
