"""
Delivering pushes to the subscribers of this node, on Crossbar's own ``publish`` and its map of sessions.

The simplest way that is right: Crossbar encodes each event again for each subscription.
"""

import json
from collections.abc import Sequence
from typing import Any

from autobahn.wamp.types import PublishOptions

from stork_components.connections import close_transport
from stork_node import uris
from stork_node.bus import PushFrame
from stork_node.positions import Position

# Connections that are closed after a break come back together: some at a time.
_CLOSED_A_TURN = 50
_CLOSING_PAUSE_S = 0.05
_INTERNAL = ("wamp.", "crossbar.", uris.PROBE)


class Broadcaster:
    """
    Args:
        component: an embedded component that has joined, with the right to publish.
    """

    def __init__(self, component: Any, reactor: Any) -> None:
        self._component, self._reactor = component, reactor

    @property
    def _router(self) -> Any:
        return self._component._transport._router

    def deliver(self, pushes: Sequence[PushFrame]) -> None:
        """Publish pushes, in order, to all subscribers of their topics but the excluded sessions."""
        for push in pushes:
            event = json.loads(push.event)
            options = PublishOptions(exclude=list(push.exclude)) if push.exclude else None
            for topic in push.topics:
                self._component.publish(topic, event, options=options, position=str(push.position))

    def beat(self, position: Position) -> None:
        """Tell everybody who listens that there is nothing before ``position`` that was not delivered."""
        self._component.publish(uris.BEAT, position=str(position))

    def receives(self, session_id: int, topic: str) -> bool:
        """Whether a session is subscribed to a topic now, exactly or by a pattern."""
        session = self._router._session_id_to_session.get(session_id)
        found = self._router._broker._subscription_map.match_observations(topic)
        return any(session in subscription.observers for subscription in found)

    def close_subscribers(self, code: int, reason: str) -> None:
        """
        Close every connection that has a subscription, some at a time; none of them gets an event from now on.

        Args:
            code: WebSocket close code.
            reason: what clients are told with it.
        """
        broker = self._router._broker
        leaving = []
        for session, held in list(broker._session_to_subscriptions.items()):
            subscriptions = [each for each in held if not each.uri.startswith(_INTERNAL)]
            for subscription in subscriptions:
                broker._unsubscribe(subscription, session)
            if subscriptions:
                leaving.append(session)
        self._close(leaving, code, reason)

    def _close(self, sessions: list[Any], code: int, reason: str) -> None:
        for session in sessions[:_CLOSED_A_TURN]:
            transport = session._transport
            if transport is not None and not close_transport(transport, code, reason):
                transport.close()
        if left := sessions[_CLOSED_A_TURN:]:
            self._reactor.callLater(_CLOSING_PAUSE_S, self._close, left, code, reason)
