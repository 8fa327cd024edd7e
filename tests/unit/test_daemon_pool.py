"""Threads that never hold up the end of the process."""

import subprocess
import sys
import threading

import pytest

from stork_node.application.running.daemon_pool import DaemonPool

DEADLINE_S = 10


@pytest.fixture
def pool():
    pool = DaemonPool(3, "test")
    yield pool
    pool.shutdown()


def test_a_result_and_an_exception_come_back(pool):
    assert pool.submit(divmod, 7, 2).result(DEADLINE_S) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 7, 0).result(DEADLINE_S)
    with pytest.raises(SystemExit):
        pool.submit(sys.exit, 3).result(DEADLINE_S)


def test_jobs_run_at_the_same_time_up_to_the_limit_and_no_further(pool):
    together, free = threading.Barrier(4), threading.Event()
    running = [pool.submit(together.wait, DEADLINE_S) for _ in range(3)]
    waiting = pool.submit(free.set)
    together.wait(DEADLINE_S)  # all three run now; the fourth waits for one of them
    for future in (*running, waiting):
        future.result(DEADLINE_S)
    assert free.is_set()


def test_idle_threads_are_used_again():
    pool = DaemonPool(500, "test")
    names = {pool.submit(lambda: threading.current_thread().name).result(DEADLINE_S) for _ in range(500)}
    pool.shutdown()
    # A thread that has answered may not be waiting yet when the next job comes, and then another one is started.
    assert len(names) < 100


def test_every_job_runs_once_however_many_there_are(pool):
    done = []
    futures = [pool.submit(done.append, i) for i in range(2000)]
    for future in futures:
        future.result(DEADLINE_S)
    assert sorted(done) == list(range(2000))


def test_a_job_that_is_cancelled_before_it_begins_never_runs(pool):
    hold, ran = threading.Event(), []
    blocked = [pool.submit(hold.wait, DEADLINE_S) for _ in range(3)]
    cancelled, last = pool.submit(ran.append, "cancelled"), pool.submit(ran.append, "last")
    assert cancelled.cancel()
    hold.set()
    last.result(DEADLINE_S)
    for future in blocked:
        future.result(DEADLINE_S)
    assert ran == ["last"]


def test_a_pool_that_is_shut_down_ends_its_threads_and_takes_nothing():
    pool = DaemonPool(2, "test")
    threads = {pool.submit(threading.current_thread).result(DEADLINE_S) for _ in range(3)}
    pool.shutdown()
    pool.shutdown()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="the pool is shut down"):
        pool.submit(print)


def test_threads_that_hang_do_not_keep_a_process_from_ending():
    script = """
import asyncio, threading
from stork_node import Stork
from stork_node.application.running.runtime import Runtime
from stork_node.application.values import ClientSession
stork, begun = Stork(), threading.Barrier(3)

@stork.on_join
def hangs(session):
    begun.wait()
    threading.Event().wait()

@stork.on_join
async def hangs_in_the_default_executor(session):
    await asyncio.to_thread(hangs, session)

runtime = Runtime(stork)
runtime.start().result()
runtime.submit(runtime.joined(ClientSession(id=1, authid="a")))
begun.wait()
print("hanging")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "hanging\n", "")
