"""How much of each feed a node remembers: ``extra.history`` of the relay."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stork_node.protocol.topics import is_part

_TOTAL = "total_bytes"
_OTHERS = _ALL = "*"
_KEYS = ("seconds", "bytes")
_WANT = '(want {"seconds": 300, "bytes": 2097152}, or 0 for none)'


@dataclass(frozen=True)
class HistoryRule:
    """What is kept of each topic of a feed: pushes younger than ``seconds``, ``bytes`` of them at most."""

    seconds: float = 300.0
    bytes: int = 2 << 20

    @property
    def is_off(self) -> bool:
        return self.seconds <= 0 or self.bytes <= 0


@dataclass(frozen=True)
class HistorySettings:
    """
    Rules by feed (``v1.orders``), one for ``others``, and how much all histories may take together.

    A feed ``v1.orders-*`` stands for all whose names begin so; a feed's own rule goes before, and the longest of these.
    """

    feeds: Mapping[str, HistoryRule] = field(default_factory=dict)
    others: HistoryRule = field(default_factory=HistoryRule)
    total_bytes: int = 64 << 20

    def rule(self, topic: str) -> HistoryRule:
        """The rule for a topic."""
        feed = topic.rpartition(".")[0]
        own = self.feeds.get(feed)
        return own or next((rule for begin, rule in self._beginnings if feed.startswith(begin)), self.others)

    @cached_property
    def _beginnings(self) -> list[tuple[str, HistoryRule]]:
        found = [(feed[:-1], rule) for feed, rule in self.feeds.items() if feed.endswith(_ALL)]
        return sorted(found, key=lambda pair: -len(pair[0]))

    @property
    def longest_s(self) -> float:
        """The longest time that any rule keeps anything."""
        return max(0.0 if rule.is_off else rule.seconds for rule in (self.others, *self.feeds.values()))

    @property
    def most_bytes(self) -> int:
        """How much of the past is of use at all."""
        return self.total_bytes if self.longest_s else 0


def histories(value: Any) -> HistorySettings:
    """
    Parse the setting: ``{"*": {"seconds": 300, "bytes": 2097152}, "v1.typing": 0, "total_bytes": 67108864}``.

    Raises:
        ValueError: all that is wrong with it, each named.
    """
    if not isinstance(value, dict):
        raise ValueError(f'{value!r} is not an object (want {{"v1.orders": {{"seconds": 300, "bytes": 2097152}}}})')
    problems: list[str] = []
    total = _number(value.get(_TOTAL, HistorySettings.total_bytes), _TOTAL, problems)
    others = _rule(value.get(_OTHERS, {}), _OTHERS, HistoryRule(), problems)
    feeds = {}
    for feed, rule in value.items():
        if feed in (_TOTAL, _OTHERS):
            continue
        version, dot, name = feed.partition(".")
        if not (dot and is_part(version) and (name == _ALL or is_part(name.removesuffix(_ALL)))):
            problems.append(f"{feed!r} is not a feed (want v1.orders, {_OTHERS!r} for all others, or {_TOTAL!r})")
        feeds[feed] = _rule(rule, feed, others, problems)
    if problems:
        raise ValueError("; ".join(problems))
    return HistorySettings(feeds, others, int(total))


def _rule(value: Any, feed: str, default: HistoryRule, problems: list[str]) -> HistoryRule:
    if value == 0 and not isinstance(value, bool):
        return HistoryRule(0.0, 0)
    if not isinstance(value, dict) or not set(value) <= set(_KEYS):
        problems.append(f"{feed}: {value!r} is not a history {_WANT}")
        return default
    seconds = _number(value.get("seconds", default.seconds), f"{feed}.seconds", problems)
    return HistoryRule(seconds, int(_number(value.get("bytes", default.bytes), f"{feed}.bytes", problems)))


def _number(value: Any, where: str, problems: list[str]) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        problems.append(f"{where}: {value!r} is not a number (want 0 or more)")
        return 0.0
    return value
