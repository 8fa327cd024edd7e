"""The decision on a subscription or call: the result of all verifiers, as it travels to the guard."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stork_node.errors import InvalidAnswer


@dataclass(frozen=True, slots=True)
class Permission:
    """
    Yes or no to one subscription or call.

    Attributes:
        allow: whether the session may.
        cache_s: seconds that this holds for the user.
        reason: why the answer is no, for the log.
    """

    allow: bool
    cache_s: float = 0.0
    reason: str = ""

    def to_wire(self) -> dict[str, Any]:
        """``{"allow", "cache_s", "reason"}``, the form that the application process sends to the guard."""
        return {"allow": self.allow, "cache_s": self.cache_s, "reason": self.reason}

    @classmethod
    def from_wire(cls, answer: Any) -> Self:
        """
        Read what ``to_wire`` wrote; ``cache_s`` and ``reason`` may be missing.

        Raises:
            InvalidAnswer: anything else.
        """
        allow = read_allow(answer)
        cache_s = answer.get("cache_s", 0)
        if isinstance(cache_s, bool) or not isinstance(cache_s, int | float) or not cache_s >= 0:
            raise InvalidAnswer(f"cache_s is {cache_s!r}, and must be seconds")
        return cls(allow, float(cache_s), str(answer.get("reason", "")))


def read_allow(answer: Any) -> bool:
    """
    The yes or no of an answer.

    Raises:
        InvalidAnswer: it has none.
    """
    if not isinstance(answer, Mapping) or not isinstance(answer.get("allow"), bool):
        raise InvalidAnswer(f"a {type(answer).__name__} without allow")
    return bool(answer["allow"])
