"""The report as a page and as a bundle: whole, and without any secret."""

from __future__ import annotations

import json
import os
import zipfile

import pytest

import labvirt as lv
from labvirt.doctor.cleaning import Cleaner
from labvirt.doctor.report import Report
from labvirt.doctor.settings import settings
from labvirt.status.finding import Finding

SECRETS = (
    "Tr0ub4dor",
    "hunter2-hunter2",
    "s3cr3tT0ken99",
    "MIIEprivatekey",
    "vncPass7",
    "jrnlPass1",
)

XML = """<domain type='qemu'><name>web1</name><memory unit='MiB'>64</memory>
<description>password=hunter2-hunter2</description><os><type>hvm</type></os>
<devices><graphics type='vnc' passwd='vncPass7'/></devices></domain>"""


def report():
    bad = Finding(
        "network.active:lan", "Is <lan> active?", "fail", "inactive", "stopped", "start it"
    )
    return Report("alpha", (bad, Finding("host.qemu", "Is QEMU there?", "ok")), 1.5)


def test_the_page_is_whole_and_needs_nothing_else():
    text = report().html()
    assert "Is &lt;lan&gt; active?" in text
    assert "prefers-color-scheme: dark" in text
    assert "http" not in text
    assert "<script" not in text
    # What is not well is open, what is well is folded.
    assert text.count("<details open>") == 3
    assert "<details><summary>" in text


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter2-hunter2"}',
        "-object secret,id=sec0,data=hunter2-hunter2,format=raw",
        "virsh secret-set-value 0a1b hunter2-hunter2",
        "https://me:hunter2-hunter2@example/x",
        "Authorization: Bearer hunter2-hunter2",
        "virt-install --password hunter2-hunter2 --name a",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2-hunter2\n-----END RSA PRIVATE KEY-----",
        "linux /vmlinuz rootpw=hunter2-hunter2 quiet",
    ],
)
def test_a_secret_goes_out_of_any_text(text):
    assert "hunter2" not in Cleaner({}).text(text)


def test_settings_say_where_each_comes_from(monkeypatch, home):
    monkeypatch.setenv("LABVIRT_SECRET_DB", "hunter2-hunter2")
    held = {one.name: one for one in settings()}
    assert held["LABVIRT_HOME"].source == "environment"
    assert held["interval_s"].source == "default"
    assert held["LABVIRT_SECRET_DB"].value == "***"


@pytest.mark.lab
def test_a_bundle_has_no_planted_secret(tmp_path, monkeypatch):
    """Secrets are planted in a domain's XML, the journal, the environment and a log."""
    monkeypatch.setenv("LABVIRT_SECRET_DB", "Tr0ub4dor")
    monkeypatch.setenv("LABVIRT_TEXT", "token=s3cr3tT0ken99")
    name = f"bundle-{os.getpid()}"
    with lv.Lab.start(name, hosts=1, backend="session", ephemeral=True) as lab:
        host = lab[lab.names[0]]
        host.define(XML)
        host.journal.folder.mkdir(parents=True, exist_ok=True)
        with (host.journal.folder / "journal.jsonl").open("a") as file:
            file.write(json.dumps({"title": "x", "password": "jrnlPass1", "y": "Tr0ub4dor"}) + "\n")
        found = lv.doctor.examine(host, checks=("connection.*",))
        path = found.bundle(tmp_path / "out.zip")
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as made:
        names = made.namelist()
        texts = {each: made.read(each).decode() for each in names}
    assert {"report.html", "report.json", "versions.txt", "domains/web1.xml", "journal.jsonl"} <= {
        *names
    }
    assert any(each.startswith("logs/") for each in names), names
    for each, text in texts.items():
        for secret in SECRETS:
            assert secret not in text, each
