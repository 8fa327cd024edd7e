"""The application, running: handlers of every kind, what they answer, and everything they can do wrong."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import threading
import time
from datetime import UTC, datetime

import pytest

from stork_node import CallError, ClientSession, Deny, Principal, Stork
from stork_node.application.policy import Undecided
from stork_node.application.running.runtime import HandlerFailed, Runtime

DEADLINE_S = 10

SESSION = ClientSession(id=7, authid="alice", role="frontend", realm="realm1", private={"groups": ["staff"]})
DETAILS = {"session": 7, "authid": "alice", "authrole": "frontend", "realm": "realm1", "private": {"groups": ["staff"]}}


@pytest.fixture
def stork():
    return Stork()


@pytest.fixture
def failures():
    return []


@pytest.fixture(params=["on the loop", "hopping"])
def runtime(request, stork, failures):
    """Questions are answered the same, whether they go by the loop or not."""
    runtime = Runtime(stork, threads=4, report=failures.append)
    submit = runtime.submit

    def hop(coroutine):
        is_question = coroutine.__name__ in ("authenticate", "authorize", "call")
        return runtime.answer(coroutine) if is_question else submit(coroutine)

    if request.param == "hopping":
        runtime.submit = hop
    yield runtime
    runtime.stop(0).result(DEADLINE_S)


@pytest.fixture
def run(runtime):
    """Run a coroutine of the runtime's to its end."""
    runtime.start().result(DEADLINE_S)
    return lambda coroutine: runtime.submit(coroutine).result(DEADLINE_S)


def failure_of(run, coroutine):
    with pytest.raises(HandlerFailed) as failed:
        run(coroutine)
    return failed.value


def as_async(function):
    """The same handler as ``async def``; it gives way to the loop first."""

    @functools.wraps(function)
    async def handler(*args):
        await asyncio.sleep(0)
        return function(*args)

    return handler


async def turns_of_the_loop():
    for _ in range(10):
        await asyncio.sleep(0)


either = pytest.mark.parametrize("kind", [lambda f: f, as_async], ids=["plain", "async"])


# --- authenticate ---


@either
def test_a_principal_lets_in(stork, runtime, run, kind):
    def check_ticket(request):
        assert (request.ticket, request.authid, request.realm) == ("t", "al", "realm1")
        return Principal(
            "alice", extra={"a": 1}, private={"b": (2,)}, expires_at=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
        )

    stork.authenticator(kind(check_ticket))
    assert run(runtime.authenticate("realm1", "al", {"ticket": "t"})) == {
        "allow": True,
        "authid": "alice",
        "role": "frontend",
        "extra": {"a": 1},
        "private": {"b": [2]},
        "expires_at": 1_700_000_000.0,
    }


@either
def test_a_deny_does_not(stork, runtime, run, kind):
    stork.authenticator(kind(lambda request: Deny("expired", retry=True)))
    answer = run(runtime.authenticate("realm1", None, {"ticket": "t"}))
    assert answer == {"allow": False, "retry": True, "reason": "expired"}


def test_without_an_authenticator_joins_are_left_to_a_backend(runtime, run):
    with pytest.raises(Undecided, match="declares no authenticator"):
        run(runtime.authenticate("realm1", None, {"ticket": "t"}))


def test_a_ticket_that_is_no_text_is_denied_unasked(stork, runtime, run):
    asked = []
    stork.authenticator(asked.append)
    answer = run(runtime.authenticate("realm1", None, {"ticket": "\ud800"}))
    assert answer["allow"] is False
    assert answer["reason"] == "the ticket holds a lone surrogate, which UTF-8 does not have"
    assert asked == []


@either
@pytest.mark.parametrize("answer", [None, True, "alice", {"authid": "alice", "role": "frontend"}, Principal])
def test_an_authenticator_that_answers_nonsense_lets_nobody_in(stork, runtime, run, kind, answer):
    stork.authenticator(kind(lambda request: answer))
    failure = failure_of(run, runtime.authenticate("realm1", None, {"ticket": "s3cret"}))
    assert failure.kind == "authenticator"
    name = type(answer).__name__
    assert str(failure.cause) == f"answered with a value of type {name}, want Principal(…) or Deny(…)"
    assert "s3cret" not in str(failure)


