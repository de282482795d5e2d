"""Checks of an audit: polkit, places of images, a firewall before the host, confined guests, swap."""

from __future__ import annotations

import pytest

from labvirt.doctor.check_audit import closes_input
from labvirt.doctor.hypervisor import Process

RULES = "/etc/polkit-1/rules.d/50-libvirt.rules"
OLD = "/etc/polkit-1/localauthority/50-local.d/50-libvirt.pkla"
RULE = "polkit.addRule(function(action, subject) {{ if (action.id == 'org.libvirt.unix.manage'{0}) return polkit.Result.YES; }});"
PKLA = "[Libvirt]\nIdentity={0}\nAction=org.libvirt.unix.manage\nResultAny=yes\n"


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ({}, "ok", "root's password"),
        ({RULES: RULE.format(" && subject.isInGroup('libvirt')")}, "ok", RULES),
        ({RULES: RULE.format("")}, "warning", "isInGroup('libvirt')"),
        ({OLD: PKLA.format("unix-group:libvirt")}, "ok", OLD),
        ({OLD: PKLA.format("unix-user:*")}, "warning", OLD),
        ({"/etc/polkit-1/rules.d/40-x.rules": "polkit.Result.YES"}, "ok", "no rule"),
        ({"/etc/libvirt/libvirtd.conf": 'auth_unix_rw = "none"\n'}, "n/a", "host.groups"),
    ],
)
def test_polkit(ask, machine, files, verdict, words):
    (seen,) = ask("host.polkit", machine(files))
    assert seen.verdict == verdict, seen
    assert words in f"{seen.evidence} {seen.remedy}"


DISK = """<devices><disk type='file' device='disk'><source file='{0}'/>
<target dev='vda' bus='virtio'/></disk></devices>"""


def test_places_of_images(ask, machine, stand_in):
    domains = [
        stand_in.domain("here", inside=DISK.format("/pool/a.img")),
        stand_in.domain("usual", inside=DISK.format("/var/lib/libvirt/images/b.img")),
    ]
    pools = [stand_in.pool("vms", "/pool")]
    host = stand_in.host(domains=domains, pools=pools)
    (seen,) = ask("host.image-places", machine(), host=host)
    assert seen.verdict == "ok"
    assert seen.evidence.startswith("all in /var/lib/libvirt/images, /pool")
    domains.append(stand_in.domain("odd", inside=DISK.format("/srv/c.img")))
    for models, verdict in ((("apparmor", "dac"), "ok"), (("selinux", "dac"), "warning")):
        host = stand_in.host(domains=domains, pools=pools, models=models)
        (seen,) = ask("host.image-places", machine(), host=host)
        assert seen.verdict == verdict
        assert "odd: /srv/c.img" in seen.evidence
        assert "here:" not in seen.evidence
    assert "semanage fcontext -a -t virt_image_t '/srv(/.*)?'" in seen.remedy


OPEN = """table inet filter {
	chain input {
		type filter hook input priority filter; policy accept;
		iifname "lo" accept
	}
}
"""
CLOSED = OPEN.replace("policy accept", "policy drop")
REJECTS = OPEN.replace(
    'iifname "lo" accept', 'iifname "lo" accept\n\t\treject with icmpx admin-prohibited'
)


def test_rules_that_close_the_host():
    assert closes_input(CLOSED) is True
    assert closes_input(REJECTS) is True
    assert closes_input(OPEN) is False
    assert closes_input("table ip nat {\n}\n") is None


