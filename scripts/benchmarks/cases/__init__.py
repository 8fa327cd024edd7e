"""The cases of the benchmark. Full size for figures to show; quick to see that everything runs."""

from collections.abc import Sequence

from benchmarks.cases.case import SERVERS, Case, Figure, Sample, Tools
from benchmarks.cases.connections import Idle, Joins
from benchmarks.cases.engine import KilledMaster, PushLatency
from benchmarks.cases.fan_out import Burst, Paced
from benchmarks.cases.http_pushes import HttpPushes
from benchmarks.cases.publish_server import Answered, Replayed, Stored
from benchmarks.cases.recovery import KilledNode, Recover

__all__ = ["FULL", "QUICK", "Case", "Figure", "Sample", "Tools"]

FULL: Sequence[Case] = (
    Burst("burst-1000", "1,000 subscribers × 1,000 pushes at once", 1_000, 1_000),
    Burst("burst-100", "1,000 subscribers × 100 pushes at once", 1_000, 100),
    Paced("paced", "1,000 subscribers, 10 pushes a second", 1_000, 10),
    Burst("topics", "1,000 topics × 10 subscribers, random", 10_000, 10_000, 1_000, peers=SERVERS),
    Idle("idle", "10,000 idle connections", 10_000),
    Joins("joins", "join and subscribe", 2_000),
    Burst("single", "one topic, one subscriber", 1, 20_000, unit="pushes/s"),
    Answered("answered", "one pusher, 1,000 answers outstanding", 60_000),
    Stored("stored", "one pusher, fire and forget", 200_000),
    HttpPushes("http", "HTTP API: 32 connections, one push each", 10),
    Replayed("replayed", "1,000,000 stored pushes", 1_000_000),
    PushLatency("push-latency", "one pusher, 10 pushes a second", 20),
    KilledMaster("killed-master", "kill -9 of the master"),
    Recover("recover", "recover of 100 events", 100, 200),
    KilledNode("killed-node", "10,000 subscribers of a killed node", 10_000, 40),
)

# All of them on one start of a server: memory first, before it has grown for other reasons.
QUICK: Sequence[Case] = (
    Idle("idle", "200 idle connections", 200),
    Burst("burst-1000", "100 subscribers × 50 pushes at once", 100, 50),
    Burst("burst-100", "100 subscribers × 10 pushes at once", 100, 10),
    Paced("paced", "100 subscribers, 10 pushes a second", 100, 1),
    Burst("topics", "10 topics × 10 subscribers, random", 100, 200, 10, peers=SERVERS),
    Joins("joins", "join and subscribe", 100),
    Burst("single", "one topic, one subscriber", 1, 500, unit="pushes/s"),
    Answered("answered", "one pusher, 100 answers outstanding", 1_000, outstanding=100),
    Stored("stored", "one pusher, fire and forget", 1_000),
    HttpPushes("http", "HTTP API: 32 connections, one push each", 1),
    Replayed("replayed", "10,000 stored pushes", 10_000),
    PushLatency("push-latency", "one pusher, 10 pushes a second", 1),
    KilledMaster("killed-master", "kill -9 of the master"),
    Recover("recover", "recover of 20 events", 20, 10),
    KilledNode("killed-node", "50 subscribers of a killed node", 50, 3),
)
