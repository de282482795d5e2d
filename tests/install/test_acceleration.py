"""The probe of an accelerator: it runs a guest, and tells the truth."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from labvirt.errors import LabError
from labvirt.install import Acceleration, probe


@pytest.fixture
def cache(scratch, monkeypatch):
    monkeypatch.setenv("LABVIRT_CACHE", str(scratch / "cache"))
    return scratch / "cache"


@pytest.fixture
def hung(scratch):
    """A QEMU that never gets anywhere, as with a broken KVM; it counts how often it is started."""
    script = scratch / "qemu, hung"
    script.write_text(f"#!/bin/sh\necho >>'{scratch}/starts'\nexec sleep 600.{os.getpid()}\n")
    script.chmod(0o755)
    return script


def sleepers():
    wanted = f"600.{os.getpid()}"
    return [p for p in psutil.process_iter(["cmdline"]) if wanted in (p.info["cmdline"] or [])]


def starts(scratch):
    path = scratch / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_tcg_runs_the_boot_sector(cache):
    answer = probe(accel="tcg", timeout_s=10)
    assert answer.works, answer
    assert (answer.accel, answer.why) == ("tcg", "a boot sector ran under tcg")
    print(f"\nTCG probe: {answer.seconds:.2f} s")


def test_kvm_is_judged_by_what_it_does(cache):
    began = time.monotonic()
    answer = probe()
    print(f"\n{answer}")
    assert time.monotonic() - began < 2 * 2.0 + 1
    if not Path("/dev/kvm").exists():
        assert (answer.works, answer.host_cpu) == (False, False)
        assert "/dev/kvm does not exist" in answer.why
    elif answer.works:
        assert answer.why == "a boot sector ran under kvm"
    else:
        assert re.search(
            "timed out after 2 s|no right to open|ended with|cannot be opened", answer.why
        )
    assert not [c for c in psutil.Process().children(recursive=True) if "qemu" in c.name()]


def test_a_hang_ends_at_the_limit_and_nothing_is_left(cache, hung):
    answer = probe(str(hung), "tcg", 0.3)
    assert answer.works is False
    assert answer.why == "a boot sector under tcg timed out after 0.3 s"
    assert 0.3 <= answer.seconds < 5
    assert not sleepers()


def test_a_killed_prober_leaves_no_qemu(cache, hung, python):
    code = "import sys; from labvirt.install import probe; probe(sys.argv[1], 'tcg', 60.0)"
    child = python(code, hung)
    until = time.monotonic() + 20
    while not sleepers():
        assert time.monotonic() < until
        time.sleep(0.02)
    child.kill()
    while sleepers():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_answer_is_remembered_until_something_changes(cache, hung, scratch):
    first = probe(str(hung), "tcg", 0.5)
    assert probe(str(hung), "tcg", 0.5) == first
    assert starts(scratch) == 1
    assert probe(str(hung), "tcg", 0.5, fresh=True).works is False
    assert starts(scratch) == 2
    os.utime(hung, (1, 1))
    probe(str(hung), "tcg", 0.5)
    assert starts(scratch) == 3


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"answers": 3}', '{"answers": [{"key": 1}, 2]}']
)
def test_a_damaged_memory_is_no_harm(cache, hung, scratch, content):
    probe(str(hung), "tcg", 0.5)
    kept = cache / "acceleration.json"
    kept.write_text(content)
    probe(str(hung), "tcg", 0.5)
    assert starts(scratch) == 2
    assert len(json.loads(kept.read_text())["answers"]) >= 1


def test_an_answer_of_another_labvirt_is_asked_again(cache, hung, scratch):
    probe(str(hung), "tcg", 0.5)
    kept = cache / "acceleration.json"
    answers = json.loads(kept.read_text())
    answers["answers"][0]["unknown"] = True
    kept.write_text(json.dumps(answers))
    assert isinstance(probe(str(hung), "tcg", 0.5), Acceleration)
    assert starts(scratch) == 2


def test_the_memory_does_not_grow_for_ever(cache, hung, monkeypatch):
    monkeypatch.setattr("labvirt.install.acceleration._KEPT", 3)
    for number in range(5):
        os.utime(hung, (number, number))
        probe(str(hung), "tcg", 0.05)
    kept = json.loads((cache / "acceleration.json").read_text())
    assert len(kept["answers"]) == 3


def test_a_qemu_that_refuses_is_quoted(cache, scratch):
    script = scratch / "qemu"
    script.write_text("#!/bin/sh\necho 'failed to initialize kvm: Permission denied' >&2\nexit 1\n")
    script.chmod(0o755)
    answer = probe(str(script), "tcg")
    assert answer.why == (
        "QEMU under tcg ended with 1 and said: failed to initialize kvm: Permission denied"
    )


def test_without_the_right_to_kvm_qemu_is_not_even_started(cache, hung, python, scratch):
    scratch.chmod(0o777)
    code = (
        "import os, sys; from labvirt.install import probe\n"
        "print(os.access('/dev/kvm', 6)); print(probe(sys.argv[1], 'kvm', 0.2).why)"
    )
    wrap = []
    if os.geteuid() == 0:
        wrap = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    child = python(code, hung, wrap=wrap, env={"LABVIRT_CACHE": str(scratch / "other")})
    output, errors = child.communicate(timeout=30)
    assert not errors
    may, why = output.splitlines()
    if may == "False":
        assert why.startswith(("no right to open /dev/kvm", "/dev/kvm does not exist"))
        assert starts(scratch) == 0
    else:
        assert "timed out" in why


@pytest.mark.parametrize("qemu", ["qemu-system-nothing", "/nowhere/qemu-system-x86_64"])
def test_a_qemu_that_is_not_there_is_an_error(cache, qemu):
    with pytest.raises(LabError, match="was not found"):
        probe(qemu, "tcg")


def test_an_unknown_accelerator_is_an_error(cache):
    with pytest.raises(LabError, match="'hvf'"):
        probe(accel="hvf")


def test_the_boot_sector_is_what_its_comment_says(scratch):
    """Written as assembler, assembled by hand; here by the disassembler of binutils, if there."""
    from labvirt.install import acceleration

    (scratch / "sector").write_bytes(acceleration._BOOT_SECTOR)
    assert len(acceleration._BOOT_SECTOR) == 512
    try:
        said = subprocess.run(
            ["objdump", "-D", "-b", "binary", "-m", "i8086", scratch / "sector"],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout
    except FileNotFoundError:
        pytest.skip("binutils is not installed: nothing to disassemble with")
    assert re.search(r"mov +\$0x10,%al\n.*out +%al,\$0xf4\n.*hlt", said)