@either
@pytest.mark.parametrize(
    "error",
    [KeyError("x"), SystemExit(3), KeyboardInterrupt(), StopIteration(), asyncio.CancelledError(), TimeoutError(),
     concurrent.futures.CancelledError(), CallError("io.example.error", "m"), MemoryError()],
    ids=repr,
)  # fmt: skip
def test_an_authenticator_that_raises_lets_nobody_in_and_serves_the_next(stork, runtime, run, kind, error):
    def check_ticket(request):
        if request.ticket == "bad":
            raise error
        return Principal("alice")

    stork.authenticator(kind(check_ticket))
    failure = failure_of(run, runtime.authenticate("realm1", None, {"ticket": "bad"}))
    raised_in_a_coroutine = isinstance(error, StopIteration) and kind is as_async
    assert failure.__cause__ is failure.cause
    assert isinstance(failure.cause, RuntimeError if raised_in_a_coroutine else type(error))
    assert failure.cause.__traceback__ is not None
    assert run(runtime.authenticate("realm1", None, {"ticket": "good"}))["allow"] is True


def test_a_failure_names_the_handler_and_its_place(stork, runtime, run):
    @stork.authenticator
    def check_ticket(request):
        raise KeyError("user")

    failure = failure_of(run, runtime.authenticate("realm1", None, {"ticket": "t"}))
    place = f"{__file__}:{check_ticket.__code__.co_firstlineno}"
    assert str(failure) == f"authenticator {check_ticket.__qualname__} ({place}) failed: KeyError: 'user'"
    assert (failure.kind, failure.name, str(failure.location)) == ("authenticator", check_ticket.__qualname__, place)


def test_an_exception_whose_text_raises_is_a_failure_like_any_other(stork, runtime, run):
    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("never mind")

    def check_ticket(request):
        raise Broken

    stork.authenticator(check_ticket)
    failure = failure_of(run, runtime.authenticate("realm1", None, {"ticket": "t"}))
    assert "Broken: <exception str() failed>" in str(failure)


@either
def test_a_principal_that_cannot_be_is_a_failure(stork, runtime, run, kind):
    stork.authenticator(kind(lambda request: Principal(authid=42)))
    failure = failure_of(run, runtime.authenticate("realm1", None, {"ticket": "t"}))
    assert str(failure.cause) == "authid is of type int, want a str: str(…)"


# --- kinds of handlers ---


def test_plain_handlers_run_off_the_loop_and_async_ones_on_it(stork, runtime, run):
    @stork.rpc("io.plain")
    def plain(call):
        return threading.current_thread().name

    @stork.rpc("io.async")
    async def coroutine(call):
        return threading.current_thread().name

    assert run(runtime.call("io.plain", [], {}, SESSION)).startswith("stork-handler-")
    assert run(runtime.call("io.async", [], {}, SESSION)) == "stork-loop"


def test_what_a_plain_function_returns_is_awaited_where_it_can_be(stork, runtime, run):
    async def answer(call):
        return threading.current_thread().name

    class Handler:
        async def __call__(self, call):
            return await answer(call)

    def decorated(call):
        return answer(call)

    for uri, function in {"io.a": decorated, "io.b": functools.partial(answer), "io.c": Handler()}.items():
        stork.rpc(uri)(function)
        assert run(runtime.call(uri, [], {}, SESSION)) == "stork-loop"


def test_plain_handlers_run_at_the_same_time(stork, runtime, run):
    together = threading.Barrier(3)
    stork.rpc("io.meet")(lambda call: together.wait(DEADLINE_S) >= 0)
    running = [runtime.submit(runtime.call("io.meet", [], {}, SESSION)) for _ in range(3)]
    assert [future.result(DEADLINE_S) for future in running] == [True] * 3


def test_handlers_that_hang_in_threads_and_on_the_loop_can_be_given_up(stork, runtime, run):
    hold = threading.Event()
    stork.rpc("io.plain")(lambda call: hold.wait(DEADLINE_S))

    @stork.rpc("io.async")
    async def hangs(call):
        await asyncio.Event().wait()

    stork.rpc("io.fine")(lambda call: "fine")
    for uri in ("io.plain", "io.async"):
        future = runtime.submit(runtime.call(uri, [], {}, SESSION))
        with pytest.raises(TimeoutError):
            future.result(0.05)
        assert future.cancel()
        assert run(runtime.call("io.fine", [], {}, SESSION)) == "fine"
    hold.set()


