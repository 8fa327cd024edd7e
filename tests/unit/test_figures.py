"""Figures become metrics: names, units, help, labels, histograms."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stork_node.metrics.exposition import families
from stork_node.metrics.figures import (
    Histogram,
    counter,
    counter_by,
    gauge,
    gauge_by,
    histogram,
    histogram_by,
)
from stork_node.metrics.process_figures import read_processes


@dataclass
class Figures:
    pushes: int = counter("Pushes that came.")
    lag_seconds: float = gauge("How late.")
    refusals: dict[str, int] = counter_by("case", "Joins that were refused.")
    answers: dict[str, int] = counter_by("answer", "What was said.", ("yes", "no"))
    sessions: dict[str, int] = gauge_by("role", "Sessions now.")
    latency_seconds: Histogram = histogram((0.1, 1.0), "How long.")
    user_code_seconds: dict[str, Histogram] = histogram_by("kind", "How long user code took.")
    unrelated: str = "not a figure"


class Collector:
    def __init__(self, figures):
        self.figures = figures

    def collect(self):
        return families("stork", self.figures)


def exposition(figures) -> str:
    registry = CollectorRegistry()
    registry.register(Collector(figures))
    return generate_latest(registry).decode()


def test_each_field_is_a_metric_with_its_help():
    figures = Figures()
    figures.pushes += 3
    figures.lag_seconds = 0.5
    figures.refusals["denied"] += 2
    figures.sessions["frontend"] = 7
    figures.latency_seconds.observe(0.1, times=2)
    figures.latency_seconds.observe(0.5)
    figures.latency_seconds.observe(5.0)
    figures.user_code_seconds["verifier"] = Histogram((1.0,))
    figures.user_code_seconds["verifier"].observe(2.0)
    assert exposition(figures) == (
        "# HELP stork_pushes_total Pushes that came.\n"
        "# TYPE stork_pushes_total counter\n"
        "stork_pushes_total 3.0\n"
        "# HELP stork_lag_seconds How late.\n"
        "# TYPE stork_lag_seconds gauge\n"
        "stork_lag_seconds 0.5\n"
        "# HELP stork_refusals_total Joins that were refused.\n"
        "# TYPE stork_refusals_total counter\n"
        'stork_refusals_total{case="denied"} 2.0\n'
        "# HELP stork_answers_total What was said.\n"
        "# TYPE stork_answers_total counter\n"
        'stork_answers_total{answer="no"} 0.0\n'
        'stork_answers_total{answer="yes"} 0.0\n'
        "# HELP stork_sessions Sessions now.\n"
        "# TYPE stork_sessions gauge\n"
        'stork_sessions{role="frontend"} 7.0\n'
        "# HELP stork_latency_seconds How long.\n"
        "# TYPE stork_latency_seconds histogram\n"
        'stork_latency_seconds_bucket{le="0.1"} 2.0\n'
        'stork_latency_seconds_bucket{le="1.0"} 3.0\n'
        'stork_latency_seconds_bucket{le="+Inf"} 4.0\n'
        "stork_latency_seconds_count 4.0\n"
        "stork_latency_seconds_sum 5.7\n"
        "# HELP stork_user_code_seconds How long user code took.\n"
        "# TYPE stork_user_code_seconds histogram\n"
        'stork_user_code_seconds_bucket{kind="verifier",le="1.0"} 0.0\n'
        'stork_user_code_seconds_bucket{kind="verifier",le="+Inf"} 1.0\n'
        'stork_user_code_seconds_count{kind="verifier"} 1.0\n'
        'stork_user_code_seconds_sum{kind="verifier"} 2.0\n'
    )


def test_a_histogram_travels_as_json():
    before = Histogram((0.1, 1.0))
    before.observe(0.3)
    after = Histogram.from_json(json.loads(json.dumps(before.as_json())))
    assert (after.bounds, after.counts, after.total) == (before.bounds, before.counts, before.total)


def test_no_label_value_can_break_the_page():
    figures = Figures()
    figures.refusals['a "quoted"\nword\\'] += 1
    found = {family.name: family for family in text_string_to_metric_families(exposition(figures))}
    assert found["stork_refusals"].samples[0].labels == {"case": 'a "quoted"\nword\\'}


def test_the_figures_of_a_process_are_the_systems():
    figures = read_processes({"router": os.getpid(), "gone": 2**22 - 1})
    assert set(figures.cpu_seconds) == {"router"}
    assert figures.resident_memory_bytes["router"] == pytest.approx(_resident_bytes(), rel=0.2)
    assert figures.open_fds["router"] >= 3
    assert figures.max_fds["router"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert figures.threads["router"] >= 1
    assert figures.start_time_seconds["router"] < time.time()


def test_the_processor_time_of_a_process_grows_with_its_work():
    code = "sum(range(3 * 10**7)); print(1, flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert read_processes({"it": process.pid}).cpu_seconds["it"] > 0
    finally:
        process.communicate(b"\n")


def _resident_bytes() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))
