"""
What a node says to its publish server each second, by the replay port, and how it is answered.

    DEALER → stork 1 lease {"incarnation":"…","name":"node-1","version":"26.11","epoch":"…","position":12,…}
    ROUTER → stork 1 leased {"incarnation":"…","number":1,"epoch":"…","run":"…","tail":14,"state":"attached",…}

    DEALER → stork 1 nodes {}
    ROUTER → stork 1 nodes {"epoch":"…","run":"…","tail":14,"nodes":[…],"gone":[…],"old":0}

    DEALER → stork 1 presence {…}      and ROUTER → stork 1 rows {…}: see ``presence.snapshots``

The first lease of an incarnation attaches it. A lease carries the node's reports that it has not met in the log yet. A
server says in its pages that it understands leases (``PageHeader.nodes``): nobody sends one to another server.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from stork_node.protocol.commands.entries import Counts, Incarnation, NodeName, Version
from stork_node.protocol.commands.questions import Ask, Reply
from stork_node.protocol.positions import MAX_SEQUENCE
from stork_node.protocol.presence.entries import PresenceBatch
from stork_node.protocol.presence.snapshots import PresenceRequest, PresenceRows

MOST_REPORTS = 200
"""In one lease."""
MOST_FEEDS, MOST_FEEDS_CHARACTERS = 500, 16_000
"""In one lease. A node with more says nothing of its feeds."""

_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
_Name = Annotated[str, Meta(max_length=64)]

FeedNames = tuple[Annotated[str, Meta(max_length=255)], ...]
"""``v1.orders``, and ``pusher.*`` for all feeds of a version."""

LeaseState = Literal["attached", "gone", "waits"]


class Report(Struct, frozen=True):
    """A node has obeyed the command with this number; see ``entries.Obeyed``."""

    report: Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]
    command: _Sequence
    counts: Counts


class Lease(Struct, frozen=True, omit_defaults=True):
    """
    A node lives.

    Attributes:
        epoch, position: all up to here was delivered and obeyed; an empty epoch before there is one.
        sessions: how many clients it has.
        reports: those that it has not met in the log yet, the oldest first.
        leaves: whether this is its goodbye.
        number: the answer has it again.
        presence: the batch about its users that it has not met in the log yet.
        feeds: those to which its clients may subscribe; None: that is not known.
        is_reported: whether the log has all users whom it had when it attached; None: its release does not say so.
        handlers: whether its application has on_online or on_offline handlers.
    """

    incarnation: Incarnation
    name: NodeName
    version: Version = ""
    epoch: _Name = ""
    position: _Sequence = 0
    sessions: _Sequence = 0
    reports: Annotated[tuple[Report, ...], Meta(max_length=MOST_REPORTS)] = ()
    leaves: bool = False
    number: _Sequence = 0
    presence: PresenceBatch | None = None
    feeds: Annotated[FeedNames, Meta(max_length=MOST_FEEDS)] | None = None
    is_reported: bool | None = None
    handlers: bool = False


class Leased(Struct, frozen=True):
    """
    The answer to a lease.

    Attributes:
        incarnation, number: those of the lease.
        tail: the log's last number.
        state: ``waits``: the server cannot append the entry that attaches the node now.
        reports: the number of the node's last report in the log.
        batches: the number of the node's last batch in the log; None from a release that has no presence.
    """

    incarnation: Incarnation
    number: _Sequence
    epoch: _Name
    run: _Name
    tail: _Sequence
    state: LeaseState
    reports: _Sequence = 0
    batches: _Sequence | None = None


class NodesRequest(Struct, frozen=True, omit_defaults=True):
    """Somebody asks for the table of nodes; a node also for ``revoked``: whose tokens are too old."""

    revoked: bool = False


class NodeState(Struct, frozen=True):
    """
    One attached node.

    Attributes:
        node: its name, with ``~2`` for the second of one name.
        name: the name that it gave.
        attached: the number of its entry.
        position: up to where it has delivered, as it said last; 0 where it has not said so to this server.
        silent_s: how long ago it said so.
        state: ``silent`` after 3 s without a word.
    """

    node: Annotated[str, Meta(max_length=80)]
    incarnation: Incarnation
    name: NodeName
    version: Version
    attached: _Sequence
    position: _Sequence = 0
    sessions: _Sequence = 0
    silent_s: float = 0.0
    state: Literal["attached", "silent"] = "attached"


class Nodes(Struct, frozen=True):
    """
    The table of nodes at ``tail``.

    Attributes:
        gone: the incarnations that ended last.
        old: how many nodes follow that are of a release without leases.
        counters: the publish server's figures.
        revoked: when users were disconnected last; only for who asks.
    """

    epoch: _Name
    run: _Name
    tail: _Sequence
    nodes: tuple[NodeState, ...]
    gone: tuple[Incarnation, ...] = ()
    old: int = 0
    counters: dict[str, float] = {}
    revoked: Annotated[
        dict[Annotated[str, Meta(max_length=255)], Annotated[int, Meta(ge=0, le=2**53)]], Meta(max_length=20_000)
    ] = {}


NodeRequest = Lease | NodesRequest | Ask | Reply | PresenceRequest
NodeAnswer = Leased | Nodes | PresenceRows

_encode = msgspec.json.Encoder().encode
_REQUESTS: dict[bytes, Callable[[bytes], NodeRequest]] = {
    b"lease": msgspec.json.Decoder(Lease).decode,
    b"nodes": msgspec.json.Decoder(NodesRequest).decode,
    b"ask": msgspec.json.Decoder(Ask).decode,
    b"reply": msgspec.json.Decoder(Reply).decode,
    b"presence": msgspec.json.Decoder(PresenceRequest).decode,
}
_ANSWERS: dict[bytes, Callable[[bytes], NodeAnswer]] = {
    b"leased": msgspec.json.Decoder(Leased).decode,
    b"nodes": msgspec.json.Decoder(Nodes).decode,
    b"rows": msgspec.json.Decoder(PresenceRows).decode,
}
_REQUEST_WORDS: dict[type[NodeRequest], bytes] = {
    Lease: b"lease",
    NodesRequest: b"nodes",
    Ask: b"ask",
    Reply: b"reply",
    PresenceRequest: b"presence",
}
_ANSWER_WORDS: dict[type[NodeAnswer], bytes] = {Leased: b"leased", Nodes: b"nodes", PresenceRows: b"rows"}
NODE_REQUESTS = frozenset(_REQUESTS)


def encode_node_request(request: NodeRequest) -> bytes:
    """The one frame of a request."""
    return b"stork 1 %b %b" % (_REQUEST_WORDS[type(request)], _encode(request))


def encode_node_answer(answer: NodeAnswer) -> bytes:
    """The one frame of an answer."""
    return b"stork 1 %b %b" % (_ANSWER_WORDS[type(answer)], _encode(answer))


def decode_node_request(kind: bytes, header: bytes) -> NodeRequest:
    """
    Read the header of a request whose kind is one of ``NODE_REQUESTS``.

    Raises:
        msgspec.DecodeError: it has another form.
    """
    return _REQUESTS[kind](header)


def decode_node_header(kind: bytes, header: bytes) -> NodeAnswer | None:
    """
    Read the header of an answer; None for one of another kind.

    Raises:
        msgspec.DecodeError: it has another form.
    """
    decode = _ANSWERS.get(kind)
    return decode(header) if decode else None
