"""Twenty faults on three machines with Redis and Sentinels, after which nothing may be lost, doubled, or in silence."""

from pathlib import Path

from tests.chaos import report, timeline
from tests.chaos.engine.cluster import EngineCluster
from tests.chaos.engine.faults import KINDS, LANES
from tests.chaos.run import run
from tests.chaos.schedule import Fault, schedule
from tests.gateway import needs_root

pytestmark = needs_root

SEED = 20


def tell(fault: Fault | None, doing: str) -> None:
    print(doing)


def test_every_fault_has_a_lane_and_twenty_have_every_kind() -> None:
    faults = schedule(SEED, 300, kinds=KINDS)
    assert {fault.target for fault in faults} <= set(LANES)
    assert {fault.kind for fault in faults[:20]} == set(KINDS) <= set(timeline.FAULTS)


def test_nothing_is_lost_doubled_or_silent_on_an_engine(tmp_path: Path) -> None:
    faults = schedule(SEED, 20, longest_s=4, kinds=KINDS)
    outcome = run(tmp_path, faults, SEED, system=EngineCluster, lanes=LANES, progress=tell)
    timeline.draw(outcome, tmp_path / "timeline.png")
    assert outcome.settled, report.as_text(outcome)
    assert outcome.verdict.clean, report.as_text(outcome)
    # That it has seen something, too: recoveries, and epochs that were told.
    assert outcome.verdict.recovered > 10
    assert outcome.verdict.announced > 20
    assert outcome.verdict.commands > 5
