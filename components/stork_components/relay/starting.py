"""When a node may open its ports."""

from typing import Any

from twisted.internet import defer
from twisted.logger import Logger

from stork_components.relay.following import Following
from stork_node.relay.stream import NodeStream

# A history is there within seconds. A log that has no end must not keep a node from opening its ports.
_LONGEST_S = 60.0


class Starting:
    """
    ``done`` fires when the node has caught up with the publish server, or cannot be expected to soon.

    Args:
        first_frame_s: how long it waits without a sign of the publish server.
    """

    log = Logger()

    def __init__(self, reactor: Any, stream: NodeStream, first_frame_s: float) -> None:
        self._reactor, self._stream, self._first_frame_s = reactor, stream, first_frame_s
        self._began_at = reactor.seconds()
        self.done: defer.Deferred[None] = defer.Deferred()

    def look(self) -> None:
        """The stream may have come further."""
        if self._stream.is_ready and not self.done.called:
            self.log.info("caught up with the publish server at {position}", position=self._stream.position)
            self.done.callback(None)

    def tick(self, following: Following) -> None:
        """Look whether it has waited for long enough."""
        if self.done.called:
            return
        now, link = self._reactor.seconds(), following.link
        if now - following.progress_at > self._first_frame_s:
            is_silent = following.heard_at <= following.progress_at
            where = link.endpoint if is_silent else link.replay_endpoint
            self.log.warn("nothing heard from the publish server at {endpoint} yet", endpoint=where)
        elif now - self._began_at > _LONGEST_S:
            self.log.warn(
                "still catching up with {endpoint}, at {position}",
                endpoint=link.replay_endpoint,
                position=self._stream.position,
            )
        else:
            return
        self.done.callback(None)
