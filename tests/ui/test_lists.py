"""Networks, storage, a host and preferences in a real JupyterLab, on a lab with real networks."""

from __future__ import annotations

import os

import pytest

MAKE = f"""
import labvirt as lv
from labvirt.model import NetworkIp, NetworkSpec, VolumeSpec
lab = lv.Lab.start("lst-{os.getpid()}", hosts=1, backend="system", ephemeral=True)
alpha = lab.hosts[0]
pool = alpha.pools["default"]
base = pool.plan(VolumeSpec(name="base.qcow2", capacity="8 MiB", format="qcow2")).apply()
over = VolumeSpec(name="over.qcow2", capacity="8 MiB", format="qcow2",
                  backing_path=base.path, backing_format="qcow2")
pool.plan(over).apply()
for number in range(9):
    pool.plan(VolumeSpec(name=f"disk{{number}}.qcow2", capacity="30 GiB", format="qcow2")).apply()
pool.plan(VolumeSpec(name="<img src=x onerror=hurt=1> a very long name of a volume.img",
                     capacity="1 MiB", format="raw")).apply()
web1 = alpha.plan(lv.DomainSpec(name="web1", memory="128 MiB", source=lv.TinyGuest(),
                  interfaces=(lv.InterfaceSpec(kind="network", source="default"),))).apply()
"""
SHOW = "manager = lv.ui.manager(lab); manager"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("lists", MAKE, SHOW)
    try:
        if "alpha" not in book.ask("print(*globals())"):
            pytest.skip(f"the system back end does not work here: {book.errors}")
        book.wait("() => document.querySelector('.labvirt-manager')", 30)
        yield book
        assert book.errors == []
        assert jupyter.faults == []
    finally:
        book.ask("manager.close(); lab.stop()", timeout_s=60)
        book.close()


def area(book, name="manager"):
    return book.page.locator(f".labvirt-{name}")


def turn(book, name, inside="manager"):
    tab = area(book, inside).get_by_role("tab", name=name, exact=True)
    tab.click()


def table(book, label, inside="manager"):
    """Return the table of that label, when it has been filled."""
    found = area(book, inside).locator(f"table[aria-label={label!r}]")
    found.wait_for()
    return found


def said(book, text, inside="manager"):
    area(book, inside).locator(".labvirt-deed").get_by_text(text).first.wait_for()


def test_look(book, jupyter):
    turn(book, "Networks")
    found = table(book, "Networks")
    found.locator("tbody tr", has_text="default").click()
    book.ask("web1.wait_for('network', timeout_s=60)", timeout_s=70)
    found.locator("tr[aria-selected=true] td:nth-child(7)", has_text="1").wait_for()
    jupyter.picture("lists-networks", area(book))
    turn(book, "Storage")
    table(book, "Volumes").locator("tbody tr[data-at]").filter(
        has=book.page.locator("th", has_text="over.qcow2")
    ).click()
    area(book).get_by_text("Backing chain").wait_for()
    jupyter.picture("lists-storage", area(book))
    area(book).get_by_role("button", name="Resize", exact=True).click()
    area(book).get_by_label("Capacity").wait_for()
    jupyter.picture("lists-resize", area(book))
    area(book).get_by_role("button", name="Cancel", exact=True).first.click()
    area(book).get_by_role("button", name="Host details", exact=True).click()
    host = area(book, "host")
    host.get_by_text("Hypervisor").wait_for()
    jupyter.picture("lists-host", host)
    for name in (
        "Performance",
        "Networks",
        "Storage",
        "Interfaces",
        "Devices",
        "Secrets",
        "Capabilities",
    ):
        turn(book, name, "host")
        book.page.wait_for_timeout(1200)
        jupyter.picture(f"lists-host-{name.lower()}", host)
    area(book).get_by_role("button", name="Preferences", exact=True).click()
    area(book).get_by_role("button", name="Save", exact=True).wait_for()
    jupyter.picture("lists-preferences", area(book))
