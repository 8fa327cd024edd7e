"""Several rounds in one number, and how far they lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Summary:
    """Median, least and greatest of several rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary":
        """
        Raises:
            ValueError: no values.
        """
        if not values:
            raise ValueError("no values to summarize")
        return cls(median(values), min(values), max(values))


def significant(value: float, digits: int = 3) -> str:
    """A number for people: ``1,660,000``, ``24.3``, ``0.067``; not more digits than can be trusted."""
    rounded = float(f"{value:.{digits - 1}e}")
    if abs(rounded) >= 10 ** (digits - 1):
        return f"{rounded:,.0f}"
    return f"{rounded:.{digits}g}"
