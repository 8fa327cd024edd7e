"""
The ``data`` of events: a string at Pusher, any JSON here.

A string that is a JSON object or array is stored as that object or array, byte for byte; any other one as a string. On
the way out an object or array becomes a string again. So WAMP clients get objects, and Pusher clients get the bytes
that the backend sent. The data of client events passes unchanged, as Pusher does it.
"""

import msgspec
from msgspec import Raw, Struct, field

from stork_node.protocol.push import is_data

CLIENT_EVENT = "client-"

_BY_MEMBER = b'{"pusher:user_id":'


class _ByMember(Struct, gc=False):
    user_id: str = field(name="pusher:user_id")
    data: Raw


_decode_by_member = msgspec.json.Decoder(_ByMember).decode
_encode = msgspec.json.Encoder().encode


def to_push(event: str, data: str) -> bytes:
    """
    The data of a backend's event as the JSON of a push. The publish server may still refuse it.

    Raises:
        UnicodeEncodeError: it has half of a character.
    """
    text = data.encode()
    ends = text[:1] + text[-1:]
    if ends in (b"{}", b"[]") and not event.startswith(CLIENT_EVENT) and is_data(text):
        return text
    return _encode(data)


def to_client(event: str, data: bytes) -> bytes:
    """
    The JSON value of ``data`` in a client's frame, from the JSON of a push.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    if data[:1] == b'"' or event.startswith(CLIENT_EVENT):
        if not data.isascii():
            data.decode()
        return data
    return _encode(data.decode())


def event_facts(event: str, data: bytes) -> dict[str, str]:
    """What a webhook is told of a client event: its ``data`` as a string, and ``user_id`` of the member who sent it."""
    member, given = split_member(event, data)
    value = msgspec.json.decode(given)
    facts = {"data": value if isinstance(value, str) else given.decode()}
    return facts | ({"user_id": msgspec.json.decode(member, type=str)} if member else {})


def by_member(user_id: str, data: bytes) -> bytes:
    """The data of a client event in a presence channel, whose receivers are told who has sent it."""
    return b'%b%b,"data":%b}' % (_BY_MEMBER, _encode(user_id), data)


def split_member(event: str, data: bytes) -> tuple[bytes, bytes]:
    """
    The member who has sent a client event, as JSON, and its data; no member for all other events.

    Raises:
        msgspec.DecodeError: the data begins as that of a member, and is something else.
    """
    if not event.startswith(CLIENT_EVENT) or not data.startswith(_BY_MEMBER):
        return b"", data
    read = _decode_by_member(data)
    return _encode(read.user_id), bytes(read.data)
