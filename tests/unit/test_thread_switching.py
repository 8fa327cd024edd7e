"""Coroutines that change threads."""

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import CancelledError, Future

import pytest

from stork_node.application.running.daemon_pool import DaemonPool
from stork_node.application.running.loop_thread import LoopThread
from stork_node.application.running.thread_pools import ThreadPools
from stork_node.application.running.thread_switching import RunOn, ThreadSwitcher, switch_to

DEADLINE_S = 10

variable = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def switcher():
    threads, loop = DaemonPool(2, "pool"), LoopThread("loop")
    loop.start()
    yield ThreadSwitcher(threads, loop.submit)
    loop.stop(1.0)
    threads.shutdown()


def here():
    return threading.current_thread().name.rstrip("-0123456789")


def test_a_coroutine_begins_at_once_and_goes_where_it_asks_to(switcher):
    async def wander():
        targets = [here()]
        for target in (RunOn.THREAD, RunOn.THREAD, RunOn.LOOP, RunOn.LOOP):
            await switch_to(target)
            targets.append(here())
        await asyncio.sleep(0)
        return [*targets, here()]

    assert switcher.submit(wander()).result(DEADLINE_S) == ["MainThread", "pool", "pool", "loop", "loop", "loop"]


def test_one_that_asks_for_nothing_is_done_at_once(switcher):
    async def answer():
        return 42

    assert switcher.submit(answer()).done()


@pytest.mark.parametrize("targets", [[], [RunOn.THREAD], [RunOn.LOOP], [RunOn.THREAD, RunOn.LOOP]])
def test_what_it_raises_comes_back(switcher, targets):
    async def fail():
        for target in targets:
            await switch_to(target)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        switcher.submit(fail()).result(DEADLINE_S)


def test_context_variables_go_along_and_are_left_alone_elsewhere(switcher):
    async def wander():
        seen = [variable.get()]
        for target in (RunOn.THREAD, RunOn.LOOP):
            await switch_to(target)
            seen.append(variable.get())
            variable.set(target.name)
        return [*seen, variable.get()]

    token = variable.set("the caller's")
    assert switcher.submit(wander()).result(DEADLINE_S) == ["the caller's", "the caller's", "THREAD", "LOOP"]
    assert variable.get() == "the caller's"
    variable.reset(token)


def test_one_that_is_cancelled_on_the_loop_ends_there(switcher):
    begun, ended = threading.Event(), threading.Event()

    async def wait():
        await switch_to(RunOn.THREAD)
        await switch_to(RunOn.LOOP)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    future = switcher.submit(wait())
    assert begun.wait(DEADLINE_S)
    assert future.cancel()
    assert ended.wait(DEADLINE_S)


def test_one_that_is_cancelled_before_a_thread_is_free_goes_no_further(switcher):
    hold, begun, ran = threading.Event(), threading.Barrier(3), []

    async def occupy():
        await switch_to(RunOn.THREAD)
        begun.wait(DEADLINE_S)
        hold.wait(DEADLINE_S)

    async def run(what):
        await switch_to(RunOn.THREAD)
        ran.append(what)

    holding = [switcher.submit(occupy()) for _ in range(2)]
    begun.wait(DEADLINE_S)
    cancelled, last = switcher.submit(run("cancelled")), switcher.submit(run("last"))
    assert cancelled.cancel()
    hold.set()
    for future in (*holding, last):
        future.result(DEADLINE_S)
    assert ran == ["last"]


def test_a_result_that_nobody_waits_for_any_more_is_dropped(switcher):
    hold, begun = threading.Event(), threading.Event()

    async def work():
        await switch_to(RunOn.THREAD)
        begun.set()
        hold.wait(DEADLINE_S)
        return "too late"

    future = switcher.submit(work())
    assert begun.wait(DEADLINE_S)
    future.cancel()
    hold.set()
    with pytest.raises(CancelledError):
        future.result(DEADLINE_S)


def test_one_that_cancels_itself_on_the_loop_is_cancelled(switcher):
    async def give_up():
        await switch_to(RunOn.LOOP)
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        switcher.submit(give_up()).result(DEADLINE_S)


def test_waiting_before_it_is_on_the_loop_is_an_error(switcher):
    async def wait():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits something before it is on the loop"):
        switcher.submit(wait()).result(DEADLINE_S)


def test_a_thread_may_begin_before_the_one_that_submitted_has_gone_on():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    lanes = ThreadPools(8, "test")
    try:
        switcher = ThreadSwitcher(lanes, lambda coroutine: Future())

        async def question() -> int:
            await switch_to(RunOn.THREAD)
            return 1

        futures = [switcher.submit(question()) for _ in range(5_000)]
        assert {future.result(10) for future in futures} == {1}
    finally:
        sys.setswitchinterval(interval)
        lanes.shutdown()
