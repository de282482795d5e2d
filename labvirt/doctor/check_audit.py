"""Checks of an audit: who may manage guests, what stands before the host, what holds guests (6, 7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from labvirt.doctor import reading
from labvirt.doctor.checks import Seen, check, not_here, ok, unknown, warning
from labvirt.doctor.disks import uses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labvirt.doctor.case import Case

__all__ = ["closes_input"]

_ACTION: Final = "org.libvirt.unix.manage"
_RULES: Final = ("/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d")
_OLD_RULES: Final = (
    "/etc/polkit-1/localauthority/50-local.d",
    "/var/lib/polkit-1/localauthority/50-local.d",
)
_ASKS_WHO: Final = ("isInGroup", "subject.user", "isInNetGroup", "subject.groups")
_IMAGES: Final = "/var/lib/libvirt/images"
_CONFINING: Final = {"apparmor", "selinux"}
_INPUT: Final = re.compile(
    r"chain (?P<name>\S+) \{\s*type filter hook input [^;]*;(?: policy (?P<policy>\w+);)?"
    r"(?P<rules>[^}]*)\}"
)


@check("host.polkit", "To whom does polkit give the guests?", guide="G6-03", needs="machine")
def polkit(case: Case) -> Seen:
    """Read the rules that speak of libvirt (G7-05)."""
    if reading.is_session(case) or reading.is_lab(case):
        return not_here("the daemon serves one user")
    if reading.daemon_conf(case).get("auth_unix_rw") == "none":
        return not_here("auth_unix_rw = none: the rights of the socket decide, see host.groups")
    found = list(_rules(case))
    if not found:
        return ok("no rule that can be read speaks of libvirt: polkit asks for root's password")
    wide = [path for path, text in found if _is_wide(text)]
    if wide:
        return warning(
            f"{', '.join(wide)}: {_ACTION} without asking who it is",
            "every user of the host may manage guests, and through them become root",
            f"in {wide[0]}: if (action.id == '{_ACTION}' && subject.isInGroup('libvirt'))",
        )
    return ok(f"asked who it is: {', '.join(path for path, _ in found)}")


def _rules(case: Case) -> Iterator[tuple[str, str]]:
    for folders, ending in ((_RULES, ".rules"), (_OLD_RULES, ".pkla")):
        for folder in folders:
            for name in reading.names(case, folder):
                text = reading.text(case, f"{folder}/{name}") if name.endswith(ending) else None
                if text and "org.libvirt." in text:
                    yield f"{folder}/{name}", text


def _is_wide(text: str) -> bool:
    """Whether a file of rules lets everybody manage guests."""
    if "[" in text and "Identity=" in text:
        return "Identity=unix-user:*" in text and re.search(r"Result\w+=yes", text) is not None
    lets = _ACTION in text and "polkit.Result.YES" in text
    return lets and not any(one in text for one in _ASKS_WHO)


@check("host.image-places", "Are images where the host expects them?", guide="G6-05")
def image_places(case: Case) -> Seen:
    """List files of disks outside pools and outside libvirt's own folder."""
    if not reading.is_qemu(case):
        return not_here("only for QEMU")
    records = [case.patient.pool_record(pool) for pool in case.patient.pools]
    known = [_IMAGES, *(one.path for one in records if one.path)]
    known += [str(one) for one in (case.host.facts.media_folder,) if one]
    odd = [
        (one.domain, one.path)
        for one in uses(case.patient)
        if not one.path.startswith("/dev/")
        and not any(one.path.startswith(f"{folder.rstrip('/')}/") for folder in known)
    ]
    if not odd:
        return ok(f"all in {', '.join(dict.fromkeys(known))}")
    seen = "; ".join(f"{name}: {path}" for name, path in odd[:6])
    seen += f"; and {len(odd) - 6} more" if len(odd) > 6 else ""
    models = case.patient.once("capabilities", case.host.capabilities).security_models
    if "selinux" not in models:
        return ok(f"outside pools and {_IMAGES}: {seen}")
    folder = odd[0][1].rpartition("/")[0]
    return warning(
        f"outside pools and {_IMAGES}: {seen}",
        "SELinux lets QEMU open what has the label of images; a relabelling takes it off there",
        f"semanage fcontext -a -t virt_image_t '{folder}(/.*)?'; restorecon -R -v {folder}",
    )


