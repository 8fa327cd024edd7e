"""Twenty faults, after which nothing may be lost, doubled, or told without need; and two liars, who must be found."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos import report, timeline
from tests.chaos.lying_proxy import LyingProxy
from tests.chaos.run import Run, run
from tests.chaos.schedule import KINDS, Fault, schedule
from tests.gateway import needs_root

pytestmark = needs_root

SEED = 20


def tell(fault: Fault | None, doing: str) -> None:
    print(doing)


def run_through_a_liar(folder: Path, always: bool) -> Run:
    with ExitStack() as stack:
        proxies: list[LyingProxy] = []

        def through(url: str) -> str:
            proxies.append(stack.enter_context(LyingProxy(url, always)))
            return proxies[0].url

        faults = schedule(SEED, 4, longest_s=2, only=("reset",))
        outcome = run(folder, faults, SEED, through=through, progress=tell)
        assert proxies[0].lies > 0
        return outcome


@pytest.fixture(scope="module")
def liars(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, "Future[Run]"]:
    """The runs through a recover that always answers false, and one that always answers true: both at once."""
    with ThreadPoolExecutor(2) as pool:
        return {
            always: pool.submit(run_through_a_liar, tmp_path_factory.mktemp(f"always-{always}"), always)
            for always in (False, True)
        }


def test_nothing_is_lost_doubled_or_told_without_need_in_twenty_faults(tmp_path: Path) -> None:
    outcome = run(tmp_path, schedule(SEED, 20, longest_s=5), SEED, progress=tell)
    timeline.draw(outcome, tmp_path / "timeline.png")
    assert outcome.settled, report.as_text(outcome)
    assert outcome.verdict.clean, report.as_text(outcome)
    assert {each.fault.kind for each in outcome.happened} == set(KINDS)
    # That it has seen something, too: recoveries, and gaps where a log was replaced.
    assert outcome.verdict.recovered > 20
    assert len(outcome.replaced) == 2
    assert outcome.verdict.announced > 20
    assert outcome.verdict.commands > 10
    assert outcome.verdict.ended > 10
    assert (tmp_path / "timeline.png").stat().st_size > 50_000


def test_a_recover_that_always_answers_false_is_found(liars: dict[bool, "Future[Run]"]) -> None:
    verdict = liars[False].result().verdict
    assert verdict.counts["needless"] > 0
    assert {kind for kind, count in verdict.counts.items() if count} == {"needless"}


def test_a_recover_that_always_answers_true_is_found(liars: dict[bool, "Future[Run]"]) -> None:
    verdict = liars[True].result().verdict
    assert verdict.counts["missing"] > 0
    assert verdict.counts["unannounced"] > 0
    assert {kind for kind, count in verdict.counts.items() if count} == {"missing", "unannounced"}
