"""The only door to libvirt: open, lose and reopen links, make calls, hear events."""

from labvirt.connection.connection import Connection
from labvirt.connection.events import Event, Subscription
from labvirt.connection.reconnect import LinkState

__all__ = ["Connection", "Event", "LinkState", "Subscription"]
