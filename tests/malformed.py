"""Every push document that docs/delivery.md#push-document excludes, with the reason that its pusher is given."""

import json

from stork_node.push import MAX_PUSH_BYTES

NOW = "2026-01-31T12:00:00.000Z"


def document(**fields: object) -> bytes:
    """A push document that is right but for ``fields``; a field that is ``...`` is left out."""
    whole = {"topics": ["v1.orders.42"], "type": "order_paid"} | fields
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


def with_data(text: bytes) -> bytes:
    """A push document with this JSON text as its data."""
    return b'{"topics":["v1.orders.42"],"type":"t","data":' + text + b"}"


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


_KEYS = "topics, type, data, timestamp, id, exclude, store"
_WIDE = "data: an integer is not within -2^63 to 2^64-1"
_INFINITE = "data: a number is beyond the finite doubles"
_LONE = "frame: a string holds a lone surrogate"
_NUL = "frame: a string begins with U+0000, which WAMP's JSON reads as binary"
_DEEP = "data: nested more than 100 levels"
_PHP = "PHP: this looks like PHP serialize() from Virge::Stork: use the PHP class of node/php"
_WANT = "is not RFC 3339 (want 2026-01-31T12:00:00.000Z)"

MALFORMED = {
    "larger than 1 MiB": (
        with_data(b'"' + b"x" * MAX_PUSH_BYTES + b'"'),
        f"frame: {MAX_PUSH_BYTES + 48:,} bytes, at most 1,048,576 are allowed",
    ),
    "empty": (b"", "frame: not JSON: it ends too early"),
    "invalid UTF-8 in data": (with_data(b'"\xff"'), "frame: invalid UTF-8 at byte 46"),
    "invalid UTF-8 in type": (b'{"topics":["v1.a.b"],"type":"\xc0\x80"}', "frame: invalid UTF-8 at byte 29"),
    "surrogate as UTF-8": (with_data(b'"\xed\xa0\x80"'), "frame: invalid UTF-8 at byte 46"),
    "byte order mark": (b"\xef\xbb\xbf" + document(), "frame: not JSON: invalid character (byte 0)"),
    "not JSON": (b"hello", "frame: not JSON: invalid character (byte 0)"),
    "cut off": (document()[:-1], "frame: not JSON: it ends too early"),
    "two documents": (document() + document(), "frame: not JSON: trailing characters (byte 51)"),
    "a control character in a string": (with_data(b'"\n"'), "frame: not JSON: invalid character (byte 46)"),
    "NaN": (with_data(b"NaN"), "frame: not JSON: invalid character (byte 45)"),
    "Infinity": (with_data(b"[-Infinity]"), "frame: not JSON: invalid character (byte 47)"),
    "a list": (b"[]", "frame: expected an object, got array"),
    "a number": (b"1", "frame: expected an object, got int"),
    "an unknown key": (document(topic="v1.a.b"), f"key: 'topic' is not one of {_KEYS}"),
    "no topics": (document(topics=...), "topics: missing"),
    "topics not a list": (document(topics="v1.a.b"), "topics: expected a list, got str"),
    "topics null": (document(topics=None), "topics: expected a list, got null"),
    "0 topics": (document(topics=[]), "topics: expected a list of length >= 1"),
    "1,001 topics": (
        document(topics=[f"v1.orders.{i}" for i in range(1001)]),
        "topics: 1,001 topics, at most 1,000 are allowed",
    ),
    "one bad topic among good ones": (
        document(topics=["v1.orders.1", "v1.orders", "v1.orders.3"]),
        "topics[1]: 'v1.orders' is not a topic: 2 parts where version.feed.id has 3",
    ),
    "a topic that is not a string": (document(topics=["v1.orders.1", 2]), "topics[1]: expected a string, got int"),
    "no type": (document(type=...), "type: missing"),
    "type null": (document(type=None), "type: expected a string, got null"),
    "type empty": (document(type=""), "type: expected a string of length >= 1"),
    "type of 256 characters": (document(type="é" * 256), "type: expected a string of length <= 255"),
    "type begins with U+0000": (document(type="\0a"), _NUL),
    "type with a lone surrogate": (document(type="a\ud800"), _LONE),
    "timestamp null": (document(timestamp=None), "timestamp: expected a string, got null"),
    "timestamp empty": (document(timestamp=""), f"timestamp: '' {_WANT}"),
    "timestamp a number": (document(timestamp=1769860800), "timestamp: expected a string, got int"),
    "timestamp without an offset": (
        document(timestamp="2026-01-31T12:00:00"),
        f"timestamp: '2026-01-31T12:00:00' {_WANT}",
    ),
    "timestamp of a day that is not": (
        document(timestamp="2026-02-29T12:00:00Z"),
        f"timestamp: '2026-02-29T12:00:00Z' {_WANT}",
    ),
    "id null": (document(id=None), "id: expected a string, got null"),
    "id empty": (document(id=""), "id: expected a string of length >= 1"),
    "id of 129 characters": (document(id="x" * 129), "id: expected a string of length <= 128"),
    "id a number": (document(id=7), "id: expected a string, got int"),
    "id begins with U+0000": (document(id="\0"), _NUL),
    "exclude null": (document(exclude=None), "exclude: expected a list, got null"),
    "exclude not a list": (document(exclude=5), "exclude: expected a list, got int"),
    "exclude 0": (document(exclude=[1, 0]), "exclude[1]: expected an integer >= 1"),
    "exclude beyond 2^53": (document(exclude=[2**53 + 1]), f"exclude[0]: expected an integer <= {2**53}"),
    "exclude a double": (document(exclude=[1.5]), "exclude[0]: expected an integer, got float"),
    "exclude true": (document(exclude=[True]), "exclude[0]: expected an integer, got bool"),
    "store null": (document(store=None), "store: expected true or false, got null"),
    "store 1": (document(store=1), "store: expected true or false, got int"),
    "1e400": (with_data(b"1e400"), _INFINITE),
    "-1e400 in a list": (with_data(b"[-1E+400]"), _INFINITE),
    "1e400 behind a repeated key": (with_data(b'{"a":1e400,"a":1}'), _INFINITE),
    "400 digits before the point": (with_data(b"9" * 400 + b".5"), _INFINITE),
    "2^64": (with_data(b'{"n":18446744073709551616}'), _WIDE),
    "-2^63-1": (with_data(b"[ -9223372036854775809 ]"), _WIDE),
    "2^64 behind a repeated key": (with_data(b'{"a":18446744073709551616,"a":1}'), _WIDE),
    "an integer of 1,000 digits": (with_data(b"1" * 1000), _WIDE),
    "nested 101 levels": (with_data(_nested(101)), _DEEP),
    "nested 100,000 levels": (with_data(_nested(100_000)), _DEEP),
    "nested 101 levels of objects": (with_data(b'{"a":' * 101 + b"1" + b"}" * 101), _DEEP),
    "a string that begins with U+0000": (with_data(b'["\\u0000a"]'), _NUL),
    "a key that begins with U+0000": (with_data(b'{"\\u0000":1}'), _NUL),
    "a high surrogate alone": (with_data(b'"a\\uD83Db"'), _LONE),
    "a low surrogate alone": (with_data(b'"\\udE00"'), _LONE),
    "two high surrogates": (with_data(b'"\\ud83d\\ud83d"'), _LONE),
    "a key with a lone surrogate": (with_data(b'{"\\ud800":1}'), _LONE),
    "PHP's array": (b'a:2:{s:5:"topic";s:6:"v1.a.1";s:4:"body";i:1;}', _PHP),
    "PHP's object": (b'O:29:"Virge\\Stork\\Component\\Message":1:{s:7:"\0*\0type";s:1:"t";}', _PHP),
    "PHP's string": (b's:2:"\xff\xfe";', _PHP),
}
