"""A host: what it has, what can be done with it, and every change as a plan."""

from labvirt.host.clones.inside import Answer, GuestOutput
from labvirt.host.collection import Collection
from labvirt.host.console import Console
from labvirt.host.domain import Domain
from labvirt.host.evidence import Evidence
from labvirt.host.facts import HostFacts
from labvirt.host.host import Host
from labvirt.host.media import MediaBuilder
from labvirt.host.migrating.convoy import ConvoyResult
from labvirt.host.migrating.preflight import Preflight
from labvirt.host.migrating.result import MigrationResult
from labvirt.host.migrating.suggesting import Suggestion, suggest
from labvirt.host.networks.network import Network
from labvirt.host.storage.pool import Pool
from labvirt.host.storage.volume import Volume

__all__ = [
    "Answer",
    "Collection",
    "Console",
    "ConvoyResult",
    "Domain",
    "Evidence",
    "GuestOutput",
    "Host",
    "HostFacts",
    "MediaBuilder",
    "MigrationResult",
    "Network",
    "Pool",
    "Preflight",
    "Suggestion",
    "Volume",
    "suggest",
]
