"""Examine a healthy lab of one host with a running guest: ``python healthy.py BACKEND NAME``.

A program of its own, so that it can be run as another user too. It prints as JSON what is not well.
"""

from __future__ import annotations

import json
import sys

import labvirt as lv

#: What may be said of a healthy lab, by id, and why it is true of the machine that the tests run on.
#: Whatever else is said is a false alarm.
EXPLAINED = {
    "host.acceleration": "a virtual machine often has no KVM that works; guests run under TCG then",
    "host.virt-flags": "the hypervisor under it does not pass svm or vmx on",
    "host.kvm-module": "without the flags there is nothing to load it for; a container has no modules",
    "host.kvm-device": "/dev/kvm belongs to root, and QEMU of a session or of a user is somebody else",
    "host.ntp": "a container has no time service of its own",
    "host.clocksource": "the hypervisor under it may offer no good one",
    "host.tsc": "the hypervisor under it may hide constant_tsc",
    "host.space": "its disk may be nearly full",
    "host.updates": "an update may wait for a restart of it",
    "host.memory:available": "other tests may use its memory at the same time",
    "host.guests-on-swap": "other tests may use its memory at the same time",
}
SPEC = lv.DomainSpec(
    name="tiny", memory="128 MiB", source=lv.TinyGuest(), disks=(lv.DiskSpec(size="16 MiB"),)
)


def ill(report):
    """Return what is neither ok nor n/a, by id."""
    return {one.id: str(one) for one in report if one.verdict not in {"ok", "n/a"}}


def unexplained(found):
    """Return those that the state of the machine does not explain."""
    return {
        key: said
        for key, said in found.items()
        if key not in EXPLAINED and key.partition(":")[0] not in EXPLAINED
    }


def examined(backend, name):
    """Start a lab, make a guest and examine all of it, slow checks too."""
    with lv.Lab.start(name, hosts=1, backend=backend, ephemeral=True) as lab:
        try:
            lab["alpha"].plan(SPEC).apply().wait_for("agent", timeout_s=90)
            report = lv.doctor.examine(lab["alpha"], deep=True)
        finally:
            lab.stop()
    return {
        "ok": [one.id for one in report if one.verdict == "ok"],
        "ill": ill(report),
        "fails": [one.id for one in report.failures],
        "seconds": report.seconds,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(examined(*sys.argv[1:])))