def test_a_question_abandoned_before_a_thread_was_free_is_never_asked(stork, runtime, run):
    hold, begun, asked = threading.Event(), threading.Barrier(5), []

    @stork.rpc("io.hold")
    def hold_a_thread(call):
        begun.wait(DEADLINE_S)
        hold.wait(DEADLINE_S)

    stork.rpc("io.ask")(lambda call: asked.append(call.args[0]))
    holding = [runtime.submit(runtime.call("io.hold", [], {}, SESSION)) for _ in range(4)]
    begun.wait(DEADLINE_S)
    given_up = runtime.submit(runtime.call("io.ask", ["given up"], {}, SESSION))
    with pytest.raises(TimeoutError):
        given_up.result(0.05)
    given_up.cancel()
    run(turns_of_the_loop())  # a cancellation takes some
    last = runtime.submit(runtime.call("io.ask", ["last"], {}, SESSION))
    hold.set()
    for future in (*holding, last):
        future.result(DEADLINE_S)
    assert asked == ["last"]


def test_an_async_handler_is_cancelled_with_its_question(stork, runtime, run):
    begun, ended = threading.Event(), threading.Event()

    @stork.rpc("io.wait")
    async def wait(call):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    future = runtime.submit(runtime.call("io.wait", [], {}, SESSION))
    assert begun.wait(DEADLINE_S)
    future.cancel()
    assert ended.wait(DEADLINE_S)


# --- around, context variables ---


variable = contextvars.ContextVar("variable", default="unset")


@either
def test_around_is_entered_around_each_handler_in_its_thread(failures, kind):
    events = []

    def note(what):
        events.append((what, threading.current_thread().name.rstrip("0123456789")))

    @contextlib.contextmanager
    def around():
        note("enter")
        token = variable.set("set")
        try:
            yield
        except ValueError:
            note("saw the error")
            raise
        finally:
            variable.reset(token)
            note("exit")

    stork = Stork(around)

    def greet(call):
        note(variable.get())
        if call.args:
            raise ValueError

    stork.rpc("io.greet")(kind(greet))
    runtime = Runtime(stork, report=failures.append)
    runtime.start().result(DEADLINE_S)
    thread = "stork-loop" if kind is as_async else "stork-handler-"
    runtime.submit(runtime.call("io.greet", [], {}, SESSION)).result(DEADLINE_S)
    assert events == [("enter", thread), ("set", thread), ("exit", thread)]
    events.clear()
    with pytest.raises(HandlerFailed):
        runtime.submit(runtime.call("io.greet", [1], {}, SESSION)).result(DEADLINE_S)
    assert events == [("enter", thread), ("set", thread), ("saw the error", thread), ("exit", thread)]
    runtime.stop(0).result(DEADLINE_S)


@either
def test_an_around_that_raises_lets_nobody_in(failures, kind):
    @contextlib.contextmanager
    def around():
        raise ConnectionError("no database")
        yield

    stork = Stork(around)
    stork.authenticator(kind(lambda request: Principal("alice")))
    runtime = Runtime(stork, report=failures.append)
    runtime.start().result(DEADLINE_S)
    with pytest.raises(HandlerFailed, match="ConnectionError: no database"):
        runtime.submit(runtime.authenticate("realm1", None, {"ticket": "t"})).result(DEADLINE_S)
    runtime.stop(0).result(DEADLINE_S)


def test_an_around_that_swallows_an_exception_lets_nobody_in(failures):
    stork = Stork(lambda: contextlib.suppress(KeyError))
    stork.authenticator(lambda request: {}["user"])
    runtime = Runtime(stork, report=failures.append)
    runtime.start().result(DEADLINE_S)
    with pytest.raises(HandlerFailed, match="a value of type NoneType"):
        runtime.submit(runtime.authenticate("realm1", None, {"ticket": "t"})).result(DEADLINE_S)
    runtime.stop(0).result(DEADLINE_S)


@either
def test_handlers_see_the_context_variables_of_whoever_submits(stork, runtime, run, kind):
    stork.rpc("io.read")(kind(lambda call: variable.get()))

    def submit():
        variable.set("mine")
        return run(runtime.call("io.read", [], {}, SESSION))

    assert contextvars.copy_context().run(submit) == "mine"
    assert run(runtime.call("io.read", [], {}, SESSION)) == "unset"


