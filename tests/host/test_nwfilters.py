"""Network filters: defined, used by a running guest, refused to go while used; honest on session."""

from __future__ import annotations

import subprocess

import pytest

from labvirt.errors import (
    ConfirmationError,
    ConflictError,
    NotFoundError,
    SpecError,
    UnsupportedError,
)
from labvirt.model import FilterUse, NwFilterSpec, NwRule

pytestmark = pytest.mark.lab

MAC = "52:54:00:00:0a:01"
ONLY = NwFilterSpec(
    name="only-from",
    rules=[
        NwRule(action="drop", direction="out", protocol="ip", negate=True,
               match={"srcipaddr": "$IP"}),
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def guest(web):
    web.wait_for("network", timeout_s=60)
    return web


def pings(guest):
    done = guest.run(["/bin/ping", "-c", "1", "-W", "1", "192.168.150.1"])
    return " 0 packets received" not in done.stdout


def test_a_filter_is_defined_listed_read_and_undefined(host):
    plan = host.define_nwfilter.plan(ONLY)
    assert "nwfilter-define" in plan.virsh
    made = plan.apply()
    assert host.nwfilters.names == ["only-from"]
    assert host.nwfilters[made.uuid].name == "only-from"
    assert "only-from" in host.nwfilters.df["name"].to_list()
    assert "only-from" in host.nwfilters._repr_html_()
    told = subprocess.run(
        ["virsh", "-c", host.uri, "nwfilter-dumpxml", "only-from"],
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    assert told.strip() == made.xml().strip()
    assert "srcipaddr='$IP'" in told
    with pytest.raises(ConfirmationError, match="network filter only-from"):
        made.undefine()
    made.undefine(confirm=True)
    assert host.nwfilters.names == []
    with pytest.raises(NotFoundError):
        _ = host.nwfilters["only-from"]


def test_bad_filters_are_refused_before(host):
    made = host.define_nwfilter(ONLY)
    try:
        with pytest.raises(ConflictError, match="only-from exists already"):
            host.define_nwfilter(ONLY)
        with pytest.raises(NotFoundError, match="it uses no-such"):
            host.define_nwfilter(NwFilterSpec(name="b", uses=["no-such"]))
        with pytest.raises(SpecError, match="drip"):
            host.define_nwfilter("<filter name='b'><rule action='drip' direction='in'/></filter>")
        with pytest.raises(SpecError, match="protocol"):
            NwRule(action="drop", protocol="tpc")
        with pytest.raises(SpecError, match="the filter itself"):
            NwFilterSpec(name="b", uses=["b"])
        with pytest.raises(ConflictError, match="belongs to network filter only-from"):
            host.define_nwfilter(NwFilterSpec(name="b", uuid=made.uuid))
        assert host.nwfilters.names == ["only-from"]
    finally:
        made.undefine(confirm=True)


@pytest.mark.slow(seconds=20)
def test_a_filter_acts_on_a_running_guest_and_goes(host, guest):
    made = host.define_nwfilter(ONLY)
    address = "192.168.150.10"
    assert pings(guest)
    with pytest.raises(NotFoundError, match="no network filter nobody"):
        guest.set_filter(MAC, "nobody")
    with pytest.raises(NotFoundError, match="no such interface"):
        guest.set_filter("52:54:00:00:00:99", "only-from")
    wrong = FilterUse(filter="only-from", parameters={"IP": "10.1.1.1"})
    plan = guest.set_filter.plan(MAC, wrong)
    assert "filterref" in plan.diff
    plan.apply()
    assert not pings(guest)
    (binding,) = host.nwfilters.bindings()
    assert (binding.filter, binding.domain, binding.mac) == ("only-from", "web1", MAC)
    assert "IP=10.1.1.1" in binding.parameters
    assert host.nwfilters.bindings().df["domain"].to_list() == ["web1"]
    assert made.users() == ("domain web1",)
    with pytest.raises(ConflictError, match="used by domain web1"):
        made.undefine(confirm=True)
    guest.set_filter(MAC, FilterUse(filter="only-from", parameters={"IP": [address]}))
    assert pings(guest)
    assert "filterref" not in guest.pending
    # A change of the filter reaches the guest at once.
    made.edit(lambda view: view.rules.clear())
    made.edit(made.xml().replace("</filter>", "<rule action='drop' direction='inout'/></filter>"))
    assert not pings(guest)
    with pytest.raises(ConflictError, match="renames"):
        made.edit(made.xml().replace("only-from", "other"))
    other = host.define_nwfilter(NwFilterSpec(name="outer", uses=["only-from"]))
    guest.set_filter(MAC, None)
    assert pings(guest)
    assert host.nwfilters.bindings() == ()
    with pytest.raises(ConflictError, match="used by network filter outer"):
        made.undefine(confirm=True)
    other.undefine(confirm=True)
    made.undefine(confirm=True)


def test_session_says_that_it_has_none(lab):
    alpha = lab["alpha"]
    with pytest.raises(UnsupportedError, match="session") as caught:
        _ = alpha.nwfilters.names
    assert "system URI" in caught.value.hint
    with pytest.raises(UnsupportedError, match="session"):
        alpha.nwfilters.bindings()
    with pytest.raises(UnsupportedError):
        alpha.define_nwfilter(ONLY)
