import pytest

from stork_node.config.drain import DrainSettings, extra_of, schedule
from stork_node.config.settings import read


@pytest.mark.parametrize(
    ("connections", "spread_s", "times"),
    [
        ([], 10.0, []),
        (["a"], 10.0, [0.0]),
        (["a", "b", "c", "d"], 2.0, [0.0, 0.5, 1.0, 1.5]),
        (["a", "b"], 0.0, [0.0, 0.0]),
    ],
)
def test_connections_are_closed_evenly(connections, spread_s, times):
    assert schedule(connections, spread_s) == list(zip(times, connections, strict=True))


def test_a_drain_takes_its_three_times_one_after_the_other():
    assert DrainSettings(wait_s=5.0, spread_s=10.0, finish_s=2.5).longest_s == 17.5


def test_the_settings_are_those_of_the_drain_in_config_json():
    workers = [
        {"type": "guest"},
        {"components": [{"classname": "stork_components.guard.Guard", "extra": {"roles": ["x"]}}]},
        {
            "components": [
                {"classname": "stork_components.drain.Drain", "extra": {"wait_s": "${STORK_DRAIN_WAIT_S:-3}"}}
            ]
        },
    ]
    assert read(DrainSettings, extra_of(workers), {}) == DrainSettings(wait_s=3.0)
    assert read(DrainSettings, extra_of(workers), {"STORK_DRAIN_WAIT_S": "0.5"}) == DrainSettings(wait_s=0.5)
    assert extra_of(workers[:2]) == {}
