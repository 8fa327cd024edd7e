"""The gate of this process: what clients may send it, and how often they sent something else."""

from collections import Counter

from stork_node.gate.reading import Gate, MessageLimits

CASES = ("too_big", "unreadable", "protocol")

refused: Counter[str] = Counter(dict.fromkeys(CASES, 0))
"""Messages of clients that were refused, by case."""

_gate = Gate(MessageLimits())


def set_limits(limits: MessageLimits) -> None:
    """Bound what clients may send from now on."""
    global _gate
    _gate = Gate(limits)


def current() -> Gate:
    return _gate
