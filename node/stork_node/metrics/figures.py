"""
Figures: the numbers of one part of the node, as one dataclass; ``/metrics`` shows each field as a Prometheus metric.

    @dataclass
    class RelayFigures:
        breaks: int = counter("Breaks in the stream: every subscriber was disconnected.")
        lag_seconds: float = gauge("Age of the last frame from the publish server.")

    exposition.families("stork_relay", figures)        → stork_relay_breaks_total, stork_relay_lag_seconds

The field is the metric's name, and ends with its unit. To count is to add to a number, without a lock or a call. Gauges
that only a scrape needs are computed at the scrape.
"""

import collections
import dataclasses
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Kind = Literal["counter", "gauge", "histogram"]


class Histogram:
    """
    The number of observed values in each bucket.

    Args:
        bounds: upper ends of the buckets, rising; one more bucket without an end follows.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.total = tuple(bounds), [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count ``value``, ``times`` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def as_json(self) -> dict[str, Any]:
        """The histogram as JSON; ``from_json`` reads it."""
        return {"bounds": list(self.bounds), "counts": list(self.counts), "total": self.total}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Histogram":
        histogram = cls(value["bounds"])
        histogram.counts, histogram.total = list(value["counts"]), value["total"]
        return histogram


def counter(text: str) -> Any:
    """A number that only grows."""
    return dataclasses.field(default=0, metadata={"kind": "counter", "text": text})


def gauge(text: str) -> Any:
    """A number that goes up and down."""
    return dataclasses.field(default=0, metadata={"kind": "gauge", "text": text})


def counter_by(label: str, text: str, known: Iterable[str] = ()) -> Any:
    """
    A ``collections.Counter`` by the values of one label. There are few values, and clients never choose them.

    ``known`` values are shown from the start, with 0: otherwise Prometheus would not see the first one as an increase.
    """
    metadata = {"kind": "counter", "text": text, "label": label}
    begun = dict.fromkeys(known, 0)
    return dataclasses.field(default_factory=lambda: collections.Counter(begun), metadata=metadata)


def gauge_by(label: str, text: str) -> Any:
    """A dict of numbers by the values of one label."""
    return dataclasses.field(default_factory=dict, metadata={"kind": "gauge", "text": text, "label": label})


def histogram(bounds: Sequence[float], text: str) -> Any:
    """A ``Histogram`` with these bounds."""
    metadata = {"kind": "histogram", "text": text}
    return dataclasses.field(default_factory=lambda: Histogram(bounds), metadata=metadata)


def histogram_by(label: str, text: str) -> Any:
    """A dict of ``Histogram`` by the values of one label."""
    return dataclasses.field(default_factory=dict, metadata={"kind": "histogram", "text": text, "label": label})
