"""Terms of consumers on Redis, in a hash beside the log."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from stork_node.engines.consumers import Term


class RedisConsumers:
    """
    See ``Consumers``.

    Args:
        ask: runs a script, and returns its answer; raises StorageFailed.
    """

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def renew(
        self, name: str, holder: str, silent: Term | None = None, told: bytes | None = None, table: bytes | None = None
    ) -> Term:
        taken = f"{silent.number} {silent.beat} {silent.holder}" if silent else ""
        changed: list[str | bytes] = []
        for field, value in (("told", told), ("table", table)):
            if value is not None:
                changed += [field, value]
        answer = self._ask("consumer", _key(name), holder, "renew", taken, *changed)
        return Term(int(answer[5]), answer[6].decode(), int(answer[7]))

    def release(self, name: str, holder: str) -> None:
        self._ask("consumer", _key(name), holder, "release")

    def load(self, name: str) -> tuple[bytes | None, bytes | None]:
        answer = self._ask("consumer", _key(name), "", "load")
        return answer[5], answer[6]


def _key(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:16]
