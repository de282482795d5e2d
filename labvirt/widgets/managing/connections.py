"""Connections: the form that opens a host, and the hosts that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import ipywidgets as w

from labvirt import doctor
from labvirt.errors import LabvirtError, SpecError
from labvirt.host import Host, HostFacts
from labvirt.install import build_media, probe
from labvirt.model.uri import Uri
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.connection_more import MoreFields
from labvirt.widgets.managing.parts import alert, button, put, status, told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from labvirt.widgets.managing.parts import Aside

__all__ = ["ConnectionForm", "HostList", "build_uri", "open_host"]

#: Hypervisors that a form offers, with the path that each usually has.
DRIVERS: Final = {
    "qemu": ("QEMU/KVM", "/system"),
    "xen": ("Xen", "/system"),
    "test": (N_("Test driver (nothing real)"), "/default"),
}
TRANSPORTS: Final = {
    "": N_("this machine"),
    "ssh": "SSH",
    "tls": N_("TLS with certificates"),
    "tcp": N_("TCP (not encrypted)"),
    "libssh2": "SSH (libssh2)",
    "libssh": "SSH (libssh)",
    "ext": N_("an external program"),
}

#: How long a lost link is waited for when somebody asks.
_RECONNECT_S: Final = 15.0


def build_uri(
    driver: str,
    transport: str,
    *,
    host: str = "",
    user: str = "",
    path: str = "",
    params: Mapping[str, str] | None = None,
) -> Uri:
    """Return the URI that the fields of the form stand for (G12.4-01, G16.1-01).

    Args:
        driver: ``qemu``, ``xen``, ``test``.
        transport: ``ssh``, ``tls`` ...; empty for this machine.
        host: name or address, with ``:port`` if it is another than usual.
        user: name to log in with.
        path: ``/system``, ``/session``; empty takes the usual one.
        params: parameters of table 13.1 by name; libvirt's encoding is added.

    Raises:
        SpecError: the parts cannot go together; names the field.
    """
    host, port = host.strip(), None
    head, _colon, tail = host.rpartition(":")
    if tail.isdecimal() and head and (":" not in head or head.endswith("]")):
        host, port = head, int(tail)
    return Uri(
        driver,
        transport=transport or None,
        user=user.strip(),
        host=host.strip("[]"),
        port=port,
        path=path.strip() or DRIVERS.get(driver, ("", ""))[1],
        params=tuple((params or {}).items()),
    )


def open_host(uri: str | Uri, *, readonly: bool = False) -> Host:
    """Open a host for a view that owns it.

    Raises:
        SpecError: the URI has a fault.
        LabvirtError: nobody answers there, or it is refused.
    """
    parsed = uri if isinstance(uri, Uri) else Uri.parse(uri)
    facts = HostFacts()
    if parsed.is_local and parsed.driver == "qemu":
        found = probe()
        facts = HostFacts(virt="kvm" if found.works else "qemu", virt_why=found.why)
    return Host.open(parsed, readonly=readonly, facts=facts, builder=build_media)


class ConnectionForm:
    """The form: hypervisor, transport, host, user, path; the URI is shown as it grows.

    Args:
        opening: is called with the URI and whether it is to be read-only; opens it aside.
        aside: looks at a connection beside the page; without it there is no such button.
    """

    def __init__(self, opening: Callable[[Uri, bool], object], aside: Aside | None = None) -> None:
        self._opening, self._aside = opening, aside
        wide = {"style": {"description_width": "10em"}, "layout": {"width": "34em"}}
        self.driver = w.Dropdown(
            options=[(_(label), key) for key, (label, _path) in DRIVERS.items()],
            description=_("Hypervisor"),
            tooltip=_("What runs the VMs"),
            **wide,
        )
        self.transport = w.Dropdown(
            options=[(_(label), key) for key, label in TRANSPORTS.items()],
            description=_("Connection"),
            tooltip=_("How the host is reached"),
            **wide,
        )
        self.host = w.Text(
            description=_("Host name"),
            placeholder="kvm7.example.com",
            continuous_update=True,
            **wide,
        )
        self.user = w.Text(description=_("User"), placeholder="root", **wide)
        self.path = w.Combobox(
            description=_("Path"),
            placeholder="/system",
            options=("/system", "/session"),
            ensure_option=False,
            tooltip=_("system: the host's VMs; session: those of your own user"),
            **wide,
        )
        self.text = w.Text(
            description=_("or a URI"),
            placeholder="qemu+ssh://root@kvm7/system?keyfile=…",
            tooltip=_("A libvirt URI with all its parameters; the fields above do not count then"),
            **wide,
        )
        self.readonly = w.Checkbox(
            description=_("Read-only: look, change nothing"),
            indent=False,
            value=False,
            layout={"width": "auto"},
        )
        self.connect = button(_("Connect"), _("Open this host"), self.go, kind="primary")
        self.check = button(
            _("Check"), _("Look where on the way to this host it fails; changes nothing"), self.look
        )
        self.words = w.HTML()
        self.found = w.HTML()
        self.more = MoreFields(self._look)
        buttons = [self.connect] if aside is None else [self.connect, self.check]
        self.box = w.VBox(
            [
                self.driver, self.transport, self.host, self.user, self.path, self.more.box,
                self.text, self.readonly, self.words, w.HBox(buttons), self.found,
            ]
        )  # fmt: skip
        for each in (self.driver, self.transport, self.host, self.user, self.path, self.text):
            each.observe(lambda _change: self._look(), names="value")
        self._look()

    def uri(self) -> Uri:
        """Return the URI of the fields.

        Raises:
            SpecError: they cannot go together.
        """
        return self._wanted()[0]

    def _wanted(self) -> tuple[Uri, Callable[[], object] | None]:
        """Return the URI, and what must be done before it is opened."""
        if self.text.value.strip():
            return Uri.parse(self.text.value.strip()), None
        transport = self.transport.value
        # A program that connects is a part without which the rest cannot be right.
        command = self.more.fields["command"].value.strip() if transport == "ext" else ""
        return self.more.add_to(
            build_uri(
                self.driver.value,
                transport,
                host=self.host.value,
                user=self.user.value,
                path=self.path.value,
                params={"command": command} if command else None,
            )
        )

    def _look(self) -> None:
        given = bool(self.text.value.strip())
        put(self.host, disabled=given or not self.transport.value)
        ssh = self.transport.value in {"ssh", "libssh", "libssh2"}
        put(self.user, disabled=given or not ssh)
        for each in (self.driver, self.transport, self.path):
            put(each, disabled=given)
        self.more.show(self.transport.value or "unix", disabled=given)
        try:
            uri = self.uri()
        except SpecError as error:
            fields = "; ".join(f"{each.field}: {each.why}" for each in error.problems) or error.what
            put(self.words, value=status(_("Not complete: {why}").format(why=fields)))
            for each in (self.connect, self.check):
                put(each, disabled=True, tooltip=fields)
            return
        notes = "".join(f" ⚠ {each}" for each in uri.warnings)
        put(self.words, value=status(f"{uri.redacted()}{notes}"))
        put(self.connect, disabled=False, tooltip=_("Open this host"))
        put(
            self.check,
            disabled=False,
            tooltip=_("Look where on the way to this host it fails; changes nothing"),
        )

    def look(self) -> None:
        """Look at the way to the host, question by question, aside."""
        assert self._aside is not None
        try:
            uri, before = self._wanted()
            if before is not None:
                before()
        except LabvirtError as error:
            put(self.words, value=alert(told(error)))
            return
        put(self.found, value=status(_("Looking at {uri} …").format(uri=uri.redacted())))
        self._aside.run(
            f"look at {uri.redacted()}",
            lambda: doctor.connection(uri),
            lambda found: put(self.found, value=found._repr_html_()),
            lambda error: put(self.found, value=alert(told(error))),
        )

    def go(self) -> None:
        """Open what the fields say, aside."""
        try:
            uri, before = self._wanted()
            if before is not None:
                before()
        except LabvirtError as error:
            put(self.words, value=alert(told(error)))
            return
        put(self.words, value=status(_("Connecting to {uri} …").format(uri=uri.redacted())))
        self._opening(uri, self.readonly.value)


class HostList:
    """The hosts: name, state of the link, read-only mark; and those that could not be opened.

    Args:
        aside: waits for links.
        drop: is called with the host that shall go.
        again: is called with the URI that shall be tried once more, and whether read-only.
        restore: is called with the host on which a saved VM shall be restored.
    """

    def __init__(
        self,
        aside: Aside,
        drop: Callable[[Host], object],
        again: Callable[[Uri, bool], object],
        restore: Callable[[Host], object] = lambda _host: None,
    ) -> None:
        self._aside, self._drop, self._again = aside, drop, again
        self._restore = restore
        self.hosts: tuple[Host, ...] = ()
        self._failed: dict[tuple[Uri, bool], str] = {}
        self.choice = w.Select(
            options=[],
            description=_("Open hosts"),
            rows=5,
            layout=w.Layout(width="100%"),
            style={"description_width": "initial"},
        )
        self.choice.observe(lambda _change: self._look(), names="value")
        self.words = w.HTML()
        self.reconnect = button(
            _("Reconnect"), _("Try now to reach the host again"), self._reconnect
        )
        self.drop = button(
            _("Disconnect"),
            _("Take the host out of this view; its VMs go on"),
            self._go,
        )
        self.restore = button(
            _("Restore a saved VM"),
            _("Bring a VM back from a file that Save wrote, on the selected host"),
            self._bring,
        )
        self.box = w.VBox(
            [self.choice, self.words, w.HBox([self.restore, self.reconnect, self.drop])]
        )

    def failed(self, uri: Uri, readonly: bool, why: str) -> None:  # noqa: FBT001 - as it was asked
        """Keep a host that could not be opened, so that it can be tried again."""
        self._failed[uri, readonly] = why
        self.show(self.hosts)

    def show(self, hosts: Sequence[Host]) -> None:
        """Show these hosts as they are now."""
        self.hosts = tuple(hosts)
        for key in [key for key in self._failed if any(_is_of(host, key) for host in hosts)]:
            del self._failed[key]
        lines = [(_line(host), f"host {at}") for at, host in enumerate(self.hosts)]
        lines += [
            (" · ".join([_("not connected"), uri.redacted()]), f"failed {at}")
            for at, (uri, _readonly) in enumerate(self._failed)
        ]
        if tuple(lines) != tuple(self.choice.options):
            chosen = self.choice.value
            put(self.choice, options=tuple(lines))
            keys = [key for _text, key in lines]
            put(self.choice, value=chosen if chosen in keys else next(iter(keys), None))
        self._look()

    @property
    def _chosen(self) -> tuple[Host | None, tuple[Uri, bool] | None]:
        kind, _space, number = (self.choice.value or "").partition(" ")
        at = int(number) if number else -1
        if kind == "host" and at < len(self.hosts):
            return self.hosts[at], None
        if kind == "failed" and at < len(self._failed):
            return None, tuple(self._failed)[at]
        return None, None

    def _look(self) -> None:
        host, failed = self._chosen
        put(self.drop, disabled=host is None and failed is None)
        put(self.restore, disabled=host is None)
        up = host is not None and host.state == "connected"
        put(
            self.reconnect,
            disabled=up or (host is None and failed is None),
            tooltip=_("the link stands") if up else _("Try now to reach the host again"),
        )
        if failed is not None:
            put(self.words, value=alert(self._failed[failed]))
        elif host is None or up:
            put(self.words, value="")
        else:
            put(self.words, value=status(_line(host)))

    def _reconnect(self) -> None:
        host, failed = self._chosen
        if failed is not None:
            put(
                self.words,
                value=status(_("Connecting to {uri} …").format(uri=failed[0].redacted())),
            )
            self._again(*failed)
        elif host is not None:
            put(self.words, value=status(_("Connecting to {uri} …").format(uri=host.label)))
            self._aside.run(
                f"reconnect {host.label}",
                lambda: host.connection.wait_link(_RECONNECT_S),
                lambda _none: self.show(self.hosts),
                lambda error: put(self.words, value=alert(told(error))),
            )

    def _bring(self) -> None:
        host, _failed = self._chosen
        if host is not None:
            self._restore(host)

    def _go(self) -> None:
        host, failed = self._chosen
        if failed is not None:
            self._failed.pop(failed, None)
            self.show(self.hosts)
        elif host is not None:
            self._drop(host)


def _is_of(host: Host, key: tuple[Uri, bool]) -> bool:
    return host.label == key[0].redacted() and host.readonly == key[1]


def _line(host: Host) -> str:
    words = [host.name, _(host.state)]
    if host.readonly:
        words.append(_("read-only"))
    try:
        stale = host.stale_since
    except LabvirtError:
        stale = None
    if stale is not None:
        words.append(_("stale since {at} UTC").format(at=f"{stale:%H:%M:%S}"))
    return " · ".join([*words, host.label])
