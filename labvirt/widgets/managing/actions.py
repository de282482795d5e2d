"""The table of actions: what can be done to domains, and what each needs."""

from __future__ import annotations

from typing import Final

from labvirt.widgets.i18n import N_
from labvirt.widgets.managing import act_plans
from labvirt.widgets.managing.act_plans import plans_of
from labvirt.widgets.managing.acting import (
    ACTIVE,
    ANY,
    ASKED,
    OFF,
    RUNNING,
    Act,
    Facts,
    Field,
    facts_of,
    why_not,
)

__all__ = ["ACTIONS", "Act", "Facts", "Field", "action_of", "facts_of", "plans_of", "why_not"]

_TRANSIENT = (
    (lambda facts: not facts.persistent),
    N_("{name} is transient: nothing of it would remain"),
)
_AUTO = (lambda facts: facts.autostart), N_("{name} starts with its host already")
_NOT_AUTO = (lambda facts: not facts.autostart), N_("{name} does not start with its host")
_NOT_SAVED = (lambda facts: not facts.saved), N_("{name} has no saved memory")

#: In the order of the toolbar.
ACTIONS: Final[tuple[Act, ...]] = (
    Act("run", N_("Run"), N_("Start the VM; one that was saved goes on"), OFF, act_plans.each("start")),
    Act(
        "pause",
        N_("Pause"),
        N_("Stop the VM's processors; it keeps its memory"),
        RUNNING,
        act_plans.each("suspend"),
    ),
    Act(
        "resume",
        N_("Resume"),
        N_("Let a paused VM go on"),
        frozenset({"paused"}),
        act_plans.each("resume"),
    ),
    Act(
        "shutdown",
        N_("Shut down"),
        N_("Ask the guest to shut down, and wait until it has"),
        RUNNING,
        act_plans.each("shutdown"),
    ),
    Act("reboot", N_("Reboot"), N_("Ask the guest to reboot"), RUNNING, act_plans.each("reboot")),
    Act(
        "reset",
        N_("Force reset"),
        N_("Press the reset button: what is not on disk is lost"),
        frozenset({*RUNNING, "paused", "crashed"}),
        act_plans.each("reset"),
        destroys=True,
    ),
    Act(
        "destroy",
        N_("Force off"),
        N_("Pull the power cord: what is not on disk is lost"),
        ACTIVE,
        act_plans.each("destroy"),
        destroys=True,
    ),
    Act(
        "save",
        N_("Save"),
        N_("Write the memory to the host's disk and stop; Run goes on from there"),
        frozenset({*RUNNING, "paused"}),
        act_plans.each("managed_save"),
        stops=(_TRANSIENT,),
    ),
    Act(
        "restore",
        N_("Restore"),
        N_("Go on from the memory that was saved"),
        OFF,
        act_plans.each("start"),
        stops=(_NOT_SAVED,),
    ),
    Act(
        "snapshot",
        N_("Snapshot"),
        N_("Keep the state of disks and memory under a name"),
        frozenset({*RUNNING, "paused", "shutoff"}),
        act_plans.snapshot,
        fields=(Field("name", N_("Snapshot name"), default="snapshot1"),),
        stops=(_TRANSIENT,),
    ),
    Act(
        "revert",
        N_("Revert"),
        N_("Go back to a snapshot: what came after it is lost"),
        frozenset({*RUNNING, "paused", "shutoff"}),
        act_plans.revert,
        many=False,
        destroys=True,
        fields=(Field("snapshot", N_("Snapshot"), "snapshot"),),
    ),
    Act(
        "clone",
        N_("Clone"),
        N_("Make a VM like this one, with disks and identity of its own"),
        OFF,
        act_plans.clone,
        many=False,
        fields=(
            Field("name", N_("Name of the clone"), default="{name}-clone"),
            Field(
                "linked",
                N_("Linked"),
                "flag",
                default=False,
                help=N_("Disks hold only what differs; the first VM must stay off"),
            ),
        ),
    ),
    Act(
        "migrate",
        N_("Migrate"),
        N_("Move the running VM to another host"),
        frozenset({*RUNNING, "paused"}),
        act_plans.migrate,
        fields=(
            Field("destination", N_("Destination"), "host"),
            Field(
                "live",
                N_("Live migration"),
                "flag",
                default=True,
                help=N_("The guest runs while its memory is copied"),
            ),
        ),
        at_once=2,
    ),
    Act(
        "delete",
        N_("Delete"),
        N_("Remove the definition; files only those that you choose"),
        OFF,
        act_plans.delete,
        destroys=True,
        fields=(Field("files", N_("Delete these files too"), "file", default=()),),
        at_once=1,
    ),
    Act(
        "tags",
        N_("Tags"),
        N_("Words to find and group VMs by"),
        ASKED,
        act_plans.tags,
        fields=(Field("tags", N_("Tags"), default="{tags}", help=N_("Words, spaces between them")),),
    ),
    Act(
        "console",
        N_("Open console"),
        N_("Open the serial console"),
        ACTIVE,
        many=False,
        needs="console",
    ),
    Act("screen", N_("Screen"), N_("Open the graphical console"), ACTIVE, many=False, needs="screen"),
    Act(
        "charts",
        N_("Charts"),
        N_("Draw what the VM uses, live"),
        ACTIVE,
        reads=True,
        needs="charts",
    ),
    Act(
        "details",
        N_("Details"),
        N_("Show and change the VM's parts, snapshots and XML"),
        ANY,
        many=False,
        reads=True,
        needs="details",
    ),
    Act(
        "examine",
        N_("Examine"),
        N_("Look what is not well with the VM, why, and what mends it"),
        ANY,
        reads=True,
        needs="doctor",
    ),
    Act(
        "title",
        N_("Title"),
        N_("One line that says what the VM is for"),
        ASKED,
        act_plans.title,
        many=False,
        fields=(Field("title", N_("Title"), default="{title}"),),
        rare=True,
    ),
    Act(
        "describe",
        N_("Description"),
        N_("Any text about the VM"),
        ASKED,
        act_plans.describe,
        many=False,
        fields=(Field("description", N_("Description"), "long", default="{description}"),),
        rare=True,
    ),
    Act(
        "rename",
        N_("Rename"),
        N_("Give the VM another name; it must be off"),
        OFF,
        act_plans.rename,
        many=False,
        fields=(Field("name", N_("New name"), default="{name}"),),
        rare=True,
    ),
    Act(
        "autostart",
        N_("Autostart on"),
        N_("Start the VM with its host"),
        ASKED,
        act_plans.each("set_autostart", True),  # noqa: FBT003 - the value itself
        stops=(_TRANSIENT, _AUTO),
        rare=True,
    ),
    Act(
        "no_autostart",
        N_("Autostart off"),
        N_("Start the VM by hand only"),
        ASKED,
        act_plans.each("set_autostart", False),  # noqa: FBT003 - the value itself
        stops=(_TRANSIENT, _NOT_AUTO),
        rare=True,
    ),
    Act(
        "forget",
        N_("Discard saved memory"),
        N_("The next start boots anew: what was saved is lost"),
        OFF,
        act_plans.each("managed_save_remove"),
        destroys=True,
        stops=(_NOT_SAVED,),
        rare=True,
    ),
    Act(
        "delete_snapshot",
        N_("Delete snapshot"),
        N_("Delete a snapshot; the VM goes on as it is"),
        frozenset({*RUNNING, "paused", "shutoff"}),
        act_plans.delete_snapshot,
        many=False,
        destroys=True,
        fields=(Field("snapshot", N_("Snapshot"), "snapshot"),),
        rare=True,
    ),
)  # fmt: skip


def action_of(key: str) -> Act:
    """Return an action by its key.

    Raises:
        KeyError: there is none.
    """
    return _KEYS[key]


_KEYS: Final = {each.key: each for each in ACTIONS}
