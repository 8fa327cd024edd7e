import threading
import time

import pytest

from stork_node import Stork
from stork_node.application.running.hang_watch import Stall
from stork_node.application.running.runtime import Runtime
from stork_node.application.values import Session

DEADLINE_S = 30
SESSION = Session(id=1, authid="joe", role="frontend")


def test_a_stall_is_ten_looks_in_a_row_at_which_nothing_moved():
    stall = Stall()
    assert [stall.look(True, 7) for _ in range(12)] == [False] * 10 + [True, True]
    assert not stall.look(True, 8)
    assert [stall.look(True, 8) for _ in range(9)] == [False] * 9
    assert not stall.look(False, 8)
    assert [stall.look(True, 8) for _ in range(9)] == [False] * 9


@pytest.fixture
def started():
    runtimes, hold = [], threading.Event()

    def start(*handlers):
        stork, said, heard = Stork(), [], threading.Event()
        for n, handler in enumerate(handlers):
            stork.rpc(f"io.{n}")(handler)

        def hung(sentence):
            said.append(sentence)
            heard.set()

        runtimes.append(Runtime(stork, threads=2, hung=hung, hung_after_s=0.2))
        runtimes[-1].start().result(DEADLINE_S)
        return runtimes[-1], said, heard

    yield start, hold
    hold.set()
    for runtime in runtimes:
        runtime.stop(0).result(DEADLINE_S)


def test_handlers_that_hold_every_thread_while_another_waits_are_said_with_their_place(started):
    start, hold = started

    def wait(call):
        hold.wait(DEADLINE_S)

    runtime, said, heard = start(wait)
    for _ in range(3):
        runtime.submit(runtime.call("io.0", [], {}, SESSION))
    assert heard.wait(DEADLINE_S)
    [sentence] = said
    assert sentence.startswith("all 2 threads are held for 0.2 s, at ")
    assert "test_hang_watch.py" in sentence
    assert sentence.endswith(" in wait")


def test_a_loop_that_a_handler_blocks_is_said_with_its_place(started):
    start, hold = started

    async def block(call):
        hold.wait(DEADLINE_S)

    runtime, said, heard = start(block)
    runtime.submit(runtime.call("io.0", [], {}, SESSION))
    assert heard.wait(DEADLINE_S)
    assert said[0].startswith("the asyncio loop is blocked for 0.2 s, at ")
    assert said[0].endswith(" in block")


def test_an_application_that_is_busy_does_not_hang(started):
    start, _ = started

    def work(call):
        time.sleep(0.05)

    runtime, said, _ = start(work)
    # 40 times 0.05 s on two threads: five times as long as nothing may move.
    for future in [runtime.submit(runtime.call("io.0", [], {}, SESSION)) for _ in range(40)]:
        future.result(DEADLINE_S)
    assert said == []
