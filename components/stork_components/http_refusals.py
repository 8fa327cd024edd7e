"""Counts what is refused in this process before it reaches the application, and says it once a minute."""

from twisted.internet import reactor
from twisted.logger import Logger

from stork_node.http.counters import HttpCounters
from stork_node.rarely import Rarely

counters = HttpCounters()

_log = Logger(namespace="stork_components.http")
_rarely = Rarely()


def count(reason: str) -> None:
    """``reason`` is one of ``counters.REASONS``."""
    counters.refused[reason] += 1


def count_and_say(reason: str, sentence: str) -> None:
    count(reason)
    say(reason, sentence)


def say(reason: str, sentence: str) -> None:
    """For the operator, who can do something about it; ``sentence`` has no text of a client's but quoted."""
    unsaid = _rarely.due(reason, reactor.seconds())
    if unsaid is not None:
        more = f" ({unsaid:,} more since the last line)" if unsaid else ""
        _log.warn("{sentence}{more}", sentence=sentence, more=more)
