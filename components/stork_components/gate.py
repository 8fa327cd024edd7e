"""The gate of this process: what clients may send it, and how often they sent something else."""

from collections import Counter

from stork_node.gate.reading import DEFAULT_LIMITS, Gate, MessageLimits

refused: Counter[str] = Counter()
"""Messages of clients that were refused, by case."""

_gate = Gate(DEFAULT_LIMITS)


def set_limits(limits: MessageLimits) -> None:
    """Bound what clients may send from now on."""
    global _gate
    _gate = Gate(limits)


def current() -> Gate:
    return _gate
