"""Declaring an application: what the decorators take, and what they refuse, naming the place."""

import asyncio
import contextlib
import functools
import inspect
import re
import sys
from typing import Unpack

import pytest

from stork_node import AsyncPublisher, DeclarationError, NotRunning, Publisher, Stork, StorkError
from stork_node.application.feeds import NamedVerifier
from stork_node.application.push_recorder import AsyncPushRecorder, PushRecorder
from stork_node.clients.push_options import PushOptions
from stork_node.protocol.push import encode_push


@pytest.fixture
def stork():
    return Stork()


def here(offset=0):
    """The caller's place, ``offset`` lines further down."""
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno + offset}"


def of_session(session): ...
def of_request(request): ...
def of_subscription(session, topic): ...
def of_call(call): ...
def of_nothing(): ...


DECORATORS = {
    "authenticator": lambda stork: (stork.authenticator, of_request),
    "verify": lambda stork: (stork.feed("v1", "orders").verify, of_subscription),
    "verify()": lambda stork: (stork.feed("v1", "orders").verify(cache_s=60), of_subscription),
    "verifier": lambda stork: (stork.verifier("named"), of_subscription),
    "rpc": lambda stork: (stork.rpc("io.example.greet", invoke="roundrobin", allow=True), of_call),
    "on_join": lambda stork: (stork.on_join, of_session),
    "on_leave": lambda stork: (stork.on_leave, of_session),
    "on_start": lambda stork: (stork.on_start, of_nothing),
    "on_stop": lambda stork: (stork.on_stop, of_nothing),
}


@pytest.mark.parametrize("name", DECORATORS)
def test_a_decorator_returns_the_function_unchanged(stork, name):
    decorator, function = DECORATORS[name](stork)
    assert decorator(function) is function


@pytest.mark.parametrize("name", DECORATORS)
def test_a_handler_that_does_not_take_what_it_is_called_with_is_refused(stork, name):
    decorator, function = DECORATORS[name](stork)
    with pytest.raises(DeclarationError, match=r"is called with \((.*)\), and does not take these arguments$"):
        decorator(lambda one, two, three: None)
    with pytest.raises(DeclarationError, match="is not a function, and cannot be a"):
        decorator(3)
    assert decorator(lambda *anything: None)
    assert decorator is not function


def test_a_refused_handler_is_named_with_its_place(stork):
    def wants_too_much(session, topic, moon): ...

    with pytest.raises(DeclarationError) as refused:
        stork.feed("v1", "orders").verify(wants_too_much)
    name = "test_a_refused_handler_is_named_with_its_place.<locals>.wants_too_much"
    assert (
        str(refused.value)
        == f"{here(-4)}: the verifier {name} is called with (session, topic), and does not take these arguments"
    )


def test_builtins_partials_and_methods_can_be_handlers(stork):
    class Orders:
        def may(self, session, topic): ...
        def __call__(self, session, topic): ...

    orders = stork.feed("v1", "orders")
    for function in (Orders().may, Orders(), functools.partial(lambda a, session, topic: True, 1), max):
        assert orders.verify(function) is function


def test_a_second_authenticator_is_refused_naming_both_places(stork):
    stork.authenticator(of_request)
    first = here(-1)
    with pytest.raises(DeclarationError) as refused:
        stork.authenticator(of_request)
    assert str(refused.value) == f"the authenticator is declared twice: {first} and {here(-1)}"


def test_a_decorators_place_is_its_own_line(stork):
    @stork.authenticator
    def first(request): ...

    with pytest.raises(DeclarationError) as refused:

        @stork.authenticator
        def second(request): ...

    assert str(refused.value) == f"the authenticator is declared twice: {here(-8)} and {here(-3)}"


def test_a_second_feed_of_one_name_is_refused_naming_both_places(stork):
    stork.feed("v1", "orders")
    first = here(-1)
    stork.feed("v2", "orders")
    with pytest.raises(DeclarationError) as refused:
        stork.feed("v1", "orders", patterns=["prefix"])
    assert str(refused.value) == f"feed v1.orders is declared twice: {first} and {here(-1)}"


