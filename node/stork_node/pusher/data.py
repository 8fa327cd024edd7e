"""
The ``data`` of events: a string at Pusher, any JSON here.

A string that is a JSON object or array is stored as that object or array, byte for byte; any other one as a string. On
the way out an object or array becomes a string again. So WAMP clients get objects, and Pusher clients get the bytes
that the backend sent. The data of client events passes unchanged, as Pusher does it.
"""

import msgspec

from stork_node.protocol.push import is_data

CLIENT_EVENT = "client-"

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
