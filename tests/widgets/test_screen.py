"""The graphical console without a browser: where a display is, whom it follows, what is kept of it."""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import time
from types import SimpleNamespace

import pytest
from PIL import Image

from labvirt.connection.tunnel import broken, open_tunnel
from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    ConnectionLostError,
    NotFoundError,
    UnsupportedError,
)
from labvirt.host.display import screen_place
from labvirt.model.uri import Uri
from labvirt.status import DomainState
from labvirt.widgets.screen import screen
from labvirt.widgets.screen_feed import ScreenFeed
from labvirt.widgets.screen_words import place_words

PNG = io.BytesIO()
Image.new("RGB", (4, 3)).save(PNG, "PNG")
AGENT = (
    "<channel type='qemu-vdagent'><source><clipboard copypaste='yes'/></source>"
    "<target type='virtio' name='com.redhat.spice.0'/></channel>"
)


class Host:
    """As much of a host as a screen asks for."""

    readonly = False

    def __init__(self, name="alpha"):
        self.name, self.label, self.domains, self.went = name, f"test:///{name}", {}, None
        self.news = SimpleNamespace(record=lambda *_: SimpleNamespace(state=DomainState.RUNNING))

    def listen(self, _heard):
        return lambda: None

    def require_writable(self, _asked):
        pass

    def moved_to(self, _uuid):
        return self.went


class Domain:
    uuid, is_active = "u", True

    def __init__(self, host, name="web1", devices="<graphics type='vnc'/>"):
        self.host, self.name, self.devices = host, name, devices
        self.error = None
        host.domains[self.uuid] = self

    def xml(self):
        return f"<domain><name>{self.name}</name><devices>{self.devices}</devices></domain>"

    def info(self):
        pass

    def screen(self, _index):
        if self.error:
            raise self.error
        near, self.far = socket.socketpair()
        return near

    def screenshot(self):
        if not self.is_active:
            raise ConflictError("take a screenshot", libvirt_text="not running")
        return SimpleNamespace(data=PNG.getvalue(), mime="image/png")


@pytest.fixture
def shown():
    with contextlib.ExitStack() as closing:

        def show(domain):
            made = screen(domain)
            closing.callback(made.close)
            return made

        yield show


# -- where it listens ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "words", "is_open"),
    [
        ("<graphics type='vnc'><listen type='none'/></graphics>", "listens on nothing", False),
        ("<graphics type='vnc' port='5901' listen='127.0.0.1'/>", "from alpha itself only", False),
        ("<graphics type='vnc' port='5901' listen='::1'/>", "from alpha itself only", False),
        (
            "<graphics type='vnc' port='5901'><listen type='address' address='0.0.0.0'/></graphics>",
            "Warning: VNC on 0.0.0.0, port 5901: the whole network",
            True,
        ),
        ("<graphics type='vnc' port='5901' listen='::'/>", "the whole network", True),
        ("<graphics type='vnc' port='5901' listen='10.1.1.1'/>", "reaches this address", True),
        (
            "<graphics type='vnc'><listen type='socket' socket='/run/a'/></graphics>",
            "socket /run/a of alpha",
            False,
        ),
    ],
)
def test_where_a_display_listens_is_said(device, words, is_open, shown):
    """G16.4-02."""
    domain = Domain(Host(), devices=device)
    said = place_words(screen_place(domain), "alpha")
    assert words in said["text"]
    assert said["open"] is is_open
    assert shown(domain).where == said["text"]


def test_a_clipboard_needs_its_channel():
    with_, without = (
        place_words(screen_place(Domain(Host(), devices=f"<graphics type='vnc'/>{each}")), "x")
        for each in (AGENT, "")
    )
    assert with_["clipboard"] == ""
    assert "qemu-vdagent" in without["clipboard"]


# -- whom it follows -------------------------------------------------------------------------------


def test_a_domain_that_labvirt_moved_is_followed(shown):
    alpha, beta = Host("alpha"), Host("beta")
    here = Domain(alpha)
    there = Domain(beta)
    here.error = NotFoundError("no such domain")
    alpha.went = beta
    view = shown(here)
    with view._connect(), there.far:
        assert view.domain is there