def test_a_second_verifier_of_one_name_is_refused_naming_both_places(stork):
    stork.verifier("admin")(of_subscription)
    first = here(-1)
    stork.verifier("owner")(of_subscription)
    with pytest.raises(DeclarationError) as refused:
        stork.verifier("admin")(of_subscription)
    assert str(refused.value) == f"verifier 'admin' is declared twice: {first} and {here(-1)}"


def test_a_second_procedure_of_one_uri_is_refused_naming_both_places(stork):
    stork.rpc("io.example.greet")(of_call)
    first = here(-1)
    with pytest.raises(DeclarationError) as refused:
        stork.rpc("io.example.greet")(of_call)
    assert str(refused.value) == f"procedure io.example.greet is declared twice: {first} and {here(-1)}"


@pytest.mark.parametrize(
    ("version", "name", "text"),
    [
        ("", "orders", ".orders is not a feed: an empty part"),
        ("v1", "", "v1. is not a feed: an empty part"),
        ("v1", "a.b", "v1.a.b is not a feed: 4 parts where version.feed.id has 3"),
        ("v1", "a b", "v1.a b is not a feed: 'a b' is not made of letters, digits and _ - : @ ~"),
        ("v1", "x" * 252, f"v1.{'x' * 252} is not a feed: 257 characters, at most 255 are allowed"),
        ("wamp", "session", "wamp.session is not for applications: the router's own topics begin so"),
        ("io", "virge", "io.virge is not for applications: the router's own topics begin so"),
        (1, "orders", 'version and name of a feed are text, such as "v1" and "orders"'),
    ],
)
def test_what_is_no_feed_is_refused(stork, version, name, text):
    with pytest.raises(DeclarationError) as refused:
        stork.feed(version, name)
    assert str(refused.value) == f"{here(-1)}: {text}"


@pytest.mark.parametrize("patterns", ["prefix", ["exact"], ["prefix", "regex"], [["prefix"]]])
def test_patterns_are_prefix_and_wildcard(stork, patterns):
    with pytest.raises(DeclarationError, match=re.escape('want some of ("prefix", "wildcard")')):
        stork.feed("v1", "orders", patterns=patterns)


def test_verifiers_are_kept_in_the_order_in_which_they_are_declared(stork):
    orders = stork.feed("v1", "orders")
    orders.verify(of_subscription)
    assert orders.verify("admin", "owner") is orders
    orders.verify(lambda session, topic: True, cache_s=5)
    first, admin, owner, last = orders.verifiers
    assert (first.handler.function, first.cache_s) == (of_subscription, 0.0)
    assert (admin.name, admin.cache_s, owner.name) == ("admin", None, "owner")
    assert last.cache_s == 5.0


@pytest.mark.parametrize("cache_s", [-1, float("nan"), float("inf"), True, "60"])
def test_cache_s_is_a_time_in_seconds(stork, cache_s):
    text = re.escape(f"cache_s is {cache_s!r}, want seconds, such as 60")
    for declare in (stork.feed("v1", "orders").verify, functools.partial(stork.verifier, "admin")):
        with pytest.raises(DeclarationError, match=text):
            declare(cache_s=cache_s)


def test_verify_takes_one_function_or_names(stork):
    orders = stork.feed("v1", "orders")
    for given in ((of_subscription, of_subscription), ("admin", of_subscription)):
        with pytest.raises(DeclarationError, match="verify takes one function, or names"):
            orders.verify(*given)
    with pytest.raises(DeclarationError, match="is not a function, and cannot be a verifier"):
        orders.verify("")
    assert orders.verifiers == []


def test_a_named_verifier_needs_a_name(stork):
    for name in (of_subscription, "", None):
        with pytest.raises(DeclarationError, match=re.escape('a verifier needs a name: @stork.verifier("admin")')):
            stork.verifier(name)


