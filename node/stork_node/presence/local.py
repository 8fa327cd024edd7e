"""The users of this node: who has a session here in which topic, and what of it the log does not know yet."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice

from msgspec import Raw
from msgspec.json import encode as _encode

from stork_node.protocol.presence.entries import PresenceBatch, TopicChanges
from stork_node.protocol.presence.limits import MAX_INFO_BYTES, MOST_AUTHID_CHARACTERS, MOST_CHANGES

NO_INFO = b"null"
_MOST_BATCH_BYTES = 24 << 10  # a lease carries it, and a request has 64 KiB at most

_TOLD, _ONE = 1, 2
"""A user's number is twice its sessions, and one more if the log has been told of it."""
_LEFT, _INFO = 1, 2

_Key = tuple[str, str]


def _ignore() -> None:
    pass


def _at_once(function: Callable[[], None]) -> None:
    function()


class LocalPresence:
    """
    Counts sessions, and makes the batches of one incarnation, one at a time: the next one after the log has the last.

    Attributes:
        batch: the batch that the log does not have yet, as far as is known.
        numbered: the number of the last batch that is known to be in the log.
        news: is called when there is something to say; its owner sets it.
        hold: calls a function a moment later; its owner sets it. A user who leaves here may have come on another node
            just before, and that node has not said so yet.
    """

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, int]] = {}
        self._waits: dict[str, int] = {}
        self._infos: dict[_Key, bytes] = {}
        self._dirty: dict[_Key, int] = {}
        self.batch: PresenceBatch | None = None
        self.numbered = 0
        self.news: Callable[[], None] = _ignore
        self.hold: Callable[[Callable[[], None]], object] = _at_once

    def __len__(self) -> int:
        return sum(map(len, self._rooms.values()))

    @property
    def news_count(self) -> int:
        """How much there is to say that is in no batch yet."""
        return len(self._dirty)

    @property
    def is_told(self) -> bool:
        """Whether the log has all of it, as far as is known."""
        return not self._dirty and self.batch is None

    def join(self, topic: str, authid: str, wait_ms: int, info: bytes = NO_INFO) -> bool:
        """
        One more session of a user is in a topic.

        Args:
            wait_ms: how long a user of this topic may be away.
            info: JSON of what is said of the user, at most 4 KiB.

        Returns:
            False if its name or ``info`` is too long: then it counts as nowhere, and there is no ``leave``.
        """
        if not 0 < len(authid) <= MOST_AUTHID_CHARACTERS or len(info) > MAX_INFO_BYTES:
            return False
        self._waits[topic] = wait_ms
        room = self._rooms.setdefault(topic, {})
        before = room.get(authid, 0)
        room[authid] = before + _ONE
        key = topic, authid
        if self._infos.get(key, NO_INFO) != info:
            if info == NO_INFO:
                del self._infos[key]
            else:
                self._infos[key] = info
            self._dirty[key] = _INFO
        elif before < _ONE:
            self._dirty[key] = self._dirty.get(key, 0) & _INFO
        else:
            return True
        self.news()
        return True

    def leave(self, topic: str, authid: str, has_left: bool = False) -> None:
        """One session of a user is gone from a topic; ``has_left``: it has said so, and will not be back at once."""
        room = self._rooms.get(topic, {})
        number = room.get(authid, 0)
        if number < _ONE:
            return
        room[authid] = number - _ONE
        if number - _ONE >= _ONE:
            return
        if has_left:
            self.hold(partial(self._gone, (topic, authid), _LEFT))
        else:
            self._gone((topic, authid), 0)

    def _gone(self, key: _Key, how: int) -> None:
        topic, authid = key
        if self._rooms.get(topic, {}).get(authid, _ONE) < _ONE:
            self._dirty[key] = self._dirty.get(key, 0) & _INFO | how
            self.news()

    def count(self, topic: str, authid: str) -> int:
        """The sessions of a user in a topic here."""
        return self._rooms.get(topic, {}).get(authid, 0) // _ONE

    def next_batch(self) -> PresenceBatch | None:
        """The batch to say: the one that is not in the log, or a new one; None if there is no news."""
        if self.batch is None and self._dirty:
            topics = tuple(self._take_news())
            if topics:
                self.batch = PresenceBatch(self.numbered + 1, topics)
        return self.batch

    def met(self, batch: int) -> None:
        """The log has a batch of this incarnation."""
        if self.batch is not None and batch == self.batch.batch:
            self.batch, self.numbered = None, batch

    @property
    def last_said(self) -> int:
        """The number of the last batch that was made."""
        return self.batch.batch if self.batch else self.numbered

    def begin_anew(self) -> None:
        """A new incarnation has said nothing: all users are to be reported."""
        self.batch, self.numbered = None, 0
        self._dirty.clear()
        for topic, room in list(self._rooms.items()):
            users = {authid: number & ~_TOLD for authid, number in room.items() if number >= _ONE}
            for authid in [authid for authid in room if authid not in users]:
                self._infos.pop((topic, authid), None)
            self._rooms[topic] = users
            self._dirty.update(((topic, authid), 0) for authid in users)
            self._forget_empty(topic)

    def _take_news(self) -> Iterator[TopicChanges]:
        found: dict[str, _Changes] = {}
        size = 0
        for key, how in list(islice(self._dirty.items(), MOST_CHANGES)):
            if size >= _MOST_BATCH_BYTES:
                break
            topic, authid = key
            if topic not in found:
                found[topic] = _Changes()
                size += len(topic) + 80
            size += 2 * len(_encode(authid)) + len(self._infos.get(key, b"")) + 8
            del self._dirty[key]
            self._take(found[topic], key, how)
        if not self._dirty:
            self._dirty = {}  # a dict keeps its size
        for topic, changes in found.items():
            if changes:
                yield changes.of(topic, self._waits[topic])
            self._forget_empty(topic)

    def _take(self, changes: "_Changes", key: _Key, how: int) -> None:
        topic, authid = key
        room = self._rooms[topic]
        number = room.get(authid, 0)
        is_told = number & _TOLD
        if number >= _ONE and (not is_told or how & _INFO):
            changes.on.append(authid)
            if key in self._infos:
                changes.info[authid] = self._infos[key]
            room[authid] = number | _TOLD
        elif number < _ONE:
            if is_told:
                (changes.left if how & _LEFT else changes.off).append(authid)
            room.pop(authid, None)
            self._infos.pop(key, None)

    def _forget_empty(self, topic: str) -> None:
        if not self._rooms.get(topic):
            self._rooms.pop(topic, None)
            self._waits.pop(topic, None)


class _Changes:
    def __init__(self) -> None:
        self.on: list[str] = []
        self.info: dict[str, bytes] = {}
        self.off: list[str] = []
        self.left: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.on or self.off or self.left)

    def of(self, topic: str, wait_ms: int) -> TopicChanges:
        return TopicChanges(topic, wait_ms, tuple(self.on), _raw(self.info), tuple(self.off), tuple(self.left))


def _raw(info: Mapping[str, bytes]) -> dict[str, Raw]:
    return {authid: Raw(text) for authid, text in info.items()}
