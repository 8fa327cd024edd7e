import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.components.router_inside import sending

PIECE = b"piece"


class Lane:
    """Takes all, or does what ``answer`` does."""

    def __init__(self, answer: Callable[[], int] | None = None) -> None:
        self.received: list[bytes] = []
        self._answer = answer

    def send(self, piece: bytes) -> int:
        sent = self._answer() if self._answer else len(piece)
        self.received.append(piece[:sent])
        return sent


def clock() -> float:
    return 7.0


@pytest.fixture(params=[1, 2], ids=["one core", "two cores"])
def sender(request) -> Any:
    return sending.Sender(clock, cores=request.param)


@pytest.mark.parametrize("number", [0, 1, 24, 25, 26, 1000])
def test_each_connection_gets_its_piece_once(sender, number):
    lanes = [Lane() for _ in range(number)]
    others = [Lane() for _ in range(number)]
    parcels = [*sending.in_parcels(lanes, PIECE, 1), *sending.in_parcels(others, b"another", 1)]
    for _ in range(20):
        sender.send(parcels)
    assert [lane.received for lane in lanes] == [[PIECE] * 20] * number
    assert [lane.received for lane in others] == [[b"another"] * 20] * number
    assert all(parcel.sent_at == 7.0 and not parcel.left for parcel in parcels)


def test_what_a_socket_did_not_take_is_told(sender):
    full, partly, well = Lane(lambda: 0), Lane(lambda: 2), Lane()
    lanes = [*(Lane() for _ in range(60)), full, partly, well]
    parcels = sending.in_parcels(lanes, PIECE, 3)
    sender.send(parcels)
    assert [left for parcel in parcels for left in parcel.left] == [(full, 0), (partly, 2)]
    assert well.received == [PIECE]
    assert sum(len(parcel.lanes) * parcel.events for parcel in parcels) == 3 * 63


def test_two_threads_send_at_the_same_time_and_both_are_waited_for():
    both = threading.Barrier(2, timeout=10.0)
    caller = threading.get_ident()

    def meet() -> int:
        both.wait()
        if threading.get_ident() != caller:
            time.sleep(0.1)  # the caller has nothing left to do long before
        return len(PIECE)

    lanes = [Lane(meet) if at % 25 == 0 else Lane() for at in range(50)]
    parcels = sending.in_parcels(lanes, PIECE, 1)
    sending.Sender(clock, cores=2).send(parcels)
    assert [lane.received for lane in lanes] == [[PIECE]] * 50
    assert not any(parcel.left for parcel in parcels)


def test_few_connections_and_one_core_need_no_second_thread():
    alone, few = sending.Sender(clock, cores=1), sending.Sender(clock, cores=2)
    before = threading.active_count()
    alone.send(sending.in_parcels([Lane() for _ in range(1000)], PIECE, 1))
    few.send(sending.in_parcels([Lane() for _ in range(49)], PIECE, 1))
    assert threading.active_count() == before


def test_a_second_thread_that_is_not_woken_in_time_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sending.Sender, "_help", lambda _: None)
    lanes = [Lane() for _ in range(100)]
    sending.Sender(clock, cores=2).send(sending.in_parcels(lanes, PIECE, 1))
    assert all(lane.received == [PIECE] for lane in lanes)