@pytest.mark.parametrize(
    ("uri", "options", "text"),
    [
        ("", {}, "'' is not a procedure's URI (want one such as 'io.example.greet')"),
        ("io..greet", {}, "'io..greet' is not a procedure's URI (want one such as 'io.example.greet')"),
        ("io.greet.", {}, "'io.greet.' is not a procedure's URI (want one such as 'io.example.greet')"),
        ("io.gr eet", {}, "'io.gr eet' is not a procedure's URI (want one such as 'io.example.greet')"),
        ("io.greet\n", {}, "'io.greet\\n' is not a procedure's URI (want one such as 'io.example.greet')"),
        ("io.#", {}, "'io.#' is not a procedure's URI (want one such as 'io.example.greet')"),
        (None, {}, "None is not a procedure's URI (want one such as 'io.example.greet')"),
        ("wamp.session.kill", {}, "wamp.session.kill is not for applications: wamp. is reserved"),
        ("io.virge.stork.auth", {}, "io.virge.stork.auth is not for applications: io.virge.stork. is reserved"),
        ("io.greet", {"invoke": "all"}, "invoke is 'all', want one of single, first, last, roundrobin, random"),
        ("io.greet", {"allow": "frontend"}, "allow is 'frontend', want True, False or a function of the session"),
        ("io.greet", {"allow": None}, "allow is None, want True, False or a function of the session"),
    ],
)
def test_what_is_no_procedure_is_refused(stork, uri, options, text):
    with pytest.raises(DeclarationError) as refused:
        stork.rpc(uri, **options)(of_call)
    assert str(refused.value) == f"{here(-1)}: {text}"
    assert stork.procedures == ()


@pytest.mark.parametrize("uri", ["io.example.greet", "virge.stork.example.foo", "io.Größe.x-y", "wampum.x", "one"])
def test_a_loose_uri_is_a_procedures(stork, uri):
    stork.rpc(uri)(of_call)
    (procedure,) = stork.procedures
    assert (procedure.uri, procedure.invoke, procedure.allow, procedure.json_string) == (uri, "single", False, False)


def test_around_is_a_function_that_gives_a_context_manager():
    @contextlib.contextmanager
    def around():
        yield

    def forgot_the_decorator():
        yield

    assert Stork(around).around is around
    assert Stork(around=None).around is contextlib.nullcontext
    for wrong in (forgot_the_decorator, contextlib.nullcontext()):
        with pytest.raises(DeclarationError, match="want a function that gives a context manager"):
            Stork(around=wrong)


def test_an_unknown_verifier_is_named_with_its_place_and_the_nearest_name(stork):
    stork.feed("v1", "orders").verify("admins", "owner")
    place = here(-1)
    stork.verifier("admin")(of_subscription)
    assert [str(problem) for problem in stork.problems()] == [
        f"{place}: feed v1.orders asks the verifier 'admins', which is not declared, did you mean 'admin'?",
        f"{place}: feed v1.orders asks the verifier 'owner', which is not declared "
        '(want a function under @stork.verifier("owner"))',
    ]


def test_a_verifier_may_be_declared_after_the_feed_that_asks_it(stork):
    orders = stork.feed("v1", "orders").verify("admin")
    assert len(stork.problems()) == 1
    stork.verifier("admin")(of_subscription)
    assert stork.problems() == []
    assert isinstance(orders.verifiers[0], NamedVerifier)


def test_sessions_are_followed_only_where_a_handler_asks_for_it(stork):
    assert not stork.follows_sessions
    stork.on_leave(of_session)
    assert stork.follows_sessions


def test_an_application_that_is_not_running_cannot_push(stork):
    text = "this application is not running: it can push from its handlers in a node"
    with pytest.raises(NotRunning, match=text):
        stork.push(["v1.orders.42"], type="paid")
    for publisher in ("publisher", "async_publisher"):
        with pytest.raises(NotRunning, match=text):
            getattr(stork, publisher)


class Recorder:
    def __init__(self):
        self.pushed = []

    def push(self, *arguments, **options):
        self.pushed.append((arguments, options))
        return "e:1"


