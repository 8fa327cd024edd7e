"""What the publish server has counted since it started, and says with each heartbeat."""

from collections import Counter
from dataclasses import dataclass, field, fields

from stork_node.engines.interface import Engine


@dataclass
class Counters:
    """
    Attributes:
        accepted: pushes numbered, stored and published.
        commands: commands numbered, stored and published.
        duplicates: pushes and commands answered as an earlier one.
        refused: refused pushes by the field that was wrong (``frame`` for the document as a whole).
        storage_failed: pushes that the log could not take.
        unreachable: answers to peers that had left.
        strangers: connections refused for their key.
        cut: connections of peers that made the server hold too much, or were too many.
        heartbeats: heartbeats on the bus.
        replay_pages: pages handed to relays.
        replay_pushes: pushes in them.
        replay_refused: requests on the replay port that could not be answered as they were meant.
        erasures: topics erased.
        epochs: epochs begun because a relay has proven that it had seen more than the log has.
        claims_refused: requests of relays that say, without a proof, to have seen what this log never had.
    """

    accepted: int = 0
    commands: int = 0
    duplicates: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    storage_failed: int = 0
    unreachable: int = 0
    strangers: int = 0
    cut: int = 0
    heartbeats: int = 0
    replay_pages: int = 0
    replay_pushes: int = 0
    replay_refused: int = 0
    erasures: int = 0
    epochs: int = 0
    claims_refused: int = 0


def figures(counters: Counters, engine: Engine, now: float) -> dict[str, float]:
    """
    What goes with a heartbeat: all that was counted, ``refused_<kind>`` for each kind, and the state of the log.

    ``now`` is of a clock that never goes back.
    """
    counted: dict[str, float] = {it.name: getattr(counters, it.name) for it in fields(counters) if it.name != "refused"}
    kinds = {f"refused_{kind.lower()}": number for kind, number in counters.refused.items()}
    return {
        **counted,
        "refused": counters.refused.total(),
        **kinds,
        **engine.figures(now),
    }
