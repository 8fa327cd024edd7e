"""The wall clock is set while a push waits for its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from php_process import Php, interpreter
from router_double import Arrival, RouterDouble, accept
from tests.settable_clock import SettableClock

DAY = 86_400
PUSH = "say(attempt(fn () => (new Publisher($options))->push('v1.a.1', new SimpleMessage('t'))));"
STEPS = pytest.mark.parametrize("step", [-DAY, -1, 1, DAY])


@pytest.fixture
def clock(tmp_path: Path) -> SettableClock:
    return SettableClock(tmp_path)


def push(transport: str, clock: SettableClock, server: RouterDouble, timeout_ms: int) -> Any:
    options = {"endpoint": server.endpoint, "timeout_ms": timeout_ms, "transport": transport}
    with Php(PUSH, {"options": options}, command=interpreter(transport), environment=clock.environ) as php:
        return php.finish().only


@STEPS
def test_a_push_goes_on_waiting_and_is_sent_again(transport: str, clock: SettableClock, step: int) -> None:
    def answer_the_second(server: RouterDouble, arrival: Arrival) -> None:
        clock.set(step)
        if len(server.arrivals) > 1:
            accept(server, arrival)

    with RouterDouble(answer_the_second) as server:
        assert push(transport, clock, server, 8000) == {"result": "epoch:1"}


@STEPS
def test_a_push_is_given_up(transport: str, clock: SettableClock, step: int) -> None:
    with RouterDouble(lambda server, arrival: clock.set(step)) as server:
        said = push(transport, clock, server, 1000)
        assert said["thrown"] == "NotConfirmed"
        assert len(server.documents) >= 2
