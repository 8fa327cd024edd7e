"""Who is online in a test of an application: as on a node, with no time in which a user may be away."""

from collections.abc import Iterator
from typing import Any

Call = tuple[str, str | None, str]
"""What handlers are told: ``online`` or ``offline``, the topic or None, and the user."""


class OnlineRecorder:
    """
    Args:
        feeds: those with presence, such as ``v1.room``.
    """

    def __init__(self, feeds: frozenset[str]) -> None:
        self._feeds = feeds
        self._rooms: dict[str, dict[str, list[int]]] = {}
        self._infos: dict[tuple[str, str], Any] = {}

    def has_presence(self, topic: str) -> bool:
        return topic.rpartition(".")[0] in self._feeds

    def online(self, topic: str) -> dict[str, Any]:
        """The users in a topic in the order in which they came, each with what is shown of it."""
        return {user: self._infos[topic, user] for user in self._rooms.get(topic, {})}

    def came(self, session: int, user: str, info: Any, topic: str) -> Iterator[Call]:
        """A session has subscribed; what handlers are told."""
        if not self.has_presence(topic):
            return
        was_anywhere = self._is_anywhere(user)
        sessions = self._rooms.setdefault(topic, {}).setdefault(user, [])
        self._infos[topic, user] = info
        sessions.append(session)
        if len(sessions) == 1:
            if not was_anywhere:
                yield "online", None, user
            yield "online", topic, user

    def went(self, session: int, user: str, topic: str = "") -> Iterator[Call]:
        """A session has unsubscribed from a topic, or from all of them."""
        for name in [topic] if topic else list(self._rooms):
            sessions = self._rooms.get(name, {}).get(user, [])
            if session not in sessions:
                continue
            sessions.remove(session)
            if not sessions:
                del self._rooms[name][user], self._infos[name, user]
                yield "offline", name, user
                if not self._is_anywhere(user):
                    yield "offline", None, user

    def _is_anywhere(self, user: str) -> bool:
        return any(user in users for users in self._rooms.values())
