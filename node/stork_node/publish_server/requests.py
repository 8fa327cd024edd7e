"""From ZMQ messages to requests, and back: envelopes, documents that are refused, and bundles."""

from collections.abc import Callable, Iterable

from msgspec import structs

from stork_node.errors import InvalidCommand, InvalidPush
from stork_node.protocol.answers import MOST_BUNDLED, encode_answers, is_bundle, split_bundle
from stork_node.protocol.commands.documents import is_command
from stork_node.protocol.push import decode_push, decode_request, readable_id
from stork_node.publish_server.intake import Arrival, Refusal


def read_pull(frames: list[bytes], now: str, depth: int) -> Arrival:
    """Read one message of PULL; ``now`` is the RFC 3339 time of arrival, ``depth`` that allowed of data."""
    try:
        push = decode_push(_only(frames), now, depth)
    except InvalidPush as error:
        if len(frames) == 1 and is_command(frames[0]):
            return Arrival(Refusal(None, "command: only the answered port takes commands", "invalid_command"), [])
        return Arrival(Refusal(None, error.reason), [])
    # Nobody is told.
    return Arrival(structs.replace(push, receipt=False) if push.receipt else push, [])


def read_all(frames: list[bytes], now: str, depth: int) -> Iterable[Arrival]:
    """Read one message of ROUTER as ``read_router`` does; it may be a bundle of documents."""
    if not is_bundle(frames[-1]):
        return [read_router(frames, now, depth)]
    envelope, body = split_envelope(frames)
    documents = split_bundle(body[0]) if len(body) == 1 else None
    if documents is None:
        return [Arrival(Refusal(None, f"frame: not a bundle of 1 to {MOST_BUNDLED:,} documents"), envelope)]
    requests = (read_router([b"", document], now, depth).request for document in documents)
    return [Arrival(request, envelope, is_bundled=True) for request in requests]


def read_router(frames: list[bytes], now: str, depth: int) -> Arrival:
    """
    Read one message of ROUTER: the peer's routing id, then what it sent.

    A DEALER sends the document alone. A REQ puts an empty delimiter before it, and a proxy more routing ids before
    that; they come back before the answer.
    """
    envelope, body = split_envelope(frames)
    try:
        return Arrival(decode_request(_only(body), now, depth), envelope)
    except InvalidPush as error:
        return Arrival(Refusal(readable_id(body[0]) if body else None, error.reason), envelope)
    except InvalidCommand as error:
        return Arrival(Refusal(readable_id(body[0]), error.reason, "invalid_command"), envelope)


class Answers:
    """
    Sends answers in the order of the documents; those to one bundle in one frame.

    Args:
        send: takes the envelope with an answer after it.
    """

    def __init__(self, send: Callable[[list[bytes]], object]) -> None:
        self._send = send
        self._envelope: list[bytes] | None = None
        self._bundled: list[bytes] = []

    def add(self, envelope: list[bytes], answer: bytes, *, is_bundled: bool) -> None:
        """The next answer; ``is_bundled``: together with its neighbours of this very envelope."""
        if self._bundled and envelope is not self._envelope:
            self.flush()
        if is_bundled:
            self._envelope = envelope
            self._bundled.append(answer)
        else:
            self._send([*envelope, answer])

    def flush(self) -> None:
        """There are no more."""
        if self._bundled and self._envelope is not None:
            self._send([*self._envelope, encode_answers(self._bundled)])
        self._envelope, self._bundled = None, []


def split_envelope(frames: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """What goes before the answer to a message of a ROUTER, and what its peer sent."""
    envelope, body = frames[:1], frames[1:]
    if len(body) > 1 and b"" in body:
        cut = body.index(b"") + 1
        envelope, body = envelope + body[:cut], body[cut:]
    return envelope, body


def _only(frames: list[bytes]) -> bytes:
    if len(frames) != 1:
        raise InvalidPush(f"frame: a message of {len(frames)} frames, a push document is one")
    return frames[0]
