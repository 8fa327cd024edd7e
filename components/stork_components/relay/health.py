"""How the relay is: what ``/ready`` and the metrics tell of it."""

from typing import Any

from twisted.logger import Logger

from stork_components.relay.following import Following
from stork_node.relay.choosing import UNCONFIRMED, UNCONFIRMED_S
from stork_node.relay.stream import NodeStream

# Heartbeats come each second, and a request for a page is repeated several times in this time.
_STUCK_S = 10.0
_SILENT_S = 3.0


class RelayHealth:
    """
    Attributes:
        probed_at: when the router last delivered the relay's own probe event (reactor's seconds), or the start.
    """

    log = Logger()

    def __init__(self, reactor: Any, stream: NodeStream, following: Following) -> None:
        self._reactor, self._follower, self._following = reactor, stream.follower, following
        self.probed_at = reactor.seconds()
        self._was_foreign = False
        self._said_of_server = ""

    @property
    def heard_at(self) -> float:
        """When the last frame of the publish server came (reactor's seconds), or the start."""
        return self._following.heard_at

    @property
    def trouble(self) -> str:
        """The problem that keeps this node from delivering, in one sentence; empty if there is none."""
        now, waits_since = self._reactor.seconds(), self._follower.waits_since
        if self._follower.sees_unknown_source(now):
            return "frames of another epoch on the bus: is there a second publish server?"
        # If the bus is silent too, the publish server is away: that is no problem of this node.
        if waits_since is not None and now - waits_since > _STUCK_S and now - self.heard_at < _STUCK_S / 2:
            where = self._following.link.replay_endpoint
            return f"pushes are missing, and {where} has not replayed them for {now - waits_since:.0f} s"
        return ""

    @property
    def server_trouble(self) -> str:
        """Why the publish server is out of reach, in one sentence; empty if it is not, or nothing is known."""
        return self._following.link.trouble

    @property
    def engine_trouble(self) -> str:
        """Why the log takes nothing, as the publish server says, in one sentence; empty where there is no trouble."""
        unconfirmed_s = self._following.server_counters.get(UNCONFIRMED, 0.0)
        if unconfirmed_s < UNCONFIRMED_S:
            return ""
        return f"the engine has confirmed nothing for {unconfirmed_s:.0f} s: pushes wait, or are not confirmed"

    @property
    def lag_s(self) -> float | None:
        """
        Seconds that the node is behind: since it requested missed pushes, or since the last frame, or else the
            travel time of the last heartbeat (by the clocks of both machines). None before the first heartbeat.
        """
        now: float = self._reactor.seconds()
        waits_since = self._follower.waits_since
        if waits_since is not None:
            return now - waits_since
        return self._following.heartbeat_lag_s if now - self.heard_at < _SILENT_S else now - self.heard_at

    def tell(self) -> None:
        """Log what has come up since the last look."""
        is_foreign = self._follower.sees_unknown_source(self._reactor.seconds())
        if is_foreign and not self._was_foreign:
            self.log.warn("{trouble}", trouble=self.trouble)
        self._was_foreign = is_foreign
        trouble = self.server_trouble
        if trouble and trouble != self._said_of_server:
            self.log.warn("{trouble}", trouble=trouble)
        self._said_of_server = trouble
