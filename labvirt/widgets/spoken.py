"""Spoken: what headless rooms say in English, in the language of the views.

Titles of plans, what they destroy and warn of, and errors are written into journals and logs, so
that they are English everywhere. A view looks them up here, by patterns; what fits none stays as
it is, and names in them stay as they are.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter
from typing import Final

from labvirt.widgets.i18n import N_, _, language
from labvirt.widgets.spoken_plans import PLANS

__all__ = ["PATTERNS", "STATES", "spoken"]

#: States, why a domain is in one, and outcomes: whole texts.
STATES: Final = (
    N_("no state"),
    N_("running"),
    N_("idle"),
    N_("paused"),
    N_("in shutdown"),
    N_("shut off"),
    N_("crashed"),
    N_("pmsuspended"),
    N_("connected"),
    N_("lost"),
    N_("reconnecting"),
    N_("closed"),
    N_("booted"),
    N_("migrated"),
    N_("restored"),
    N_("from snapshot"),
    N_("unpaused"),
    N_("migration canceled"),
    N_("save canceled"),
    N_("event wakeup"),
    N_("post-copy"),
    N_("post-copy failed"),
    N_("user"),
    N_("migrating"),
    N_("saving"),
    N_("dumping"),
    N_("I/O error"),
    N_("watchdog"),
    N_("shutting down"),
    N_("creating snapshot"),
    N_("starting up"),
    N_("shutdown"),
    N_("destroyed"),
    N_("saved"),
    N_("failed"),
    N_("daemon"),
    N_("panicked"),
    N_("unknown"),
    N_("done"),
    N_("undone"),
    N_("cancelled"),
    N_("recovered"),
    N_("inactive"),
    N_("building"),
    N_("degraded"),
    N_("inaccessible"),
    N_("applied"),
    N_("died"),
)

#: Titles, losses, warnings and errors; what is in braces is kept, or spoken itself.
PATTERNS: Final = (
    # actions
    N_("start domain {name}"),
    N_("start domain {name} paused"),
    N_("shut down domain {name}"),
    N_("reboot domain {name}"),
    N_("reset domain {name}"),
    N_("force off domain {name}"),
    N_("suspend domain {name}"),
    N_("resume domain {name}"),
    N_("save (managed) domain {name}"),
    N_("save to {path} the domain {name}"),
    N_("remove the managed save of domain {name}"),
    N_("set autostart of domain {name}"),
    N_("clear autostart of domain {name}"),
    N_("rename to {name} the domain {old}"),
    N_("undefine domain {name}"),
    N_("delete {name}"),
    N_("delete {name} and {count} files"),
    N_("define domain {name}"),
    N_("create domain {name}"),
    N_("create transient domain {name}"),
    N_("change the definition of domain {name}"),
    N_("set memory of domain {name}"),
    N_("set maximum memory of domain {name}"),
    N_("set processors of domain {name}"),
    N_("set maximum processors of domain {name}"),
    N_("pin processor {vcpu} of domain {name}"),
    N_("set title of domain {name}"),
    N_("set description of domain {name}"),
    N_("set tags of domain {name}"),
    N_("clone of domain {name}: {clone}"),
    N_("linked clone of domain {name}: {clone}"),
    N_("migrate to {host} the domain {name}"),
    N_("make snapshot {snapshot} of domain {name}"),
    N_("revert domain {name} to snapshot {snapshot}"),
    N_("delete snapshots {snapshot} of domain {name}"),
    N_("delete snapshot {snapshot} of domain {name}"),
    N_("describe snapshot {snapshot} of domain {name}"),
    N_("attach {device} to domain {name}"),
    N_("detach {device} from domain {name}"),
    N_("change {device} of domain {name}"),
    N_("insert {image} into {device} of domain {name}"),
    N_("eject {device} of domain {name}"),
    N_("add {device} to the definition"),
    N_("create network {name}"),
    N_("define network {name}"),
    N_("change the definition of network {name}"),
    N_("create transient network {name}"),
    N_("ensure network {name}"),
    N_("start network {name}"),
    N_("stop network {name}"),
    N_("restart network {name}"),
    N_("edit network {name}"),
    N_("undefine network {name}"),
    N_("start network {name} with the host"),
    N_("no longer start network {name} with the host"),
    N_("set autostart of network {name}"),
    N_("clear autostart of network {name}"),
    N_("define network filter {name}"),
    N_("undefine network filter {name}"),
    N_("create pool {name} ({kind})"),
    N_("create pool {name}"),
    N_("define pool {name}"),
    N_("build pool {name}"),
    N_("start pool {name}"),
    N_("stop pool {name}"),
    N_("edit pool {name}"),
    N_("refresh pool {name}"),
    N_("delete pool {name}"),
    N_("delete the place of pool {name}"),
    N_("undefine pool {name}"),
    N_("set autostart of pool {name}"),
    N_("clear autostart of pool {name}"),
    N_("create volume {name} ({size}, {format}) in pool {pool}"),
    N_("create volume {name} in pool {pool}"),
    N_("make volume {name} ({size}) in pool {pool}"),
    N_("copy {source} to volume {name} in pool {pool}"),
    N_("upload {file} ({size}) to pool {pool}"),
    N_("delete volume {name} of pool {pool}"),
    N_("delete volume {name} from pool {pool}"),
    N_("resize volume {name}"),
    N_("clone volume {name}"),
    N_("wipe volume {name}"),
    N_("open the way to {path}"),
    N_("copy {source} to {path}"),
    N_("waiting for {name} to shut down"),
    N_("waiting for the guest to release {device}"),
    # losses
    N_("what {name} has in memory and not yet written to its disks"),
    N_("the saved state of {name}"),
    N_("the definition of {name} (its XML stays in the journal)"),
    N_("the definition of network {name}"),
    N_("the transient domain {name} itself"),
    N_("the UEFI variables of {name}"),
    N_("the snapshot list of {name}"),
    N_("the checkpoints of {name}"),
    N_("network {name} itself: it is transient"),
    N_("the link of {name} ({mac})"),
    N_("the link of {name} ({mac}), for a moment"),
    N_("the memory of snapshot {name}"),
    N_("what was written to {disk} since {at} UTC"),
    N_("what domain {name} has in memory now"),
    N_("what the guest has not yet written to {disk}"),
    # warnings
    N_("takes effect at the next start of {name}"),
    N_("the guest's balloon driver decides whether it obeys"),
    N_("without KVM the guest runs in software and is many times slower"),
    N_("{memory} is more than all memory of {host} ({all})"),
    N_("{count} processors on a host with {cpus}: they will wait"),
    N_("{size} is less than most systems need"),
    N_("{path} stays on the host"),
    N_("{path} stays"),
    N_("{path} stays, unused"),
    N_("running domains use its volumes: {names}"),
    N_("{names} is connected to it and will not start without it"),
    N_("{name} is active: it goes on as transient until it is stopped"),
    N_("the domain is paused: its guest cannot let go of anything"),
    N_("an internal snapshot of a running domain always keeps its memory"),
    N_("{name} has a saved state; the clone boots from disks as they were then"),
    N_("a copy of a disk in use is torn: stop the domain, or clone the domain"),
    N_("pool {name} is active: the change takes effect at its next start"),
    N_(
        "devices and routes of the host cannot be seen from here: only libvirt's own networks were compared"
    ),
    N_("{one} overlaps {other} of {owner}"),
    N_("network {name} of {host} is not active"),
    N_("{host} has no network {name}"),
    N_("{path} is not on storage that both hosts share"),
    N_("{name} is not running"),
    N_("{host} is open read-only"),
    N_("the host has a device {bridge} already"),
    N_("{what} exists already"),
    # errors
    N_("{asked} on {uri} failed; libvirt said: {said} (code {code})"),
    N_("{asked} on {uri} failed: {why}"),
    N_("{asked} on {uri} failed"),
    N_("{asked} failed: {why}"),
    # what to try, of those errors that come most often
    N_("check the path as the host sees it"),
    N_("look at its state first"),
    N_("stop it first"),
    N_("start the network first"),
    N_("start the pool first"),
    N_("choose another name, or remove the old one first"),
    N_("choose another name, or undefine the old domain first"),
    N_("another operation on it is under way: wait, or abort it"),
    N_("another QEMU uses this image: stop that domain first"),
    N_("free some space on the host, or use another pool"),
    N_("the daemon or QEMU may not touch it: check owner and mode of the path and of its folders"),
    N_("the host has too little free memory: give it less, or stop something"),
    N_("open the connection without readonly, or as a user who may change things"),
    N_("check user name, key, password or certificate of this connection"),
    N_("this host has no usable KVM: use virt='qemu' (slow, works everywhere)"),
    # charts
    N_("Not read yet."),
    N_("It has no disk."),
    N_("It has no network card whose traffic libvirt counts: user-mode cards have none."),
    N_("No guest is running on {host}."),
    N_("Memory used: no balloon driver answers in the guest."),
    N_("Memory used: {why}."),
    N_("Steal: this host does not tell how long vCPUs had to wait."),
    N_("{series}: known of this machine only, not of a remote host."),
)

#: Parts that are texts of ours again.
_TEXTS: Final = frozenset({"asked", "why", "what"})


def spoken(text: str) -> str:
    """Return a text of the headless rooms in the language of the views; each line by itself."""
    if language() == "en" or not text:
        return text
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(text: str) -> str:
    found = _(text)
    if found != text:
        return found
    head, body = re.match(r"(\s*(?:- |Try: )?)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if head.strip() == "Try:":
        head = head.replace("Try:", _("Try:"))
    for template, pattern in _patterns():
        match = pattern.fullmatch(body)
        if match:
            parts = {
                name: _line(part) if name in _TEXTS else part
                for name, part in match.groupdict().items()
            }
            return head + _(template).format(**parts)
    return head + _(body)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return the patterns, those with the most words of their own first."""
    made = []
    for template in (*PATTERNS, *PLANS):
        parts = list(Formatter().parse(template))
        regex = "".join(
            re.escape(words) + (f"(?P<{name}>.+?)" if name else "") for words, name, *_ in parts
        )
        made.append((sum(len(words) for words, *_ in parts), template, re.compile(regex)))
    return tuple(
        (template, regex) for _size, template, regex in sorted(made, key=lambda one: -one[0])
    )
