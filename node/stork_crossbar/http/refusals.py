"""Counts requests that this process refuses before they reach the application."""

from twisted.logger import Logger

from stork_node.http.counters import HttpCounters
from stork_node.process_state import singleton

_log = Logger(namespace="stork_components.http")


def count(reason: str) -> None:
    """``reason`` is one of ``http.counters.REASONS``."""
    singleton(HttpCounters).refused[reason] += 1


def count_and_say(reason: str, sentence: str) -> None:
    count(reason)
    say(reason, sentence)


def say(reason: str, sentence: str) -> None:
    """Log a refusal for the operator. ``sentence`` has text of a client only in quotes."""
    _log.warn("{sentence}", sentence=sentence, _about=reason)
