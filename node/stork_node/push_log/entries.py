"""What an append returns."""

from msgspec import Struct

from stork_node.protocol.positions import Position


class Entry(Struct, frozen=True, gc=False):
    """A push that is stored: its position, and the exact frame to publish."""

    position: Position
    frame: bytes
