from dataclasses import dataclass

import pytest

from stork_node.config.settings import count, endpoint, interval, name, names, read, seconds, setting, text
from stork_node.errors import ConfigError


@dataclass(frozen=True)
class Example:
    bus: str = setting(endpoint, "tcp://127.0.0.1:5556")
    timeout_s: float = setting(seconds, 5.0)
    entries: int = setting(count, 10)
    roles: tuple[str, ...] = setting(names, ("frontend",))
    secret: str = setting(text, "")
    app: str = setting(name, "app:stork")


def test_a_pause_between_heartbeats_is_not_zero():
    assert interval("0.5") == 0.5
    with pytest.raises(ValueError, match=r"0 is not a time between two repetitions \(want 1 or 0\.5\)"):
        interval(0)


def test_defaults_stand_where_nothing_is_said():
    assert read(Example, None, {}) == Example()
    assert read(Example, {}, {}) == Example("tcp://127.0.0.1:5556", 5.0, 10, ("frontend",), "", "app:stork")


@pytest.mark.parametrize("host", ["[::1]", "::1"])
def test_values_are_parsed_and_references_resolved(host):
    values = {
        "bus": "tcp://${HOST}:5556",
        "timeout_s": "2.5",
        "entries": "${N:-20}",
        "roles": ["frontend", "admin"],
    }
    assert read(Example, values, {"HOST": host}) == Example(
        "tcp://[::1]:5556", 2.5, 20, ("frontend", "admin"), "", "app:stork"
    )


def test_all_problems_are_reported_at_once_with_path_and_example():
    values = {
        "bus": "tcp:/0.0.0.0:5555",
        "timeout_s": -1,
        "entries": 1.5,
        "roles": [],
        "rols": ["x"],
        "secret": "${NOBODY}",
        "app": "",
    }
    values["roles"] = [""]
    with pytest.raises(ConfigError) as raised:
        read(Example, values, {}, "workers[0].components[1].extra")
    assert str(raised.value).splitlines() == [
        f"workers[0].components[1].extra.{line}"
        for line in [
            "bus: 'tcp:/0.0.0.0:5555' is not an endpoint (want tcp://HOST:PORT)",
            "timeout_s: -1 is not a time in seconds (want 5 or 0.5)",
            "entries: 1.5 is not a whole number (want 1000)",
            "roles: [''] is not a list of names (want [\"frontend\"])",
            "rols: unknown setting, did you mean 'roles'?",
            "secret: the environment variable NOBODY is not set (and there is no ${NOBODY:-default})",
            "app: is empty, and must not be",
        ]
    ]


@pytest.mark.parametrize("value", ["tcp://127.0.0.1:5555", "tcp://*:5555", "tcp://[::1]:1", "tcp://push-1.example:*"])
def test_endpoints_are_taken_as_they_are(value):
    assert endpoint(value) == value


@pytest.mark.parametrize(
    "value", [None, 5555, "", "tcp://host", "udp://h:1", "tcp://h:65536", "tcp://h:1x", "tcp://:1"]
)
def test_what_is_no_endpoint_is_refused(value):
    with pytest.raises(ValueError, match="is not an endpoint"):
        endpoint(value)


@pytest.mark.parametrize("value", [True, None, "x", "nan", "inf", -0.1, [1]])
def test_what_is_no_time_is_refused(value):
    with pytest.raises(ValueError, match="is not a time"):
        seconds(value)
