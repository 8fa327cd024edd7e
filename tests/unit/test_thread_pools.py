"""Kinds of handlers, users and sessions beside each other: who waits for whom, and what is never begun."""

import asyncio
import threading
import time

import pytest

from stork_node import ClientSession, Principal, Stork
from stork_node.application.running.runtime import NotBegun, Runtime

DEADLINE_S = 10
THREADS = 8
SHARE = 7


class Held:
    """Handlers that run until ``let_go``; counts those that have begun, by user."""

    def __init__(self):
        self.hold, self.begun, self._lock = threading.Event(), [], threading.Lock()

    def run(self, user):
        with self._lock:
            self.begun.append(user)
        self.hold.wait(DEADLINE_S)
        return True

    def wait_for(self, count):
        give_up_at = time.monotonic() + DEADLINE_S
        while len(self.begun) < count:
            assert time.monotonic() < give_up_at
            time.sleep(0.005)


@pytest.fixture
def held():
    return Held()


@pytest.fixture(params=["plain", "in asyncio's threads"])
def application(request, held):
    """Every handler holds a thread, but for ``free`` sessions and tickets."""

    def wrap(function):
        if request.param == "plain":
            return function

        async def in_thread(*args):
            return await asyncio.to_thread(function, *args)

        return in_thread

    stork = Stork()

    def hold_or(user, answer):
        return answer if user.startswith("free") else held.run(user) and answer

    stork.authenticator(wrap(lambda request: hold_or(request.ticket, Principal("x"))))
    feed = stork.feed("v1", "slow")
    feed.verify(wrap(lambda session, topic: hold_or(session.authid, True)))
    stork.rpc("io.slow")(wrap(lambda call: hold_or(call.session.authid, "done")))
    stork.on_join(wrap(lambda session: hold_or(session.authid, None)))
    runtime = Runtime(stork, threads=THREADS)
    runtime.start().result(DEADLINE_S)
    yield runtime
    held.hold.set()
    runtime.stop(1).result(DEADLINE_S)


def join(runtime, ticket, within_s=60.0):
    details = {"ticket": ticket, "session": 1, "transport": {"peer": "tcp4:192.0.2.1:1"}}
    return runtime.answer(runtime.authenticate("realm1", None, details, within_s))


def subscribe(runtime, user, session=1, within_s=60.0):
    details = {"session": session, "authid": user, "authrole": "frontend"}
    return runtime.answer(runtime.authorize(details, "v1.slow.1", "subscribe", {}, within_s))


def call(runtime, user, session=1):
    return runtime.answer(runtime.call("io.slow", [], {}, ClientSession(id=session, authid=user)))


def on_join(runtime, user):
    return runtime.submit(runtime.joined(ClientSession(id=len(user), authid=user)))


WAYS = [join, subscribe, call, on_join]


@pytest.mark.parametrize("slow", WAYS, ids=lambda way: way.__name__)
def test_no_kind_of_handler_waits_for_another_one(application, held, slow):
    for _ in range(3 * THREADS):
        slow(application, "slow")
    held.wait_for(SHARE)
    for other in {*WAYS} - {slow}:
        other(application, "free").result(DEADLINE_S)


@pytest.mark.parametrize("way", [subscribe, call], ids=lambda way: way.__name__)
def test_one_users_slow_handlers_leave_room_for_others(application, held, way):
    for number in range(3 * THREADS):
        way(application, "slow", session=number)
    held.wait_for(SHARE)
    way(application, "free").result(DEADLINE_S)
    assert held.begun == ["slow"] * len(held.begun)
    assert len(held.begun) < THREADS


def test_what_waits_past_its_time_is_not_begun(held):
    stork = Stork()
    stork.feed("v1", "slow").verify(lambda session, topic: held.run(session.authid))
    runtime = Runtime(stork, threads=1)
    runtime.start().result(DEADLINE_S)
    begun = subscribe(runtime, "first", within_s=0.05)
    held.wait_for(1)
    late = subscribe(runtime, "late", within_s=0.05)
    with pytest.raises(NotBegun, match="it waited for longer than its time"):
        late.result(DEADLINE_S)
    held.hold.set()
    # What was begun in time goes on, for whoever asks again.
    assert begun.result(DEADLINE_S)["allow"] is True
    assert held.begun == ["first"]
    runtime.stop(0).result(DEADLINE_S)


def test_what_waits_for_a_loop_past_its_time_is_not_begun(held):
    stork, asked = Stork(), []

    @stork.rpc("io.block")
    async def block(call):
        held.run("blocks")

    @stork.feed("v1", "slow").verify
    async def verify(session, topic):
        asked.append(session.authid)
        return True

    runtime = Runtime(stork)
    runtime.start().result(DEADLINE_S)
    runtime.answer(runtime.call("io.block", [], {}, ClientSession(id=1, authid="a")))
    held.wait_for(1)
    late = subscribe(runtime, "late", within_s=0.0)
    held.hold.set()
    with pytest.raises(NotBegun):
        late.result(DEADLINE_S)
    assert asked == []
    runtime.stop(0).result(DEADLINE_S)


@pytest.mark.parametrize("way", [join, subscribe, call], ids=lambda way: way.__name__)
def test_what_waits_for_a_session_that_is_gone_is_not_begun(held, way):
    stork = Stork()
    stork.authenticator(lambda request: held.run(request.ticket) and Principal("x"))
    stork.feed("v1", "slow").verify(lambda session, topic: held.run(session.authid))
    stork.rpc("io.slow")(lambda call: held.run(call.session.authid))
    runtime = Runtime(stork, threads=1)
    runtime.start().result(DEADLINE_S)
    way(runtime, "first")
    held.wait_for(1)
    waiting = [way(runtime, "gone") for _ in range(20)]
    runtime.forget(1)
    for future in waiting:
        with pytest.raises(NotBegun, match="whoever asked has left"):
            future.result(DEADLINE_S)
    held.hold.set()
    assert held.begun == ["first"]
    runtime.stop(0).result(DEADLINE_S)


def test_on_stop_handlers_run_while_every_thread_is_held(held):
    stork, stopped = Stork(), []
    stork.rpc("io.slow")(lambda call: held.run("slow"))
    stork.on_stop(lambda: stopped.append(True))
    runtime = Runtime(stork, threads=1)
    runtime.start().result(DEADLINE_S)
    for _ in range(3):
        call(runtime, "slow")
    held.wait_for(1)
    runtime.stop(DEADLINE_S).result(DEADLINE_S)
    assert stopped == [True]
    held.hold.set()


def test_an_async_verifier_that_never_ends_is_cancelled():
    stork, ended = Stork(), threading.Event()

    @stork.feed("v1", "slow").verify
    async def wait(session, topic):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    runtime = Runtime(stork, hung_after_s=0.1)
    runtime.start().result(DEADLINE_S)
    with pytest.raises(Exception, match=r"not through within 0\.1 s"):
        subscribe(runtime, "a").result(DEADLINE_S)
    assert ended.is_set()
    runtime.stop(0).result(DEADLINE_S)
