"""Timestamps: RFC 3339 texts, made from a clock, and checked if they come from outside."""

import re
from calendar import monthrange
from datetime import UTC, datetime

# RFC 3339, section 5.6: "T" and "Z" may be in lower case, and second 60 is a leap second.
_TIMESTAMP = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def format_timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds and ``Z``, for ``seconds`` since 1970 (as ``time.time()`` counts)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def is_timestamp(text: str) -> bool:
    """Whether ``text`` is an RFC 3339 date and time with an offset, on a day that exists."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return False
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    return day <= 28 or day <= monthrange(year or 4, month)[1]  # year 0 is one of RFC 3339, and a leap year