# --- authorize ---


def authorize(runtime, uri, action="subscribe", **options):
    return runtime.authorize(DETAILS, uri, action, options)


@either
def test_verifiers_are_asked_in_order_until_one_says_no(stork, runtime, run, kind):
    asked = []

    def verifier(name, answer):
        def verify(session, topic):
            asked.append((name, session, topic.feed_id))
            return answer

        return kind(verify)

    orders = stork.feed("v1", "orders")
    orders.verify(verifier("first", True), cache_s=60)
    orders.verify(verifier("second", Deny("not yours")), cache_s=5)
    orders.verify(verifier("third", True))
    assert run(authorize(runtime, "v1.orders.42")) == {"allow": False, "cache_s": 5.0, "reason": "not yours"}
    assert asked == [("first", SESSION, "42"), ("second", SESSION, "42")]


@either
def test_all_verifiers_have_to_agree(stork, runtime, run, kind):
    orders = stork.feed("v1", "orders")
    orders.verify(kind(lambda session, topic: session.authid == "alice"), cache_s=60)
    orders.verify("staff", cache_s=30)
    stork.verifier("staff")(kind(lambda session, topic: "staff" in session.private["groups"]))
    assert run(authorize(runtime, "v1.orders.42")) == {"allow": True, "cache_s": 30.0, "reason": ""}


def test_a_verifier_sees_the_pattern(stork, runtime, run):
    news = stork.feed("v1", "news", patterns=["prefix"])
    news.verify(lambda session, topic: (topic.match, topic.feed_id) == ("prefix", "de:"), patterns=True)
    assert run(authorize(runtime, "v1.news.de:", match="prefix"))["allow"] is True
    assert run(authorize(runtime, "v1.news.en:", match="prefix"))["allow"] is False
    assert run(authorize(runtime, "v1.news.", match="wildcard"))["allow"] is False


@either
@pytest.mark.parametrize("answer", [None, 1, "no", [], object()])
def test_a_verifier_that_answers_nonsense_lets_nobody_see_anything(stork, runtime, run, kind, answer):
    stork.feed("v1", "orders").verify(kind(lambda session, topic: answer))
    stork.feed("v1", "test")
    failure = failure_of(run, authorize(runtime, "v1.orders.42"))
    assert (failure.kind, type(failure.cause)) == ("verifier", TypeError)
    assert run(authorize(runtime, "v1.test.1"))["allow"] is True


@either
def test_a_verifier_that_raises_lets_nobody_see_anything(stork, runtime, run, kind):
    def verify(session, topic):
        raise ConnectionError("no database")

    stork.feed("v1", "orders").verify(lambda session, topic: True)
    stork.feed("v1", "bills").verify(kind(verify))
    failure = failure_of(run, authorize(runtime, "v1.bills.42"))
    assert isinstance(failure.cause, ConnectionError)
    assert run(authorize(runtime, "v1.orders.42"))["allow"] is True


def test_an_unknown_verifier_is_a_refusal(stork, runtime, run):
    stork.feed("v1", "orders").verify("nobody")
    assert run(authorize(runtime, "v1.orders.42")) == {
        "allow": False,
        "cache_s": 0.0,
        "reason": "feed v1.orders asks the verifier 'nobody', which is not declared",
    }


def test_without_any_feed_subscriptions_are_left_to_a_backend(runtime, run):
    with pytest.raises(Undecided, match="declares no feed"):
        run(authorize(runtime, "v1.orders.42"))


def test_what_is_not_declared_is_refused(stork, runtime, run):
    stork.feed("v1", "bills")
    assert run(authorize(runtime, "v1.orders.42"))["reason"] == "feed v1.orders is not declared"
    assert run(authorize(runtime, "io.greet", "call"))["reason"] == "procedure io.greet is not declared"
    assert run(authorize(runtime, "v1.orders.42", "publish"))["allow"] is False
    assert run(authorize(runtime, "io.virge.stork.auth", "register"))["allow"] is False


@either
@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (True, {"allow": True, "cache_s": 0.0, "reason": ""}),
        (Deny("staff only"), {"allow": False, "cache_s": 0.0, "reason": "staff only"}),
    ],
)
def test_a_procedure_may_ask_who_calls(stork, runtime, run, kind, answer, decision):
    def allow(session):
        assert session == SESSION
        return answer

    stork.rpc("io.greet", allow=kind(allow))(lambda call: None)
    assert run(authorize(runtime, "io.greet", "call")) == decision


