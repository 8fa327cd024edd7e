"""``POST /api/command`` and ``GET /api/command/{position}``: documents for the publish server, and its answers."""

import msgspec

from stork_node.api.answers import ApiError, as_json
from stork_node.api.keys import ApiKey
from stork_node.api.pushes import ApiPush, Ids, check_json, read_header_id
from stork_node.errors import InvalidCommand, InvalidPush
from stork_node.protocol.commands.documents import Command, CommandRequest, decode_command
from stork_node.protocol.commands.results import CommandResult
from stork_node.protocol.positions import Position

_FORBIDDEN = "this key may give commands about its own topics only: unsubscribe or forget with one of them"
_to_json = msgspec.json.Encoder().encode


class ApiCommand(ApiPush):
    """A command of a request, or a question about one."""

    __slots__ = ()

    def take_outcome(self) -> None:
        outcome = self.outcome
        if isinstance(outcome, CommandResult):
            said = {"ok": True, "id": self.shown_id, "complete": outcome.complete, "position": outcome.position}
            self.settle(as_json(said | {"nodes": outcome.nodes}))
        else:
            super().take_outcome()


def read_command(body: bytes, header_id: bytes | None, key: ApiKey, ids: Ids) -> ApiCommand:
    """
    Read the body of a request.

    Args:
        header_id: the value of Idempotency-Key.

    Raises:
        ApiError: it is refused.
    """
    document = body.strip(b" \t\r\n")
    check_json(document)
    given = _decode(document)
    try:
        id = given.command.id if header_id is None else read_header_id(header_id, given.command.id)
    except InvalidPush as error:
        raise ApiError("invalid_command", error.reason) from None
    if not _may_give(key, given.command):
        raise ApiError("forbidden", _FORBIDDEN)
    own_id = ids.next() if id is None else id
    if given.command.id is None:
        document = b'{"id":%b,%b' % (_to_json(own_id), document[1:])
        _decode(document)  # it may be too large now
    return ApiCommand(own_id, id, document, given.timeout_ms)


def outcome_question(position: Position, ids: Ids) -> ApiCommand:
    """Asks what became of a command."""
    id = ids.next()
    return ApiCommand(id, None, as_json({"outcome": str(position), "id": id}), 0)


def _decode(document: bytes) -> CommandRequest:
    try:
        return decode_command(document)
    except InvalidCommand as error:
        raise ApiError("invalid_command", error.reason) from None


def _may_give(key: ApiKey, command: Command) -> bool:
    """A key of some topics may take these away, and have them forgotten; it ends nobody's session."""
    if not key.topics:
        return True
    if command.kind not in ("unsubscribe", "forget"):
        return False
    # A pattern that ends with a dot and a star covers each topic of a feed, and so this one.
    topic = f"{command.feed}." if command.feed is not None else command.topic
    return topic is not None and key.allows([topic])