class AsyncRecorder(Recorder):
    async def push(self, *arguments, **options):
        return super().push(*arguments, **options)


def test_push_is_awaited_and_publisher_blocks(stork):
    blocking, awaited = Recorder(), AsyncRecorder()
    stork.connect(blocking, awaited)
    assert (stork.publisher, stork.async_publisher) == (blocking, awaited)

    async def handler():
        options = {"id": "i", "exclude": [7], "store": False, "timestamp": "2026-01-01T00:00:00Z"}
        return await stork.push(["v1.orders.42"], type="paid", data=1, **options)

    assert asyncio.run(handler()) == "e:1"
    options = {"id": "i", "exclude": [7], "store": False, "timestamp": "2026-01-01T00:00:00Z"}
    assert awaited.pushed == [((["v1.orders.42"], "paid", 1), options)]


@pytest.mark.parametrize("publisher", [Publisher, AsyncPublisher, PushRecorder])
def test_push_takes_what_a_publisher_takes(publisher):
    assert inspect.signature(Stork.push).parameters == inspect.signature(publisher.push).parameters


def test_push_in_a_plain_function_says_what_to_use_there(stork):
    stork.connect(Recorder(), AsyncRecorder())
    with pytest.raises(StorkError, match=r"a plain def handler uses stork\.publisher\.push"):
        stork.push(["v1.orders.42"], type="paid")


def test_a_feed_with_patterns_needs_verifiers_that_know_them(stork):
    news = stork.feed("v1", "news", patterns=["prefix"])
    feed_place = here(-1)
    news.verify(of_subscription)
    own_place = here(-1)
    news.verify("admin").verify("knows")
    stork.verifier("admin")(of_subscription)
    named_place = here(-1)
    stork.verifier("knows", patterns=True)(of_subscription)
    news.verify(patterns=True)(of_subscription)
    stork.feed("v1", "open", patterns=["prefix"])
    stork.feed("v1", "exact").verify(of_subscription)
    why = (
        f"the verifier of_subscription does not say patterns=True, and the feed v1.news ({feed_place}) has patterns: "
        "it would take the beginning that a pattern covers for the id of one topic"
    )
    assert [str(problem) for problem in stork.problems()] == [f"{own_place}: {why}", f"{named_place}: {why}"]


def test_patterns_of_a_named_verifier_are_said_where_it_is_declared(stork):
    with pytest.raises(DeclarationError) as refused:
        stork.feed("v1", "news").verify("admin", patterns=True)
    assert str(refused.value) == f'{here(-1)}: patterns=True belongs to @stork.verifier("admin")'


@pytest.mark.parametrize("patterns", [("prefix",), "prefix", 1, None])
def test_a_verifier_knows_patterns_or_does_not(stork, patterns):
    text = f"patterns is {patterns!r}, want True or False for a verifier"
    with pytest.raises(DeclarationError, match=re.escape(text)):
        stork.feed("v1", "news").verify(patterns=patterns)
    with pytest.raises(DeclarationError, match=re.escape(text)):
        stork.verifier("admin", patterns=patterns)


@pytest.mark.parametrize(
    "call", [lambda push: push("v1.a.1", "t", excluded=[7]), lambda push: push("v1.a.1", "t", ID="x")]
)
def test_an_option_that_a_push_does_not_have_is_named(call):
    wanted = "push() has no option {!r} (those are id, exclude, store, receipt, timestamp)"
    with pytest.raises(TypeError) as refused:
        call(PushRecorder([]).push)
    assert str(refused.value) in (wanted.format("excluded"), wanted.format("ID"))


def test_every_push_takes_the_same_options():
    pushes = [Stork.push, Publisher.push, AsyncPublisher.push, PushRecorder.push, AsyncPushRecorder.push]
    assert {inspect.signature(push).parameters["options"].annotation for push in pushes} == {Unpack[PushOptions]}
    keywords = {p.name for p in inspect.signature(encode_push).parameters.values() if p.kind is p.KEYWORD_ONLY}
    assert keywords == set(PushOptions.__annotations__)
