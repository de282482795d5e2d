"""Connections: the form that opens a host, and the hosts that are open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w

from labvirt.errors import LabvirtError, SpecError
from labvirt.host import Host, HostFacts
from labvirt.install import build_media, probe
from labvirt.model.uri import Uri
from labvirt.widgets.i18n import N_, _
from labvirt.widgets.managing.parts import alert, button, put, status, told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
}


def build_uri(
    driver: str, transport: str, *, host: str = "", user: str = "", path: str = ""
) -> Uri:
    """Return the URI that the fields of the form stand for (G12.4-01, G16.1-01).

    Args:
        driver: ``qemu``, ``xen``, ``test``.
        transport: ``ssh``, ``tls`` ...; empty for this machine.
        host: name or address, with ``:port`` if it is another than usual.
        user: name to log in with.
        path: ``/system``, ``/session``; empty takes the usual one.

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
    )


def open_host(uri: str | Uri, *, readonly: bool = False) -> Host:
    """Open a host for a view that owns it.

    Raises:
        SpecError: the URI has a fault.
        LabvirtError: nobody answers there, or it is refused.
    """
    parsed = uri if isinstance(uri, Uri) else Uri.parse(uri)
    virt: Any = None
    if parsed.is_local and parsed.driver == "qemu":
        virt = "kvm" if probe().works else "qemu"
    return Host.open(parsed, readonly=readonly, facts=HostFacts(virt=virt), builder=build_media)


class ConnectionForm:
    """The form: hypervisor, transport, host, user, path; the URI is shown as it grows.

    Args:
        aside: does the opening.
        opened: gets the open host.
    """

    def __init__(self, aside: Aside, opened: Callable[[Host], object]) -> None:
        self._aside, self._opened = aside, opened
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
        self.path = w.Text(description=_("Path"), placeholder="/system", **wide)
        self.readonly = w.Checkbox(
            description=_("Read-only: look, change nothing"), indent=False, value=False
        )
        self.connect = button(_("Connect"), _("Open this host"), self.go, kind="primary")
        self.words = w.HTML()
        self.box = w.VBox(
            [
                self.driver, self.transport, self.host, self.user, self.path,
                self.readonly, self.words, self.connect,
            ]
        )  # fmt: skip
        for each in (self.driver, self.transport, self.host, self.user, self.path):
            each.observe(lambda _change: self._look(), names="value")
        self._look()

    def uri(self) -> Uri:
        """Return the URI of the fields.

        Raises:
            SpecError: they cannot go together.
        """
        return build_uri(
            self.driver.value,
            self.transport.value,
            host=self.host.value,
            user=self.user.value,
            path=self.path.value,
        )

    def _look(self) -> None:
        remote = bool(self.transport.value)
        put(self.host, disabled=not remote)
        put(self.user, disabled=self.transport.value not in {"ssh", "libssh", "libssh2"})
        try:
            uri = self.uri()
        except SpecError as error:
            fields = "; ".join(f"{each.field}: {each.why}" for each in error.problems) or error.what
            put(self.words, value=status(_("Not complete: {why}").format(why=fields)))
            put(self.connect, disabled=True, tooltip=fields)
            return
        notes = "".join(f" ⚠ {each}" for each in uri.warnings)
        put(self.words, value=status(f"{uri.redacted()}{notes}"))
        put(self.connect, disabled=False, tooltip=_("Open this host"))

    def go(self) -> None:
        """Open what the fields say, aside."""
        try:
            uri = self.uri()
        except SpecError as error:
            put(self.words, value=alert(str(error)))
            return
        readonly = self.readonly.value
        put(self.connect, disabled=True)
        put(self.words, value=status(_("Connecting to {uri} …").format(uri=uri.redacted())))
        self._aside.run(
            "connect",
            lambda: open_host(uri, readonly=readonly),
            self._done,
            self._failed,
        )

    def _done(self, host: Host) -> None:
        put(self.connect, disabled=False)
        put(self.words, value=status(_("Connected: {uri}").format(uri=host.label)))
        self._opened(host)

    def _failed(self, error: BaseException) -> None:
        put(self.connect, disabled=False)
        put(self.words, value=alert(told(error)))


class HostList:
    """The open hosts: name, state of the link, read-only mark, and what takes them away.

    Args:
        drop: is called with the host that shall go.
        restore: is called with the host on which a saved VM shall be restored.
    """

    def __init__(
        self, drop: Callable[[Host], object], restore: Callable[[Host], object] = lambda _host: None
    ) -> None:
        self._drop, self._restore = drop, restore
        self.hosts: tuple[Host, ...] = ()
        self.choice = w.Select(
            options=[], description=_("Hosts"), rows=4, layout=w.Layout(width="46em")
        )
        self.drop = button(
            _("Disconnect"),
            _("Take the host out of this view; its VMs go on"),
            lambda: self._go(self._drop),
        )
        self.restore = button(
            _("Restore a saved VM"),
            _("Bring a VM back from a file that Save wrote, on the selected host"),
            lambda: self._go(self._restore),
        )
        self.box = w.VBox([self.choice, w.HBox([self.restore, self.drop])])

    def show(self, hosts: Sequence[Host]) -> None:
        """Show these hosts as they are now."""
        self.hosts = tuple(hosts)
        chosen = self.choice.value
        names = [(_line(host), number) for number, host in enumerate(self.hosts)]
        if tuple(names) != tuple(self.choice.options):
            put(self.choice, options=tuple(names))
            if chosen is not None and chosen < len(names):
                put(self.choice, value=chosen)
        for each in (self.drop, self.restore):
            put(each, disabled=not self.hosts)

    def _go(self, act: Callable[[Host], object]) -> None:
        number = self.choice.value
        if number is not None and number < len(self.hosts):
            act(self.hosts[number])


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
