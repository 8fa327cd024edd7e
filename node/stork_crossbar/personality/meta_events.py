"""
The meta events of what a session gives up or leaves behind, with its session id.

Crossbar publishes them a turn later, when a session that has left has no id any more. For a session that leaves, it
also takes the last of its registrations for all: the others end without an event, or are reported as gone though
another session has them.
"""

from typing import Any


class GivenUp:
    """
    Collects the subscriptions, or registrations, that one session gives up in this turn; ``publish`` tells of all.

    ``kind`` is ``subscription`` or ``registration``, and ``gives_up`` the meta event of one that is given up.
    """

    def __init__(self, router: Any, session: Any, kind: str, gives_up: str) -> None:
        self._router, self._session_id = router, session._session_id
        self._gives_up, self._ends = f"wamp.{kind}.{gives_up}", f"wamp.{kind}.on_delete"
        self._events: list[tuple[str, int]] = []

    def add(self, observation: Any, *, is_deleted: bool) -> None:
        """``is_deleted``: this session was the last that had it."""
        if observation.uri.startswith("wamp."):  # meta events about meta events would have no end
            return
        self._events.append((self._gives_up, observation.id))
        if is_deleted:
            self._events.append((self._ends, observation.id))

    def publish(self, reactor: Any) -> bool:
        """Publish after this turn, as Crossbar does. False if there is nothing to tell."""
        if not self._events or not self._service_session():
            return False
        reactor.callLater(0, self._publish)
        return True

    def _service_session(self) -> Any:
        return self._router._realm and self._router._realm.session

    def _publish(self) -> None:
        service_session = self._service_session()
        for topic, observation_id in self._events if service_session else ():
            service_session.publish(topic, self._session_id, observation_id)
