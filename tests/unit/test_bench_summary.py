"""scripts/bench: several rounds in one number, the order of measurements, tables and goals."""

import pytest
from benchmarks import errors, events
from benchmarks.goals import reached
from benchmarks.results import CaseResult, FigureResult, Machine, PeerResult, Results, load_results, save_results
from benchmarks.runner import turns
from benchmarks.summary import Summary, significant
from benchmarks.table import to_markdown

MACHINE = Machine("a processor", 2, 24.0, "Debian", "3.11.2", 20_000)


def case(title: str, unit: str, *, more_is_better: bool, **peers: PeerResult) -> CaseResult:
    figure = FigureResult("rate", title, unit, more_is_better)
    return CaseResult(title, "2026-01-31T12:00:00+00:00", 3, MACHINE, [figure], dict(peers))


def peer(label: str, *values: float, remarks: tuple[str, ...] = (), failure: str = "") -> PeerResult:
    return PeerResult(label, "1.0", {"rate": list(values)} if values else {}, list(remarks), failure)


def test_rounds_are_summed_up_as_their_median_and_their_spread():
    assert Summary.of([3.0, 1.0, 10.0]) == Summary(median=3.0, least=1.0, greatest=10.0)
    assert Summary.of([1.0, 2.0]).median == 1.5


def test_no_rounds_are_no_number():
    with pytest.raises(ValueError, match="no values to summarize"):
        Summary.of([])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2_791_234.0, "2,790,000"),
        (1_000.0, "1,000"),
        (999.6, "1,000"),
        (100.4, "100"),
        (24.34, "24.3"),
        (7.0, "7"),
        (0.06749, "0.0675"),
        (0.0, "0"),
    ],
)
def test_a_number_has_three_digits_that_can_be_trusted(value, text):
    assert significant(value) == text


def test_each_round_begins_with_another_peer_and_asks_all():
    assert list(turns(["a", "b", "c"], 4)) == [*"abc", *"bca", *"cab", *"abc"]


def test_events_have_the_same_length_whatever_their_number():
    assert {len(events.event(1, 0)), len(events.event(99_999_999, 10**17))} == {events.EVENT_BYTES}


def test_a_burst_numbers_the_events_of_each_topic_from_one():
    burst = events.burst(200, topics=5)
    assert burst == [(topic, event) for topic, event in burst if topic.startswith("v1.bench.")]
    for number in range(5):
        own = [event for topic, event in burst if topic == events.topic(number)]
        assert [int(event.split(b"~")[1][:8]) for event in own] == list(range(1, len(own) + 1))
        assert own


def test_every_peer_is_pushed_the_same_topics():
    assert [topic for topic, _ in events.burst(50, 10)] == [topic for topic, _ in events.burst(50, 10)]


RESULTS = Results(
    {
        "burst-1000": case(
            "all at once",
            "events/s",
            more_is_better=True,
            stork=peer("Stork node", 2_800_000.0, 2_700_000.0, 2_900_000.0),
            nats=peer("NATS", 1_650_000.0, remarks=("9 of 10 events arrived", "9 of 10 events arrived")),
            nchan=peer("nchan", failure="nginx ended while it started: no"),
        ),
        "answered": case(
            "answers", "pushes/s", more_is_better=True, **{"publish-server": peer("publish server", 40.0)}
        ),
    }
)


def test_the_table_shows_medians_spreads_losses_goals_and_the_machine():
    assert to_markdown(RESULTS) == (
        "|  | all at once, events/s |\n"
        "| --- | ---: |\n"
        "| **Stork node** | 2,800,000 (2,700,000–2,900,000) |\n"
        "| nchan | failed |\n"
        "| NATS | 1,650,000\\* |\n"
        "\n"
        "| Stork node alone | measured | goal |\n"
        "| --- | ---: | ---: |\n"
        "| answers, pushes/s | 40 |  |\n"
        "\n"
        "| Stork node's ratios | measured | goal | reached |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| all at once, beside NATS | 1.7 × | at least 1.5 × | yes |\n"
        "\n"
        "- \\* NATS, all at once: 9 of 10 events arrived\n"
        "- nchan, all at once: nginx ended while it started: no\n"
        "\n"
        "Medians (least–greatest) of 3 rounds; events of 190 bytes; the load client is on the same machine. "
        "Bare C loop: one thread, a send() for each event, or (joined) for all that wait: the load client's limit. "
        "Measured 2026-01-31 on a processor, 2 cores, 24 GB, Debian, Python 3.11.2. "
        "Versions: Stork node 1.0, NATS 1.0, nchan 1.0, publish server 1.0.\n"
    )


@pytest.mark.parametrize(("theirs", "is_met"), [(100.0, True), (150.0, False)])
def test_a_goal_where_more_is_better_is_a_least_ratio(theirs, is_met):
    results = Results(
        {
            "joins": case(
                "joins", "joins/s", more_is_better=True, stork=peer("ours", 150.0), crossbar=peer("stock", theirs)
            )
        }
    )
    [goal] = reached(results, "stork")
    assert (goal.ratio, goal.is_met) == (150.0 / theirs, is_met)


@pytest.mark.parametrize(("ours", "is_met"), [(17.0, True), (17.1, False)])
def test_a_goal_where_less_is_better_is_a_greatest_ratio(ours, is_met):
    figure = FigureResult("memory", "idle", "KB each", more_is_better=False)
    peers = {
        "stork": PeerResult("ours", "1", {"memory": [ours]}),
        "crossbar": PeerResult("stock", "1", {"memory": [17.0]}),
    }
    results = Results({"idle": CaseResult("idle", "2026-01-31", 1, MACHINE, [figure], peers)})
    assert [goal.is_met for goal in reached(results, "stork")] == [is_met]


def test_a_goal_is_not_judged_where_either_failed():
    results = Results(
        {"joins": case("joins", "joins/s", more_is_better=True, stork=peer("ours", 1.0), crossbar=peer("stock"))}
    )
    assert list(reached(results, "stork")) == []


def test_results_come_back_from_disk_as_they_were(tmp_path):
    save_results(tmp_path / "results.json", RESULTS)
    assert load_results(tmp_path / "results.json") == RESULTS
    assert load_results(tmp_path / "none.json") == Results()


def test_a_file_that_has_no_results_is_named(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("{}x")
    with pytest.raises(
        errors.BenchError, match=r"results\.json has no results of this benchmark .*: remove it, or choose another"
    ):
        load_results(path)
