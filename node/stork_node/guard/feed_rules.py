"""Which feeds the application of this node has declared, and which of them everybody may read."""

from collections.abc import Callable, Iterable


def _never() -> bool:
    return False


class FeedRules:
    """For other protocols, whose clients subscribe without an application. Unknown until one has started."""

    def __init__(self) -> None:
        self._declared: frozenset[str] | None = None
        self._open: frozenset[str] = frozenset()
        self._backend_decides: Callable[[], bool] = _never

    def take(self, declared: Iterable[str], is_open: Iterable[str]) -> None:
        """An application has started: its feeds, such as ``v1.orders``, and those without verifiers."""
        self._declared, self._open = frozenset(declared), frozenset(is_open)

    def ask_backend(self, decides: Callable[[], bool]) -> None:
        """``decides``: whether a backend decides about topics now: then none is open."""
        self._backend_decides = decides

    def is_declared(self, topic: str) -> bool | None:
        """Whether the application has declared the feed of a topic; None: unknown."""
        return None if self._declared is None else _feed(topic) in self._declared

    def is_open(self, topic: str) -> bool | None:
        """Whether nobody needs to be asked who may read a topic; None: unknown."""
        if self._backend_decides():
            return False
        return None if self._declared is None else _feed(topic) not in self._declared or _feed(topic) in self._open


def _feed(topic: str) -> str:
    return topic.rpartition(".")[0]
