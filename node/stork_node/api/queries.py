"""The query of a request: ``?since=…&limit=…``."""

from collections.abc import Collection
from urllib.parse import parse_qsl

from stork_node.api.answers import ApiError

MAX_LIMIT = 1_000
DEFAULT_LIMIT = 100


class Query:
    """
    Args:
        text: what follows the question mark.
        known: the names that this request takes.

    Raises:
        ApiError: another name, or a name twice.
    """

    def __init__(self, text: str, known: Collection[str]) -> None:
        self._values: dict[str, str] = {}
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
        except ValueError:
            raise ApiError("invalid_request", "the query is not text") from None
        for name, value in pairs:
            if name not in known:
                names = ", ".join(known) or "no names"
                raise ApiError("invalid_request", f"the query has the name {name[:40]!a} (it takes {names})")
            if name in self._values:
                raise ApiError("invalid_request", f"the query has {name} twice")
            self._values[name] = value

    def text(self, name: str) -> str | None:
        """The value; None if it is not there."""
        return self._values.get(name)

    def limit(self) -> int:
        """
        Raises:
            ApiError: it is no number from 1 to 1,000.
        """
        text = self._values.get("limit", str(DEFAULT_LIMIT))
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):
            raise ApiError("invalid_request", f"limit is a number from 1 to {MAX_LIMIT:,}")
        return int(text)
