"""Coroutines that change threads."""

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import CancelledError, Future

import pytest

from stork_node.application.running.daemon_pool import DaemonPool
from stork_node.application.running.lanes import Lanes
from stork_node.application.running.loop_thread import LoopThread
from stork_node.application.running.thread_switching import Hopper, Place, hop

DEADLINE_S = 10

variable = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def hopper():
    threads, loop = DaemonPool(2, "pool"), LoopThread("loop")
    loop.start()
    yield Hopper(threads, loop.submit)
    loop.stop(1.0)
    threads.shutdown()


def here():
    return threading.current_thread().name.rstrip("-0123456789")


def test_a_coroutine_begins_at_once_and_goes_where_it_asks_to(hopper):
    async def wander():
        places = [here()]
        for place in (Place.THREAD, Place.THREAD, Place.LOOP, Place.LOOP):
            await hop(place)
            places.append(here())
        await asyncio.sleep(0)
        return [*places, here()]

    assert hopper.submit(wander()).result(DEADLINE_S) == ["MainThread", "pool", "pool", "loop", "loop", "loop"]


def test_one_that_asks_for_nothing_is_done_at_once(hopper):
    async def answer():
        return 42

    assert hopper.submit(answer()).done()


@pytest.mark.parametrize("places", [[], [Place.THREAD], [Place.LOOP], [Place.THREAD, Place.LOOP]])
def test_what_it_raises_comes_back(hopper, places):
    async def fail():
        for place in places:
            await hop(place)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        hopper.submit(fail()).result(DEADLINE_S)


def test_context_variables_go_along_and_are_left_alone_elsewhere(hopper):
    async def wander():
        seen = [variable.get()]
        for place in (Place.THREAD, Place.LOOP):
            await hop(place)
            seen.append(variable.get())
            variable.set(place.name)
        return [*seen, variable.get()]

    token = variable.set("the caller's")
    assert hopper.submit(wander()).result(DEADLINE_S) == ["the caller's", "the caller's", "THREAD", "LOOP"]
    assert variable.get() == "the caller's"
    variable.reset(token)


def test_one_that_is_cancelled_on_the_loop_ends_there(hopper):
    begun, ended = threading.Event(), threading.Event()

    async def wait():
        await hop(Place.THREAD)
        await hop(Place.LOOP)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    future = hopper.submit(wait())
    assert begun.wait(DEADLINE_S)
    assert future.cancel()
    assert ended.wait(DEADLINE_S)


def test_one_that_is_cancelled_before_a_thread_is_free_goes_no_further(hopper):
    hold, begun, ran = threading.Event(), threading.Barrier(3), []

    async def occupy():
        await hop(Place.THREAD)
        begun.wait(DEADLINE_S)
        hold.wait(DEADLINE_S)

    async def run(what):
        await hop(Place.THREAD)
        ran.append(what)

    holding = [hopper.submit(occupy()) for _ in range(2)]
    begun.wait(DEADLINE_S)
    cancelled, last = hopper.submit(run("cancelled")), hopper.submit(run("last"))
    assert cancelled.cancel()
    hold.set()
    for future in (*holding, last):
        future.result(DEADLINE_S)
    assert ran == ["last"]


def test_a_result_that_nobody_waits_for_any_more_is_dropped(hopper):
    hold, begun = threading.Event(), threading.Event()

    async def work():
        await hop(Place.THREAD)
        begun.set()
        hold.wait(DEADLINE_S)
        return "too late"

    future = hopper.submit(work())
    assert begun.wait(DEADLINE_S)
    future.cancel()
    hold.set()
    with pytest.raises(CancelledError):
        future.result(DEADLINE_S)


def test_one_that_cancels_itself_on_the_loop_is_cancelled(hopper):
    async def give_up():
        await hop(Place.LOOP)
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        hopper.submit(give_up()).result(DEADLINE_S)


def test_waiting_before_it_is_on_the_loop_is_an_error(hopper):
    async def wait():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits something before it is on the loop"):
        hopper.submit(wait()).result(DEADLINE_S)


def test_a_thread_may_begin_before_the_one_that_submitted_has_gone_on():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    lanes = Lanes(8, "test")
    try:
        hopper = Hopper(lanes, lambda coroutine: Future())

        async def question() -> int:
            await hop(Place.THREAD)
            return 1

        futures = [hopper.submit(question()) for _ in range(5_000)]
        assert {future.result(10) for future in futures} == {1}
    finally:
        sys.setswitchinterval(interval)
        lanes.shutdown()
