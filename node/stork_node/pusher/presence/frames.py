"""What clients are told of the members of a presence channel, as JSON."""

from collections.abc import Iterable, Mapping

import msgspec

_encode = msgspec.json.Encoder().encode


def member_added(user_id: str, info: bytes) -> bytes:
    """The body of a frame, as ``server_frames.event`` takes it."""
    told = b'{"user_id":%b,"user_info":%b}' % (_encode(user_id), info)
    return b'"event":"pusher_internal:member_added","data":%b' % _encode(told.decode())


def member_removed(user_id: str) -> bytes:
    """The body of a frame, as ``server_frames.event`` takes it."""
    told = b'{"user_id":%b}' % _encode(user_id)
    return b'"event":"pusher_internal:member_removed","data":%b' % _encode(told.decode())


class MemberList:
    """The JSON of all members, made once for all clients that ask until it changes."""

    __slots__ = ("_hash", "_ids", "_number")

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self._number = len(members)
        self._ids = b",".join(map(_encode, members))
        self._hash = b",".join(_entries(members.items()))

    def with_one(self, user_id: str, info: bytes) -> bytes:
        """With one member more: ``{"count": 2, "ids": [user ids], "hash": {user id: info}}``."""
        comma = b"," if self._number else b""
        [entry] = _entries([(user_id, info)])
        return _list(self._number + 1, self._ids + comma + _encode(user_id), self._hash + comma + entry)

    def as_it_is(self) -> bytes:
        """The same without another one."""
        return _list(self._number, self._ids, self._hash)


def _entries(members: Iterable[tuple[str, bytes]]) -> list[bytes]:
    return [b"%b:%b" % (_encode(user_id), info) for user_id, info in members]


def _list(number: int, ids: bytes, infos: bytes) -> bytes:
    return b'{"count":%d,"ids":[%b],"hash":{%b}}' % (number, ids, infos)
