"""What a relay is to do next, in order."""

from msgspec import Struct

from stork_node.protocol.bus import EraseFrame, PushFrame
from stork_node.protocol.commands.entries import StateFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import ReplayRequest


class HistoricPush(Struct, frozen=True, gc=False):
    """A push from before this relay's start, or before a break: kept for recovery, and an event to nobody."""

    push: PushFrame


class StreamStart(Struct, frozen=True):
    """
    Following begins after ``position``: nothing before it is known.

    ``is_break``: another position was followed before, and the pushes between the two are lost to this node.
    """

    position: Position
    is_break: bool


class Ask(Struct, frozen=True):
    """
    Ask for a page.

    ``anew``: the request before this one was not answered in time; its answer, should it still come, must not be taken
    for this one's, so that the socket is thrown away.
    """

    request: ReplayRequest
    anew: bool = False


Step = PushFrame | EraseFrame | StateFrame | HistoricPush | StreamStart | Ask
