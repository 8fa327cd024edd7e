import math
import threading
import time

import pytest

from stork_node import Stork
from stork_node.application.running.runtime import Runtime
from stork_node.application.values import ClientSession

DEADLINE_S = 30


def session(user):
    return ClientSession(id=hash(user), authid=user, role="frontend")


@pytest.fixture
def started():
    runtimes, hold = [], threading.Event()

    def start(*handlers, threads=2, **options):
        stork, said, late, heard = Stork(), [], [], threading.Event()
        for n, handler in enumerate(handlers):
            stork.rpc(f"io.{n}", **options)(handler)

        def hung(sentence):
            said.append(sentence)
            heard.set()

        runtimes.append(Runtime(stork, threads=threads, hung=hung, hung_after_s=0.2, late=late.append))
        runtimes[-1].start().result(DEADLINE_S)
        return runtimes[-1], said, heard, late

    yield start, hold
    hold.set()
    for runtime in runtimes:
        runtime.stop(0).result(DEADLINE_S)


def ask(runtime, user="joe"):
    return runtime.submit(runtime.call("io.0", [], {}, session(user)))


def wait_until(fact):
    give_up_at = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_hung_handlers_that_hold_every_thread_are_named_with_their_place(started):
    start, hold = started

    def wait(call):
        hold.wait(DEADLINE_S)

    runtime, said, heard, _ = start(wait)
    for _ in range(3):
        ask(runtime)
    assert heard.wait(DEADLINE_S)
    [sentence] = said
    assert sentence.startswith("all 2 threads are held for 0.2 s, at ")
    assert "test_hang_watch.py" in sentence
    assert sentence.endswith(" in wait")


def test_handlers_that_hold_all_of_one_user_are_said_when_that_user_waits(started):
    start, hold = started
    runtime, said, heard, _ = start(lambda call: hold.wait(DEADLINE_S), threads=8)
    for _ in range(8):
        ask(runtime)
    assert heard.wait(DEADLINE_S)
    assert said[0].startswith("all 7 threads that one user may have are held for 0.2 s, at ")


def test_one_that_hangs_while_nobody_waits_for_it_is_logged(started):
    start, hold = started

    def wait(call):
        hold.wait(DEADLINE_S)

    runtime, said, _, late = start(wait)
    ask(runtime)
    wait_until(lambda: late)
    [sentence] = late
    assert sentence.startswith("a handler takes longer than 0.2 s, at ")
    assert sentence.endswith(" in wait")
    assert said == []


@pytest.mark.parametrize("may_take_s", [0, 3600, 3600.0])
def test_a_procedure_that_says_how_long_it_may_take_does_not_hang_before(started, may_take_s):
    start, hold = started
    runtime, said, _, late = start(lambda call: hold.wait(DEADLINE_S), may_take_s=may_take_s)
    for _ in range(3):
        ask(runtime)
    time.sleep(1)  # five times as long as others may take
    assert (said, late) == ([], [])


@pytest.mark.parametrize("may_take_s", [-1, math.inf, math.nan, True, "60"])
def test_may_take_s_is_seconds(may_take_s):
    with pytest.raises(Exception, match="want seconds, such as 600, or 0 for no limit"):
        Stork().rpc("io.a", may_take_s=may_take_s)(lambda call: None)


def test_a_full_pool_in_which_handlers_end_in_time_does_not_hang(started):
    start, _ = started

    def work(call):
        time.sleep(0.15)

    runtime, said, _, late = start(work)
    for future in [ask(runtime) for _ in range(20)]:
        future.result(DEADLINE_S)
    assert (said, late) == ([], [])


def test_a_loop_that_a_handler_blocks_is_said_with_its_place(started):
    start, hold = started

    async def block(call):
        hold.wait(DEADLINE_S)

    runtime, said, heard, _ = start(block)
    ask(runtime)
    assert heard.wait(DEADLINE_S)
    assert said[0].startswith("the asyncio loop is blocked for 0.2 s, at ")
    assert said[0].endswith(" in block")


def test_an_application_that_is_busy_does_not_hang(started):
    start, _ = started

    def work(call):
        time.sleep(0.05)

    runtime, said, _, _ = start(work)
    # 40 times 0.05 s on two threads: five times as long as nothing may move.
    for future in [ask(runtime) for _ in range(40)]:
        future.result(DEADLINE_S)
    assert said == []
