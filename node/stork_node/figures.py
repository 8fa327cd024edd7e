"""
Figures: what a part of the node counts, as one dataclass; ``/metrics`` shows each field as a Prometheus metric.

    @dataclass
    class RelayFigures:
        breaks: int = counter("Breaks in the stream: every subscriber was disconnected.")
        lag_seconds: float = gauge("Age of the last frame from the publish server.")

    families("stork_relay", figures)        → stork_relay_breaks_total, stork_relay_lag_seconds

The field is the metric's name, so that it has its unit in it. Counting is adding to a number: nothing is locked, nobody
is called, and what is asked for at a scrape alone is computed then.
"""

import collections
import dataclasses
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric


class Histogram:
    """
    How often a value was observed in each bucket.

    Args:
        bounds: upper ends of the buckets, rising; one without an end follows them.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.total = tuple(bounds), [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count ``value``, as often as it was seen."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` makes the same histogram of."""
        return {"bounds": list(self.bounds), "counts": list(self.counts), "total": self.total}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Histogram":
        histogram = cls(value["bounds"])
        histogram.counts, histogram.total = list(value["counts"]), value["total"]
        return histogram


def counter(text: str) -> Any:
    """A field that only grows: what has happened so far."""
    return dataclasses.field(default=0, metadata={"kind": CounterMetricFamily, "text": text})


def gauge(text: str) -> Any:
    """A field that is what it is now."""
    return dataclasses.field(default=0, metadata={"kind": GaugeMetricFamily, "text": text})


def counter_by(label: str, text: str) -> Any:
    """A ``collections.Counter`` by the values of one label; there are few of them, and none is a client's own word."""
    metadata = {"kind": CounterMetricFamily, "text": text, "label": label}
    return dataclasses.field(default_factory=collections.Counter, metadata=metadata)


def gauge_by(label: str, text: str) -> Any:
    """A dict of numbers by the values of one label."""
    return dataclasses.field(default_factory=dict, metadata={"kind": GaugeMetricFamily, "text": text, "label": label})


def histogram(bounds: Sequence[float], text: str) -> Any:
    """A ``Histogram`` with these bounds."""
    metadata = {"kind": HistogramMetricFamily, "text": text}
    return dataclasses.field(default_factory=lambda: Histogram(bounds), metadata=metadata)


def histogram_by(label: str, text: str) -> Any:
    """A dict of ``Histogram`` by the values of one label."""
    return dataclasses.field(
        default_factory=dict, metadata={"kind": HistogramMetricFamily, "text": text, "label": label}
    )


def families(prefix: str, figures: Any) -> Iterator[Metric]:
    """
    The metrics of a dataclass of figures, each named ``<prefix>_<field>`` (and ``_total``, where it only grows).

    Fields that were not declared by one of the functions above are left out.
    """
    for field in dataclasses.fields(figures):
        if "kind" not in field.metadata:
            continue
        label, value = field.metadata.get("label"), getattr(figures, field.name)
        family = field.metadata["kind"](
            f"{prefix}_{field.name}", field.metadata["text"], labels=[label] if label else []
        )
        samples = sorted(value.items()) if label else [("", value)]
        for name, sample in samples:
            labels = [name] if label else []
            if isinstance(sample, Histogram):
                family.add_metric(labels, _cumulated(sample), sample.total)
            else:
                family.add_metric(labels, sample)
        yield family


def _cumulated(sample: Histogram) -> list[tuple[str, float]]:
    buckets, seen = [], 0
    for bound, count in zip((*map(str, sample.bounds), "+Inf"), sample.counts, strict=True):
        seen += count
        buckets.append((bound, float(seen)))
    return buckets
