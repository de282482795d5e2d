"""The plan of a new storage pool, and of a changed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labvirt.connection import pool as pools
from labvirt.connection import secret as secrets
from labvirt.errors import HostError, SpecError
from labvirt.host.actions import StartPool
from labvirt.host.storage.pool_actions import AutostartPool, BuildPool, DefineStoragePool, EditPool
from labvirt.host.storage.pool_check import PoolCheck
from labvirt.host.validate import require_valid
from labvirt.model.ident import new_uuid
from labvirt.model.pool_types import FILE_POOLS, POOL_TYPES
from labvirt.model.spec_text import spec_text
from labvirt.model.xml.pool import PoolXml
from labvirt.plan import Call, Plan

if TYPE_CHECKING:
    from labvirt.host.host import Host
    from labvirt.host.storage.pool import Pool
    from labvirt.model.pool import PoolSpec
    from labvirt.plan import Action, JobControl

__all__ = ["edited_xml", "plan_edit", "plan_pool"]


def plan_pool(
    host: Host,
    spec: PoolSpec,
    *,
    start: bool = True,
    autostart: bool = False,
    build: bool = False,
    overwrite: bool = False,
    confirm: bool = False,
) -> Plan[Pool]:
    """Return the plan that makes a pool; see `Host.plan`.

    Args:
        host: the host.
        spec: the pool.
        start: start it when it is defined.
        autostart: start it with the host's daemon from now on.
        build: make its place: the folder, a file system on the device, a label, a volume group.
            A device is formatted only when it is empty.
        overwrite: format the device whatever is on it; everything on it is lost.
        confirm: agree to that.
    """
    from labvirt.host.storage.pool import Pool

    build = build or overwrite
    kind = POOL_TYPES[spec.kind]
    if build and not kind.builds:
        builders = ", ".join(one.kind for one in POOL_TYPES.values() if one.builds)
        raise SpecError(
            f"a pool of kind {spec.kind} cannot be built: {kind.about} are made elsewhere",
            hint=f"leave out build; kinds that can: {builders}",
        )
    check = PoolCheck(host, spec, build=build, overwrite=overwrite)
    check.run()
    _look_at_secret(host, spec)
    ready = spec if spec.uuid else spec.replace(uuid=new_uuid())
    xml = ready.to_xml()
    require_valid(xml, "pool")
    uuid = str(ready.uuid)
    actions: list[Action[Any]] = [DefineStoragePool(spec.name, uuid, xml)]
    if build:
        device = ", ".join(spec.source_devices)
        is_fs = spec.kind == "fs"
        flags = {"overwrite": overwrite and bool(device), "no_overwrite": is_fs and not overwrite}
        made = spec.kind in FILE_POOLS and check.had_folder is False
        actions.append(BuildPool(spec.name, uuid, **flags, device=device, made=made))
    if start:
        actions += [StartPool(spec.name), _Proof(spec).action]
    if autostart:
        actions.append(AutostartPool(spec.name, uuid, on=True))
    options = {"autostart": autostart, "build": build and not overwrite, "overwrite": overwrite}
    shown = "".join(f", {key}=True" for key, value in options.items() if value)
    return Plan(
        title=f"create pool {spec.name} ({spec.kind})",
        host=host,
        actions=tuple(actions),
        result=lambda: Pool(host, uuid, spec.name),
        warnings=tuple(check.warnings),
        python=f"{host.python}.plan({spec_text(spec)}{shown}).apply()",
        confirmed=confirm,
        journal=host.journal,
    )


def _look_at_secret(host: Host, spec: PoolSpec) -> None:
    """Refuse a login whose password is not there."""
    if spec.auth is None:
        return
    record = secrets.find(host.connection, uuid=spec.auth.secret_uuid, usage=spec.auth.secret_usage)
    if secrets.has_value(host.connection, record.uuid) is False:
        raise SpecError(
            f"the secret object {record.name} has no value yet",
            hint=f"host.secrets[{record.name!r}].set_value(...)",
        )


class _Proof:
    """Looks behind a pool that says it is running."""

    def __init__(self, spec: PoolSpec) -> None:
        self._spec = spec
        self.action: Call[Host, None] = Call(f"look behind pool {spec.name}", self._look)

    def _look(self, host: Host, _: JobControl) -> None:
        record = pools.read(host.connection, pools.find(host.connection, self._spec.name))
        if not record.is_active:
            raise HostError(
                f"start pool {self._spec.name}",
                uri=host.label,
                libvirt_text=f"it is {record.state.value} right after it was started",
            )
        if self._spec.kind in ("mpath", "zfs", "logical") and record.capacity == 0:
            raise HostError(
                f"start pool {self._spec.name}",
                uri=host.label,
                libvirt_text="libvirt reports success, but there is nothing behind it: capacity 0",
                hint="see host.pool_types(): what does the host lack?",
            )


def edited_xml(before: str, after: str | PoolXml, name: str) -> str:
    """Return a changed definition, checked.

    Raises:
        SpecError: it is another pool's, or no valid pool.
    """
    old = PoolXml.parse(before)
    new = after if isinstance(after, PoolXml) else PoolXml.parse(after)
    if new.uuid is None:
        new.uuid = old.uuid
    for field in ("uuid", "name", "type"):
        if getattr(new, field) != getattr(old, field):
            raise SpecError(
                f"pool {name} cannot be edited: the {field} is its identity",
                hint="make a new pool and undefine this one",
            )
    text = new.text()
    require_valid(text, "pool")
    return text


def plan_edit(pool: Pool, after: str | PoolXml) -> Plan[None]:
    """Return the plan that gives a pool another definition."""
    link = pool.host.connection
    before = pools.xml(link, pool.uuid, inactive=True)
    xml = edited_xml(before, after, pool.name)
    action = EditPool(pool.name, pool.uuid, before, xml)
    running = pools.read(link, pool.uuid).is_active
    words = (f"pool {pool.name} is active: the change takes effect at its next start",)
    return pool.plan_of(
        (action,), lambda: None, title=action.title, warnings=words if running else ()
    )