def closes_input(rules: str) -> bool | None:
    """Return whether rules of nftables refuse by default what comes in; None: nothing looks at it.

    Args:
        rules: output of ``nft list ruleset``.
    """
    chains = list(_INPUT.finditer(rules))
    if not chains:
        return None
    for chain in chains:
        last = (chain["rules"].strip().splitlines() or [""])[-1].strip()
        if chain["policy"] == "drop" or re.match(r"(counter \S+ \S+ \S+ \S+ )?(reject|drop)", last):
            return True
    return False


@check("host.firewall", "Does a firewall refuse what nobody asked for?", guide="G7-04",
       needs="machine")  # fmt: skip
def firewall(case: Case) -> Seen:
    """Look for a default of drop or reject at what comes in."""
    if reading.is_session(case) or reading.is_lab(case):
        return not_here("it is looked at on a host that is for guests only")
    nft, old = (
        reading.ran(case, "nft", "list", "ruleset"),
        reading.ran(case, "iptables", "-S", "INPUT"),
    )
    if not nft and not old:
        return unknown(
            "no rules can be read by this user", "sudo nft list ruleset; sudo iptables -S"
        )
    lines = old.out.splitlines() if old else []
    closed = closes_input(nft.out if nft else "")
    if closed or _closes(lines):
        return ok(f"refused by default: {'nftables, chain of hook input' if closed else lines[0]}")
    seen = f"nftables: {'no chain of hook input' if closed is None else 'policy accept'}"
    seen += f"; iptables: {lines[0] if lines else 'no rules'}"
    return warning(
        seen,
        "every service of the host can be reached from every network",
        reading.per_family(
            case,
            debian="apt install ufw; ufw allow 22,16514/tcp; ufw allow 49152:49215/tcp; ufw enable",
            redhat="systemctl enable --now firewalld; firewall-cmd --permanent --add-service="
            "libvirt-tls --add-port=49152-49215/tcp; firewall-cmd --reload",
        ),
    )


def _closes(lines: list[str]) -> bool:
    policy = any(line in {"-P INPUT DROP", "-P INPUT REJECT"} for line in lines)
    last = lines[-1].split() if lines else []
    return policy or last in (["-A", "INPUT", "-j", "DROP"], ["-A", "INPUT", "-j", "REJECT"]) or (
        last[:4] == ["-A", "INPUT", "-j", "REJECT"]
    )  # fmt: skip


@check("domain.confined", "Is {name} held back by AppArmor or SELinux?", guide="G7-03")
def confined(case: Case) -> Seen:
    """Look at its seclabel: none is a guest that only its user holds back."""
    models = set(case.patient.once("capabilities", case.host.capabilities).security_models)
    used = models & _CONFINING
    if not used:
        return not_here("the host confines no guest: see host.apparmor and host.selinux")
    labels = case.patient.document(case.domain).element.findall("seclabel")
    off = [one for one in labels if one.get("type") == "none" and one.get("model") != "dac"]
    if off:
        return warning(
            f"<seclabel type='none' model='{off[0].get('model', '')}'/>",
            f"it was taken out of {', '.join(sorted(used))}: nothing but its user holds it back",
            f"virsh edit {case.name}: remove that <seclabel>; counts from its next start",
        )
    names = [(one.findtext("label") or "").strip() for one in labels if one.get("model") in used]
    if case.record.is_active and not any(names):
        return warning(
            f"{len(labels)} seclabel, none of {', '.join(sorted(used))}",
            "it runs unconfined: it was started before the host confined guests",
            f"virsh shutdown {case.name}; virsh start {case.name}",
        )
    return ok(", ".join(filter(None, names)) or f"{', '.join(sorted(used))} at its next start")
