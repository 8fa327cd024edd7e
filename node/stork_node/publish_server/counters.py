"""What the publish server has counted since it started."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counters:
    """
    Attributes:
        accepted: pushes numbered, stored and published.
        duplicates: pushes answered with the position of an earlier one.
        refused: refused pushes by the field that was wrong (``frame`` for the document as a whole).
        storage_failed: pushes that the log could not take.
        unreachable: answers to peers that had left.
        strangers: connections refused for their key.
        heartbeats: heartbeats on the bus.
    """

    accepted: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    storage_failed: int = 0
    unreachable: int = 0
    strangers: int = 0
    heartbeats: int = 0