def test_a_procedure_is_not_open_because_its_check_answers_a_coroutine(stork, runtime, run):
    async def check(session):
        return False

    stork.rpc("io.greet", allow=lambda session: check(session))(lambda call: None)
    assert run(authorize(runtime, "io.greet", "call"))["allow"] is False


# --- call ---


@either
def test_a_procedure_gets_the_call_and_answers(stork, runtime, run, kind):
    def greet(call):
        return {"args": call.args, "kwargs": call.kwargs, "who": call.session.authid}

    stork.rpc("io.greet")(kind(greet))
    answer = run(runtime.call("io.greet", [1, [2]], {"a": 3}, SESSION))
    assert answer == {"args": [1, [2]], "kwargs": {"a": 3}, "who": "alice"}


@either
def test_a_call_error_reaches_the_caller_as_it_is(stork, runtime, run, kind):
    error = CallError("io.example.error.sold_out", "none left", 1, sku="x")

    def buy(call):
        raise error

    stork.rpc("io.buy")(kind(buy))
    with pytest.raises(CallError) as raised:
        run(runtime.call("io.buy", [], {}, SESSION))
    assert raised.value is error


@either
def test_any_other_exception_of_a_procedure_is_a_failure(stork, runtime, run, kind):
    def buy(call):
        raise ConnectionError("password of the database")

    stork.rpc("io.buy")(kind(buy))
    failure = failure_of(run, runtime.call("io.buy", [], {}, SESSION))
    assert (failure.kind, type(failure.cause)) == ("procedure", ConnectionError)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"at": datetime(2026, 1, 1)}, "the result['at'] is of type datetime, which JSON does not have"),
        ({1: 2}, "the result has the key 1, and JSON has text keys only"),
        (2**70, "the result is beyond the integers from -2^63 to 2^64-1"),
    ],
)
def test_a_result_that_wamp_does_not_have_is_a_failure(stork, runtime, run, result, text):
    stork.rpc("io.buy")(lambda call: result)
    assert str(failure_of(run, runtime.call("io.buy", [], {}, SESSION)).cause) == text


@pytest.mark.parametrize(
    "error",
    [
        CallError("not a uri"),
        CallError(""),
        CallError("io.error", "m", object()),
        CallError("io.error", at=datetime.max),
    ],
    ids=repr,
)
def test_a_call_error_that_wamp_cannot_carry_is_a_failure(stork, runtime, run, error):
    def buy(call):
        raise error

    stork.rpc("io.buy")(buy)
    failure = failure_of(run, runtime.call("io.buy", [], {}, SESSION))
    assert failure.__cause__ is error


def test_bytes_travel_both_ways(stork, runtime, run):
    stork.rpc("io.echo")(lambda call: call.args[0])
    assert run(runtime.call("io.echo", [b"\xff"], {}, SESSION)) == b"\xff"


def test_a_procedure_that_is_not_declared_is_no_such_procedure(runtime, run):
    with pytest.raises(CallError) as raised:
        run(runtime.call("io.greet", [], {}, SESSION))
    assert raised.value.uri == "wamp.error.no_such_procedure"


@either
def test_a_json_string_procedure_takes_and_answers_a_string_of_json(stork, runtime, run, kind):
    stork.rpc("io.echo", json_string=True)(kind(lambda call: {"got": call.args, "named": call.kwargs}))
    answer = run(runtime.call("io.echo", ['{"name": "Jürgen", "n": [1, 2.5, null]}'], {}, SESSION))
    assert answer == '{"got":[{"name":"Jürgen","n":[1,2.5,null]}],"named":{}}'


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ([], {}),
        (["{}", "{}"], {}),
        ([{"name": "x"}], {}),
        (["{}"], {"a": 1}),
        (["{"], {}),
        (["NaN"], {}),
        (["[" * 100_000], {}),
        ([b"{}"], {}),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_json_string_procedure_refuses_anything_else(stork, runtime, run, args, kwargs):
    called = []
    stork.rpc("io.echo", json_string=True)(called.append)
    with pytest.raises(CallError, match=r"io\.echo takes one argument, a string of JSON") as raised:
        run(runtime.call("io.echo", args, kwargs, SESSION))
    assert raised.value.uri == "wamp.error.invalid_argument"
    assert called == []