def test_one_that_is_off_is_not_waited_for_and_one_that_is_gone_only_for_a_while(
    shown, monkeypatch
):
    monkeypatch.setattr(sys.modules["labvirt.widgets.screen"], "_ARRIVAL_S", 0.2)
    domain = Domain(Host())
    view = shown(domain)
    for error in (ConflictError("it is off"), NotFoundError("it is gone")):
        domain.error = error
        began = time.monotonic()
        with pytest.raises(type(error)):
            view._connect()
        assert time.monotonic() - began < 5


def test_what_moved_away_and_came_back_by_other_means_is_here(shown):
    """libvirt's word counts, not what labvirt remembers."""
    alpha = Host()
    alpha.went = Host("beta")
    domain = Domain(alpha)
    view = shown(domain)
    with view._connect(), domain.far:
        assert view.domain is domain


# -- what is kept ----------------------------------------------------------------------------------


def test_a_saved_notebook_has_the_picture_with_a_text_beside_it(shown):
    made = shown(Domain(Host(), name="<b>web1</b>"))._kept()
    assert 'src="data:image/png;base64,' in made["text/html"]
    assert 'alt="&lt;b&gt;web1&lt;/b&gt; on alpha: screen, 20' in made["text/html"]
    assert made["text/plain"].startswith("<b>web1</b> on alpha: screen, 20")


def test_without_a_picture_there_is_a_line(shown):
    domain = Domain(Host())
    domain.is_active = False
    assert "<img" not in shown(domain)._kept()["text/html"]


def test_where_a_program_runs_the_notebook_there_is_no_view(shown, monkeypatch):
    kept = []
    monkeypatch.setenv("LABVIRT_STATIC", "1")
    monkeypatch.setattr("IPython.display.display", lambda made, **_: kept.append(made))
    shown(Domain(Host()))._ipython_display_()
    assert set(kept[0]) == {"text/html", "text/plain"}
    assert "<img" in kept[0]["text/html"]


# -- sessions --------------------------------------------------------------------------------------


def test_the_view_is_told_whose_screen_it_is_and_every_error_ends_the_waiting():
    sent, far = [], []

    def connect():
        if len(far) >= 2:
            raise RuntimeError("<b>boom</b>")
        near, other = socket.socketpair()
        far.append(other)
        return near

    feed = ScreenFeed(
        lambda message, _: sent.append(message), connect=connect, act=lambda *_: None,
        facts=dict, about=lambda: {"guest": "web1"},
    )  # fmt: skip

    def said(kind, view):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if found := [one for one in sent if (one["t"], one.get("view")) == (kind, view)]:
                return found[0]
            time.sleep(0.005)
        raise AssertionError(sent)

    for view in ("a", "b"):
        feed.receive({"t": "open", "view": view})
        assert said("opened", view)["about"] == {"guest": "web1"}
    feed.receive({"t": "still", "view": "a"})
    assert said("still", "a")["mime"] == ""
    feed.receive({"t": "open", "view": "c"})
    assert said("end", "c") == {"t": "end", "view": "c", "s": 0, "why": "<b>boom</b>"}
    feed.close()
    for each in far:
        each.close()


# -- ssh -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        ("root@kvm7: Permission denied (publickey).", AccessDeniedError, "no password is asked"),
        ("Host key verification failed.", AccessDeniedError, "known_hosts"),
        (
            "channel 0: open failed: administratively prohibited: open failed",
            AccessDeniedError,
            "AllowTcpForwarding",
        ),
        (
            "channel 0: open failed: connect failed: Connection refused; stdio forwarding failed",
            ConnectionLostError,
            "nothing answers there",
        ),
        (
            "ssh: Could not resolve hostname kvm7: Name or service not known",
            ConnectionLostError,
            "spelling",
        ),
        ("", ConnectionLostError, "by hand"),
    ],
)
def test_what_ssh_says_is_explained(said, kind, hint):
    error = broken(Uri.parse("qemu+ssh://root@kvm7/system"), "open the screen", said)
    assert type(error) is kind
    assert hint in str(error)


def test_a_machine_without_ssh_and_a_path_that_ssh_cannot_be_told_of(tmp_path):
    uri = Uri.parse(f"qemu+ssh://root@kvm7/system?command={tmp_path}/ssh")
    with pytest.raises(UnsupportedError, match="openssh-client"):
        open_tunnel(uri, "open the screen", address="127.0.0.1", port=5900, timeout_s=1)
    here = Uri.parse("qemu+ssh://root@kvm7/system?command=true")
    with pytest.raises(UnsupportedError, match="a:b"):
        open_tunnel(here, "open the screen", path="/run/a:b", timeout_s=1)
