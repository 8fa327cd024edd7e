"""``POST /api/command``, and ``GET /api/command/{position}``."""

from typing import Any

from stork_node.api.answers import ApiError
from stork_node.api.commands import ApiCommand, outcome_question, read_command
from stork_node.api.pushes import PushRequest, answer_of
from stork_node.api.queries import Query
from stork_node.errors import InvalidPosition
from stork_node.protocol.positions import Position


def command(call: Any) -> None:
    """
    Give the command, and answer once the nodes have obeyed.

    Raises:
        ApiError: it is refused.
    """
    header_id = call.head.value(b"idempotency-key") if call.head.has(b"idempotency-key") else None
    _send(call, read_command(call.body, header_id, call.key, call.api.ids))


def outcome(call: Any) -> None:
    """What became of a command, as it is now."""
    Query(call.target.query, ())
    try:
        position = Position.parse(call.target.names["position"])
    except InvalidPosition as error:
        raise ApiError("not_found", str(error)) from None
    _send(call, outcome_question(position, call.api.ids))


def _send(call: Any, command: ApiCommand) -> None:
    command.done = lambda: call.reply(answer_of(PushRequest([command], is_array=False)))
    call.api.command_link.send(command)