def test_a_json_string_result_that_json_does_not_have_is_a_failure(stork, runtime, run):
    stork.rpc("io.echo", json_string=True)(lambda call: b"bytes")
    failure = failure_of(run, runtime.call("io.echo", ["{}"], {}, SESSION))
    assert str(failure.cause) == "the result is of type bytes, which JSON does not have"


# --- joined, left ---


@either
def test_joins_and_leaves_are_told_to_every_handler(stork, runtime, run, kind):
    told = []
    for i in range(2):
        stork.on_join(kind(lambda session, i=i: told.append(("join", i, session))))
        stork.on_leave(kind(lambda session, i=i: told.append(("leave", i, session))))
    run(runtime.joined(SESSION))
    run(runtime.left(SESSION))
    assert sorted(told[:2], key=lambda t: t[1]) == [("join", 0, SESSION), ("join", 1, SESSION)]
    assert sorted(told[2:], key=lambda t: t[1]) == [("leave", 0, SESSION), ("leave", 1, SESSION)]


@either
def test_a_handler_that_fails_is_logged_and_the_others_are_called(stork, runtime, run, failures, kind):
    told = []

    def fails(session):
        raise KeyError("x")

    for declare in (stork.on_join, stork.on_leave):
        declare(kind(fails))
        declare(kind(told.append))
    run(runtime.joined(SESSION))
    run(runtime.left(SESSION))
    assert told == [SESSION, SESSION]
    assert [failure.kind for failure in failures] == ["on_join handler", "on_leave handler"]


def test_a_handler_that_hangs_keeps_no_other_from_being_told(stork, runtime, run):
    hold, told = threading.Event(), threading.Event()
    stork.on_join(lambda session: hold.wait(DEADLINE_S))
    stork.on_join(lambda session: told.set())
    joining = runtime.submit(runtime.joined(SESSION))
    assert told.wait(DEADLINE_S)
    hold.set()
    joining.result(DEADLINE_S)


def test_a_leave_waits_for_its_own_join_and_no_other(stork, runtime, run):
    hold, told = threading.Event(), []

    @stork.on_join
    def joined(session):
        if session.id == 7:
            hold.wait(DEADLINE_S)
        told.append(("join", session.id))

    stork.on_leave(lambda session: told.append(("leave", session.id)))
    other = ClientSession(id=8, authid="bob")
    joining, leaving = runtime.submit(runtime.joined(SESSION)), runtime.submit(runtime.left(SESSION))
    run(runtime.joined(other))
    run(runtime.left(other))
    assert told == [("join", 8), ("leave", 8)]
    hold.set()
    joining.result(DEADLINE_S)
    leaving.result(DEADLINE_S)
    assert told[2:] == [("join", 7), ("leave", 7)]


def test_a_leave_waits_no_longer_than_its_join_is_waited_for(stork, runtime, run):
    told = threading.Event()

    @stork.on_join
    async def hangs(session):
        await asyncio.Event().wait()

    stork.on_leave(lambda session: told.set())
    joining, leaving = runtime.submit(runtime.joined(SESSION)), runtime.submit(runtime.left(SESSION))
    with pytest.raises(TimeoutError):
        leaving.result(0.05)
    joining.cancel()
    leaving.result(DEADLINE_S)
    assert told.is_set()


def test_a_leave_of_a_session_that_never_joined_is_told_at_once(stork, runtime, run):
    told = []
    stork.on_leave(told.append)
    run(runtime.left(SESSION))
    assert told == [SESSION]


def test_nothing_is_kept_of_sessions_that_have_joined(stork, runtime, run):
    stork.on_join(lambda session: None)
    run(runtime.joined(SESSION))
    assert len(runtime._presence) == 0


# --- start, stop ---


@either
def test_on_start_and_on_stop_handlers_run_in_order(stork, runtime, failures, kind):
    events = []
    for i in range(2):
        stork.on_start(kind(lambda i=i: events.append(("start", i))))
        stork.on_stop(kind(lambda i=i: events.append(("stop", i))))
    runtime.start().result(DEADLINE_S)
    assert events == [("start", 0), ("start", 1)]
    runtime.stop(5).result(DEADLINE_S)
    assert events[2:] == [("stop", 0), ("stop", 1)]
    assert failures == []