@pytest.mark.parametrize(
    ("commands", "verdict", "words"),
    [
        ({"nft list ruleset": CLOSED}, "ok", "hook input"),
        ({"nft list ruleset": "", "iptables -S INPUT": "-P INPUT DROP\n"}, "ok", "-P INPUT DROP"),
        ({"iptables -S INPUT": "-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with x\n"}, "ok", ""),
        ({"nft list ruleset": OPEN}, "warning", "policy accept"),
        ({"nft list ruleset": ""}, "warning", "no chain of hook input"),
        ({"iptables -S INPUT": "-P INPUT ACCEPT\n"}, "warning", "-P INPUT ACCEPT"),
        ({"nft list ruleset": (1, "", "Operation not permitted")}, "unknown", ""),
        ({}, "unknown", ""),
    ],
)
def test_a_firewall_before_the_host(ask, machine, commands, verdict, words):
    (seen,) = ask("host.firewall", machine({}, commands))
    assert seen.verdict == verdict, seen
    assert words in seen.evidence


def test_a_lab_needs_no_firewall(ask, machine, stand_in):
    (seen,) = ask("host.firewall", machine(), host=stand_in.host(lab="demo"))
    assert seen.verdict == "n/a"


@pytest.mark.parametrize(
    ("inside", "models", "on", "verdict", "words"),
    [
        ("<seclabel type='dynamic' model='apparmor'><label>libvirt-1</label></seclabel>",
         ("apparmor", "dac"), True, "ok", "libvirt-1"),
        ("", ("apparmor", "dac"), False, "ok", "at its next start"),
        ("<seclabel type='dynamic' model='dac'><label>+1:+1</label></seclabel>",
         ("selinux", "dac"), True, "warning", "none of selinux"),
        ("<seclabel type='none' model='selinux'/>", ("selinux", "dac"), False, "warning", "type='none'"),
        ("<seclabel type='none' model='dac'/>", ("selinux", "dac"), False, "ok", ""),
        ("", ("none", "dac"), True, "n/a", "host.apparmor"),
    ],
)  # fmt: skip
def test_confined_guests(ask, machine, stand_in, inside, models, on, verdict, words):
    domain = stand_in.domain("web1", on=on, inside=inside)
    host = stand_in.host(domains=[domain], models=models)
    (seen,) = ask("domain.confined", machine(), host=host, owner=domain, name="web1")
    assert seen.verdict == verdict, seen
    assert words in seen.evidence


@pytest.mark.parametrize(
    ("swapped", "verdict"), [(0, "ok"), (60 * 1024, "ok"), (300 * 1024, "warning")]
)
def test_guests_on_swap(ask, machine, stand_in, swapped, verdict):
    told = (
        f"/proc/77/status:VmRSS:\t  524288 kB\n/proc/77/status:VmSwap:\t  {swapped} kB\n"
        "/proc/77/oom_score:670\n"
    )
    host = stand_in.host(domains=[stand_in.domain("web1")])
    facts = {"processes": {"uuid-web1": Process(77, "qemu-system-x86", "S")}}
    # One of the files may be gone by then: what grep has found counts, whatever its exit code.
    (seen,) = ask(
        "host.guests-on-swap", machine({}, {"grep": (2, told, "")}), host=host, facts=facts
    )
    assert seen.verdict == verdict, seen
    assert "512 MiB in memory" in seen.evidence
    assert "web1 (oom_score 670)" in seen.evidence
    host = stand_in.host(domains=[stand_in.domain("web1")])
    (seen,) = ask("host.guests-on-swap", machine(), host=host, facts={"processes": {}})
    assert seen.verdict == "n/a"


def test_memory_of_a_real_guest_is_read(alpha):
    """A real process: figures of the kernel, not of a fake."""
    import labvirt as lv

    spec = lv.DomainSpec(name="held", memory="32 MiB", interfaces=(), rng=False)
    domain = alpha.plan(spec).apply()
    try:
        report = lv.doctor.examine(alpha, checks=("host.guests-on-swap", "host.image-places"))
    finally:
        domain.destroy(confirm=True)
        domain.undefine(confirm=True)
    found = report["host.guests-on-swap"]
    assert found.verdict == "ok", found
    assert "1 guests: " in found.evidence
    assert "held (oom_score" in found.evidence
