"""Positions: the place of a push in the log, ``epoch:sequence``."""

import re
import secrets
from typing import Self

from msgspec import Struct

from stork_node.errors import InvalidPosition

MAX_SEQUENCE = 2**53 - 1

_POSITION = re.compile(r"([0-9A-Za-z_-]{1,64}):(0|[1-9][0-9]{0,15})")


def new_epoch() -> str:
    """A name for the numbers of one log's life: 16 random hexadecimal characters."""
    return secrets.token_hex(8)


def new_run() -> str:
    """A name for one run of a publish server over its log: 8 random hexadecimal characters."""
    return secrets.token_hex(4)


def is_position(text: str) -> bool:
    """Whether ``text`` is ``"<epoch>:<sequence>"``; see ``Position.parse``."""
    found = _POSITION.fullmatch(text)
    return found is not None and int(found[2]) <= MAX_SEQUENCE


class Position(Struct, frozen=True, gc=False):
    """
    The place of one push, or 0 before the first of its epoch.

    Positions of one epoch compare by their sequence. Comparing positions of two epochs raises a ``ValueError``: the
    caller must decide what another epoch means (see docs/delivery.md#break).
    """

    epoch: str
    sequence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Parse ``"<epoch>:<sequence>"``.

        Raises:
            InvalidPosition: any other text; a sequence is decimal, without leading zeros, below 2^53.
        """
        found = _POSITION.fullmatch(text)
        if found is None or int(found[2]) > MAX_SEQUENCE:
            raise InvalidPosition(text)
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{self.epoch}:{self.sequence}"

    def __lt__(self, other: "Position") -> bool:
        return self._number_beside(other) < other.sequence

    def __le__(self, other: "Position") -> bool:
        return self._number_beside(other) <= other.sequence

    def __gt__(self, other: "Position") -> bool:
        return self._number_beside(other) > other.sequence

    def __ge__(self, other: "Position") -> bool:
        return self._number_beside(other) >= other.sequence

    def _number_beside(self, other: "Position") -> int:
        if self.epoch != other.epoch:
            raise ValueError(f"positions {self} and {other} are of two epochs and do not compare")
        return self.sequence