@either
def test_an_on_start_handler_that_fails_is_named_and_stops_the_next_ones(stork, runtime, kind):
    ran = []

    def open_pool():
        raise ConnectionError("no database")

    stork.on_start(kind(open_pool))
    stork.on_start(lambda: ran.append("second"))
    with pytest.raises(HandlerFailed) as failed:
        runtime.start().result(DEADLINE_S)
    assert (failed.value.kind, failed.value.name.split(".")[-1]) == ("on_start handler", "open_pool")
    assert ran == []


@either
def test_an_on_stop_handler_that_fails_is_reported_and_the_others_run(stork, runtime, failures, kind):
    ran = []

    def fails():
        raise KeyError("x")

    stork.on_stop(kind(fails))
    stork.on_stop(lambda: ran.append("second"))
    runtime.start().result(DEADLINE_S)
    runtime.stop(5).result(DEADLINE_S)
    assert ran == ["second"]
    assert [str(failure.cause) for failure in failures] == ["'x'"]


def test_an_on_stop_handler_that_hangs_is_reported_and_left_behind(stork, runtime, failures):
    hold = threading.Event()
    stork.on_stop(lambda: hold.wait(DEADLINE_S))
    runtime.start().result(DEADLINE_S)
    runtime.stop(0.05).result(DEADLINE_S)
    assert not hold.is_set()
    assert [str(failure.cause) for failure in failures] == ["not through within 0.05 s of the stop"]
    hold.set()


def test_a_stop_cancels_what_is_running(stork, runtime, run):
    begun, ended = threading.Event(), threading.Event()

    @stork.rpc("io.wait")
    async def wait(call):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = runtime.submit(runtime.call("io.wait", [], {}, SESSION))
    assert begun.wait(DEADLINE_S)
    runtime.stop(0).result(DEADLINE_S)
    assert ended.is_set()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(0)


def test_the_loop_can_be_stopped_while_a_handler_blocks_it(stork, runtime, caplog):
    hold, blocked = threading.Event(), threading.Event()

    @stork.rpc("io.block")
    async def block(call):
        blocked.set()
        hold.wait(60)

    runtime.start().result(DEADLINE_S)
    runtime.submit(runtime.call("io.block", [], {}, SESSION))
    assert blocked.wait(DEADLINE_S)
    runtime.stop(0).result(DEADLINE_S)
    assert "does a handler block the loop?" in caplog.text
    hold.set()


def test_a_runtime_that_is_not_running_takes_nothing(stork):
    runtime = Runtime(stork)
    with pytest.raises(RuntimeError, match="the loop stork-loop is not running"):
        runtime.submit(runtime.left(SESSION))
    runtime.stop(0).result(DEADLINE_S)
    assert runtime.stop(0).result(DEADLINE_S) is None


def test_a_task_that_a_handler_started_goes_on_until_the_stop(stork, runtime, run):
    ticks, tasks = threading.Semaphore(0), []

    @stork.on_start
    async def start():
        async def tick():
            while True:
                ticks.release()
                await asyncio.sleep(0)

        tasks.append(asyncio.create_task(tick()))

    runtime.submit(start()).result(DEADLINE_S)
    for _ in range(10):
        assert ticks.acquire(timeout=DEADLINE_S)
    runtime.stop(1).result(DEADLINE_S)
    assert tasks[0].cancelled()


def test_failures_are_logged_with_a_traceback_unless_the_caller_gets_them(stork, caplog):
    stork.on_join(lambda session: {}["user"])
    runtime = Runtime(stork)
    runtime.start().result(DEADLINE_S)
    runtime.submit(runtime.joined(SESSION)).result(DEADLINE_S)
    runtime.stop(0).result(DEADLINE_S)
    assert "on_join handler" in caplog.text
    assert 'lambda session: {}["user"]' in caplog.text


def test_a_thousand_questions_at_once_are_all_answered(stork, runtime, run):
    stork.rpc("io.plain")(lambda call: call.args[0])
    stork.rpc("io.async")(as_async(lambda call: call.args[0]))
    deadline = time.monotonic() + 60
    asked = [
        runtime.submit(runtime.call(uri, [i], {}, SESSION)) for i in range(500) for uri in ("io.plain", "io.async")
    ]
    answers = [future.result(deadline - time.monotonic()) for future in asked]
    assert answers == [i for i in range(500) for _ in range(2)]
