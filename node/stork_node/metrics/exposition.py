"""Turns figures into Prometheus metrics."""

import dataclasses
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from stork_node.metrics.figures import Histogram, Kind

_FAMILIES: dict[Kind, Any] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}
_PACKAGES = {"version": "stork-node", "crossbar": "crossbar", "autobahn": "autobahn", "twisted": "twisted"}


def families(prefix: str, figures: Any) -> Iterator[Metric]:
    """
    The metrics of a dataclass of figures, each named ``<prefix>_<field>``; counters end with ``_total``.

    Fields that no function of ``metrics.figures`` has declared are left out.
    """
    for field in dataclasses.fields(figures):
        if "kind" not in field.metadata:
            continue
        label, value = field.metadata.get("label"), getattr(figures, field.name)
        family = _FAMILIES[field.metadata["kind"]](
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


def build_family() -> Metric:
    """``stork_build_info``: the versions of this node."""
    versions = {label: _version(package) for label, package in _PACKAGES.items()} | {"python": python_version()}
    family = GaugeMetricFamily("stork_build_info", "Versions of this node; always 1.", labels=list(versions))
    family.add_metric(list(versions.values()), 1)
    return family


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
