"""Inside a real guest: agent, serial console, screen, keys, addresses, memory."""

from __future__ import annotations

from pathlib import Path

import pytest

import labvirt as lv
from labvirt.errors import HostError, SpecError, WaitTimeoutError

pytestmark = pytest.mark.lab


def test_run_gives_code_output_and_complaints(tiny):
    done = tiny.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_run_feeds_the_program(tiny):
    assert tiny.run(["/bin/cat"], data="hello\n").stdout == "hello\n"


def test_run_has_a_time_limit(tiny):
    with pytest.raises(WaitTimeoutError, match="sleep"):
        tiny.run(["/bin/sleep", "5"], timeout_s=0.3)


def test_a_program_that_is_not_there_is_an_error_of_the_guest(tiny):
    with pytest.raises(HostError, match="nosuch"):
        tiny.run(["/bin/nosuch"])


def test_agent_without_an_agent_says_so(blank):
    with pytest.raises(HostError, match="agent"):
        blank.agent("guest-ping")
    assert not blank.agent_answers()


def test_ask_by_the_agent(tiny):
    answer = tiny.ask("hostname; echo $((6*7))")
    assert answer.text == "tiny\n42\n"
    assert answer.channel == "guest agent"


def test_the_serial_console_runs_commands(tiny):
    with tiny.console() as console:
        console.send("\n")
        assert console.run("echo $((6*7))") == "42"
        assert "root" in console.run("id; ls /")
        with pytest.raises(WaitTimeoutError, match="serial console") as caught:
            console.expect("never said", timeout_s=0.3)
        assert caught.value.last_seen


@pytest.mark.slow(seconds=7)
def test_ask_by_the_serial_console_when_there_is_no_agent(alpha, name):
    spec = lv.DomainSpec(
        name=name, memory="128 MiB", source=lv.TinyGuest(), agent=False, interfaces=()
    )
    domain = alpha.plan(spec).apply()
    domain.wait_for("serial", timeout_s=90)
    answer = domain.ask("hostname")
    assert (answer.text, answer.channel) == (name, "serial console")


def test_screenshot_is_a_picture(blank):
    picture = blank.screenshot()
    assert picture.mime == "image/png"
    assert picture.data.startswith(b"\x89PNG")
    assert "image/png" in picture._repr_mimebundle_()


def test_keys_by_short_and_by_long_names(blank):
    assert "KEY_LEFTCTRL KEY_LEFTALT KEY_DELETE" in blank.send_key.plan("ctrl", "alt", "del").virsh
    blank.send_key("f5")
    blank.send_key("KEY_ENTER")
    with pytest.raises(SpecError, match="nosuchkey"):
        blank.send_key("nosuchkey")


def test_addresses_come_from_the_agent_where_there_is_no_lease(tiny):
    found = {address.source for address in tiny.addresses()}
    assert found == {"agent"}
    assert tiny.known_addresses()


def test_nobody_knows_the_address_of_a_domain_without_network_and_agent(blank):
    with pytest.raises(HostError, match="agent"):
        blank.addresses()
    assert blank.known_addresses() == ()


def test_dump_is_an_elf_file(tiny, alpha):
    path = Path(alpha.pools["shared"].info().path) / "tiny.dump"
    tiny.dump(str(path))
    try:
        with path.open("rb") as dump:
            assert dump.read(4) == b"\x7fELF"
        assert path.stat().st_size > 64 * 2**20
        assert tiny.agent_answers()
    finally:
        path.unlink()
