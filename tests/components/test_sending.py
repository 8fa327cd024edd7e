import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.components.router_inside import sending

PAYLOAD = b"payload"


class DirectConnection:
    """Takes all, or does what ``answer`` does."""

    def __init__(self, answer: Callable[[], int] | None = None) -> None:
        self.received: list[bytes] = []
        self._answer = answer

    def send(self, payload: bytes) -> int:
        sent = self._answer() if self._answer else len(payload)
        self.received.append(payload[:sent])
        return sent


def clock() -> float:
    return 7.0


@pytest.fixture(params=[1, 2], ids=["one core", "two cores"])
def sender(request) -> Any:
    return sending.Sender(clock, cores=request.param)


@pytest.mark.parametrize("number", [0, 1, 24, 25, 26, 1000])
def test_each_connection_gets_its_piece_once(sender, number):
    connections = [DirectConnection() for _ in range(number)]
    others = [DirectConnection() for _ in range(number)]
    batches = [*sending.in_batches(connections, PAYLOAD, 1), *sending.in_batches(others, b"another", 1)]
    for _ in range(20):
        sender.send(batches)
    assert [connection.received for connection in connections] == [[PAYLOAD] * 20] * number
    assert [connection.received for connection in others] == [[b"another"] * 20] * number
    assert all(batch.sent_at == 7.0 and not batch.left for batch in batches)


def test_what_a_socket_did_not_take_is_told(sender):
    full, partly, well = DirectConnection(lambda: 0), DirectConnection(lambda: 2), DirectConnection()
    connections = [*(DirectConnection() for _ in range(60)), full, partly, well]
    batches = sending.in_batches(connections, PAYLOAD, 3)
    sender.send(batches)
    assert [left for batch in batches for left in batch.left] == [(full, 0), (partly, 2)]
    assert well.received == [PAYLOAD]
    assert sum(len(batch.connections) * batch.events for batch in batches) == 3 * 63


def test_two_threads_send_at_the_same_time_and_both_are_waited_for():
    both = threading.Barrier(2, timeout=10.0)
    caller = threading.get_ident()

    def meet() -> int:
        both.wait()
        if threading.get_ident() != caller:
            time.sleep(0.1)  # the caller has nothing left to do long before
        return len(PAYLOAD)

    connections = [DirectConnection(meet) if at % 25 == 0 else DirectConnection() for at in range(50)]
    batches = sending.in_batches(connections, PAYLOAD, 1)
    sending.Sender(clock, cores=2).send(batches)
    assert [connection.received for connection in connections] == [[PAYLOAD]] * 50
    assert not any(batch.left for batch in batches)


def test_few_connections_and_one_core_need_no_second_thread():
    alone, few = sending.Sender(clock, cores=1), sending.Sender(clock, cores=2)
    before = threading.active_count()
    alone.send(sending.in_batches([DirectConnection() for _ in range(1000)], PAYLOAD, 1))
    few.send(sending.in_batches([DirectConnection() for _ in range(49)], PAYLOAD, 1))
    assert threading.active_count() == before


def test_a_second_thread_that_is_not_woken_in_time_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sending.Sender, "_help", lambda _: None)
    connections = [DirectConnection() for _ in range(100)]
    sending.Sender(clock, cores=2).send(sending.in_batches(connections, PAYLOAD, 1))
    assert all(connection.received == [PAYLOAD] for connection in connections)
