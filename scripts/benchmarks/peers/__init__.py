"""The servers that are measured: how each is installed, configured, started, joined and pushed to."""

from benchmarks.peers.bare import Bare, BareJoined
from benchmarks.peers.centrifugo import Centrifugo
from benchmarks.peers.crossbar import Crossbar
from benchmarks.peers.engine import OnRedis, OnReplicatedRedis, OnSentinels, TwoOnRedis
from benchmarks.peers.mosquitto import Mosquitto
from benchmarks.peers.nats import Nats
from benchmarks.peers.nchan import Nchan
from benchmarks.peers.peer import Peer
from benchmarks.peers.pusher_protocol import Sockudo, StorkPusher
from benchmarks.peers.stork import PublishServer, Stork, StorkJwt

__all__ = ["PEERS", "Peer"]

PEERS: dict[str, type[Peer]] = {
    peer.name: peer
    for peer in (
        Stork,
        StorkJwt,
        StorkPusher,
        PublishServer,
        OnRedis,
        OnReplicatedRedis,
        TwoOnRedis,
        OnSentinels,
        Crossbar,
        Nchan,
        Nats,
        Mosquitto,
        Centrifugo,
        Sockudo,
        Bare,
        BareJoined,
    )
}
"""By name, in the order of the table."""
