"""Every page of the manager in both languages, both themes, wide and narrow: what axe says of it,
what sticks out, what was left in English. Pictures go to the folder of artefacts, to be looked at.
"""

from __future__ import annotations

import os
import re

import pytest
from pages import TEXTS, every_page

pytestmark = [pytest.mark.lab, pytest.mark.slow(seconds=100)]

MAKE = f"""
import labvirt as lv
from labvirt.widgets.managing.actions import action_of
lab = lv.Lab.start("pages-{os.getpid()}", hosts=2, backend="session", ephemeral=True)
alpha, beta = lab["alpha"], lab["beta"]
plain = dict(memory="32 MiB", interfaces=(), agent=False, rng=False)
disk = lv.DiskSpec(size="16 MiB")
web1 = alpha.plan(lv.DomainSpec(name="web1", graphics=lv.GraphicsSpec(kind="vnc", listen="none"),
                                disks=[disk], tags=("web",), **plain)).apply()
web1.snapshot("first")
db1 = alpha.plan(lv.DomainSpec(name="db1", title="<b>" + "long title " * 12, **plain),
                 start=False).apply()
"""
SHOW = "lv.ui.set_language({language!r}); manager = lv.ui.manager(lab); manager"

#: What stays in Latin letters in Russian: names, commands, units, formats and abbreviations.
LATIN = frozenset(
    [
        "labvirt",
        "libvirt",
        "libvirtd",
        "virsh",
        "virt-install",
        "python",
        "qemu",
        "kvm",
        "xen",
        "xml",
        "html",
        "vnc",
        "spice",
        "ssh",
        "tls",
        "libssh",
        "libssh2",
        "macvtap",
        "virtiofs",
        "linux",
        "windows",
        "hyper-v",
        "e1000e",
        "alpha",
        "beta",
        "web",
        "web1",
        "db1",
        "ill1",
        "lost",
        "first",
        "default",
        "shared",
        "fabric",
        "isolated",
        "vda",
        "ctrl",
        "alt",
        "del",
        "esc",
        "tab",
        "enter",
        "escape",
        "shift",
        "home",
        "end",
        "page",
        "print",
        "super",
        "backspace",
        "disk",
        "user",
        "auto",
        "bridge",
        "open",
        "private",
        "vepa",
        "passthrough",
        "hostdev",
        "metadata",
        "falloc",
        "full",
        "off",
        "ceph",
        "btrfs",
        "pc-i440fx-7",
        "qcow2",
        "raw",
        "dir",
        "mcast",
        "direct",
        "pc-i440fx",
        "custom",
        "post-copy",
        "dnsmasq",
        "firewalld",
        "none",
    ]
)
WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,}")


def english(texts):
    """Return the texts with English words in them.

    A choice of one word is a value of libvirt's XML, and a device is named as libvirt names it.
    """
    found = []
    for text, tag in texts:
        words = [word for word in WORD.findall(text) if word.lower() not in LATIN]
        plain = [word for word in words if word.islower() or word.istitle()]
        is_value = tag == "option" and (" " not in text or "\xa0·\xa0" in text)
        if plain and not is_value and not re.search(r"[/:=@_]|\d-", text):
            found.append((tag, text[:100], plain[:6]))
    return found


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("pages", MAKE)
    try:
        yield book
        assert book.errors == []
        assert jupyter.faults == []
    finally:
        book.ask("manager.close(); lab.stop()", timeout_s=60)
        book.close()


#: The other two are for those who look at the pictures.
LOOKED_AT = pytest.mark.skipif(
    "LABVIRT_UI_ARTEFACTS" not in os.environ, reason="nobody looks (LABVIRT_UI_ARTEFACTS)"
)


@pytest.mark.timeout(500)
@pytest.mark.parametrize(
    ("language", "dark"),
    [
        ("en", False),
        ("ru", True),
        pytest.param("en", True, marks=LOOKED_AT),
        pytest.param("ru", False, marks=LOOKED_AT),
    ],
)
def test_every_page(book, jupyter, language, dark):
    from axe_playwright_python.sync_playwright import Axe

    theme = "dark" if dark else "light"
    jupyter.theme(dark=dark)
    book.cell(SHOW.format(language=language))
    book.wait("() => document.querySelector('.labvirt-manager [data-lv=ready]')", 40)
    area = book.page.locator(".labvirt-manager").first
    faults = []
    try:
        for name in every_page(book, area):
            if language == "ru":
                faults += [(name, *each) for each in english(area.evaluate(TEXTS))]
            faults += [
                (name, each["id"], [node["html"][:160] for node in each["nodes"]][:3])
                for each in Axe().run(book.page, context=".labvirt-manager").response["violations"]
                if each["impact"] in {"serious", "critical"}
            ]
            for width in (1400, 700):
                out = jupyter.tall(f"page-{language}-{theme}-{name}-{width}", area, width)
                faults += [(name, width, each) for each in out]
    finally:
        jupyter.theme(dark=False)
        report = "\n".join(str(each) for each in faults)
        (jupyter.artefacts / f"pages-{language}-{theme}.txt").write_text(report)
        book.ask("manager.close(); lv.ui.set_language('en')")
    assert not faults, report
