"""The guard of a node and ``AppTester``, given the same questions: both decide by ``stork_node.guard.core``."""

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import pytest
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import ComponentConfig
from twisted.internet import defer

from stork_node import ClientSession, Deny, Principal, Stork
from stork_node.application.running.runtime import Runtime
from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits
from stork_node.guard.core import NOT_AUTHORIZED
from stork_node.http.forwarded import networks
from stork_node.limits.pending import Pending
from stork_node.protocol import uris
from stork_node.testing import AppTester, Refused

with warnings.catch_warnings():
    # What autobahn imports has what is deprecated.
    warnings.simplefilter("ignore")
    from stork_components.asking.application_client import CallerLeft
    from stork_components.guard import Guard
    from stork_crossbar.limits import client_limits
    from stork_crossbar.opening import handshake

DEADLINE_S = 30
PEER = "192.0.2.1"
REGISTRATIONS = {uris.APP_AUTH: 1, uris.APP_TOPIC_AUTH: 2}


def application(seen: list[ClientSession]) -> Stork:
    """Every kind of answer; ``seen`` gets the sessions of verifiers."""
    stork = Stork()

    @stork.authenticator
    def check_ticket(request: Any) -> Any:
        if request.ticket == "raise":
            raise ValueError("text of the exception")
        return {
            "joe": Principal("joe", extra={"name": "Joe"}, private={"groups": ["staff"]}),
            "root": Principal("root", role="admin"),
            "past": Principal("joe", expires_at=time.time() - 60),
            "later": Principal("joe", expires_at=time.time() + 60),
            "old": Deny("expired", retry=True),
            "nonsense": "yes",
        }.get(request.ticket, Deny("unknown ticket"))

    orders = stork.feed("v1", "orders", patterns=("prefix", "wildcard"))

    @orders.verify(patterns=True)
    def owns(session: ClientSession, topic: Any) -> Any:
        seen.append(session)
        if topic.feed_id == "raise":
            raise ValueError("text of the exception")
        return {"42": True, "": True, "nonsense": 1}.get(topic.feed_id, Deny("not yours"))

    stork.feed("v1", "open")

    @stork.rpc("io.example.open", allow=True)
    def opened(call: Any) -> None:
        """Answers nothing."""

    @stork.rpc("io.example.checked", allow=lambda session: session.authid == "root")
    def checked(call: Any) -> None:
        """Answers nothing."""

    stork.rpc("io.example.closed")(lambda call: None)
    return stork


@dataclass(frozen=True)
class Outcome:
    """The client's error and its reason; no URI: the client may."""

    uri: str = ""
    reason: str = ""


class _Log:
    """The reason of the last line."""

    reason = ""

    def info(self, _line: str, **fields: Any) -> None:
        self.reason = str(fields["reason"])

    def warn(self, _line: str, **_fields: Any) -> None:
        self.reason = ""  # of an application at fault the log of the guard tells what it got, a test the cause


class GuardAlone(Guard):
    """A guard with an application, and no router between them."""

    def __init__(self, stork: Stork) -> None:
        super().__init__(ComponentConfig("realm1", {"roles": ["frontend", "admin"]}))
        self._realm = "realm1"
        self.log = _Log()
        self.runtime = Runtime(stork)
        self.runtime.start().result(DEADLINE_S)
        self._answers = {uris.APP_AUTH: self.runtime.authenticate, uris.APP_TOPIC_AUTH: self.runtime.authorize}
        starting = defer.ensureDeferred(self.start())
        assert starting.called

    def call(self, uri: str, *args: Any, **_: Any) -> "defer.Deferred[Any]":
        if uri == "wamp.registration.lookup":
            return defer.succeed(REGISTRATIONS.get(args[0]))
        answer: Future[Any] = self.runtime.submit(self._answers[uri](*args))
        try:
            return defer.succeed(answer.result(DEADLINE_S))
        except Exception:
            return defer.fail(ApplicationError("io.virge.stork.error.handler_failed"))

    def register(self, *_args: Any, **_kwargs: Any) -> "defer.Deferred[None]":
        return defer.succeed(None)

    def subscribe(self, *_args: Any, **_kwargs: Any) -> "defer.Deferred[None]":
        return defer.succeed(None)

    def outcome_of(self, asked: Any) -> Outcome:
        """The outcome of a request, at once."""
        self.log.reason = ""
        results: list[Any] = []
        defer.ensureDeferred(asked).addBoth(results.append)
        (result,) = results
        if isinstance(result, dict):
            allowed = result.get("allow", True)
            return Outcome() if allowed else Outcome(NOT_AUTHORIZED, self.log.reason)
        error = result.value
        assert isinstance(error, ApplicationError), error
        return Outcome(error.error, self.log.reason)

    def join(self, ticket: str, authid: str | None, session_id: int, host: str = PEER) -> Outcome:
        details = {"ticket": ticket, "session": session_id, "transport": {"peer": f"tcp4:{host}:50000"}}
        outcome = self.outcome_of(self.authenticate("realm1", authid, details))
        self.joined(session_id)
        return outcome


def outcome_in_test(do: Any) -> Outcome:
    """The same of a test."""
    try:
        do()
    except Refused as refused:
        at_fault = refused.uri in ("", uris.UNAVAILABLE)
        # A client whose join cannot be decided is cut with 1013, without a WAMP error.
        return Outcome(uris.UNAVAILABLE) if at_fault else Outcome(refused.uri, refused.reason)
    return Outcome()


@pytest.fixture(scope="module")
def seen() -> list[ClientSession]:
    return []


@pytest.fixture(scope="module")
def guard(seen: list[ClientSession]) -> Iterator[GuardAlone]:
    guard = GuardAlone(application(seen))
    for number, ticket in ((1, "joe"), (2, "root")):
        assert guard.join(ticket, None, number) == Outcome()
    yield guard
    guard.runtime.stop().result(DEADLINE_S)


@pytest.fixture(scope="module")
def tester(seen: list[ClientSession]) -> Iterator[AppTester]:
    with AppTester(application(seen), roles=("frontend", "admin")) as tester:
        yield tester


TICKETS = ["joe", "root", "later", "past", "old", "nonsense", "raise", "", "unknown", "\ud800", "\0joe"]


@pytest.mark.parametrize("authid", [None, "joe", "\udfff"])
@pytest.mark.parametrize("ticket", TICKETS)
def test_a_ticket_has_one_answer(guard: GuardAlone, tester: AppTester, ticket: str, authid: str | None) -> None:
    expected = guard.join(ticket, authid, 100)
    assert outcome_in_test(lambda: tester.join(ticket, authid)) == expected
    assert (expected == Outcome()) == (ticket in ("joe", "root", "later") and authid != "\udfff")


SUBSCRIPTIONS = [
    *("v1.orders.42", "v1.orders.43", "v1.orders.", "v1.orders", "v1.orders.raise", "v1.orders.nonsense", "v1.open.1"),
    *("v1.open.", "v1.bills.1", "v1", "v1.", "", ".", "..", "a.b.c.d", "v1.orders.ü", "v1.orders.4 2", "x" * 300),
    *(uris.BEAT, f"{uris.BEAT}.x", "io.virge.", "io.virge.stork", "io.virge.stork.recover", "io.virge.x", "io.", "io"),
    *("wamp.session.on_join", "wamp.session.", "wamp.", "crossbar.a.b", "crossbar.a.", "wampum.a.b", "io.virgo.x"),
]


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard", "suffix"])
@pytest.mark.parametrize("topic", SUBSCRIPTIONS)
def test_a_subscription_has_one_answer(guard: GuardAlone, tester: AppTester, topic: str, match: Any) -> None:
    joe = {"session": 1, "authid": "joe", "authrole": "frontend"}
    expected = guard.outcome_of(guard.authorize(joe, topic, "subscribe", {"match": match}))
    client = tester.join("joe")
    assert outcome_in_test(lambda: client.subscribe(topic, match=match)) == expected
    if topic.startswith(("io.", "wamp.", "crossbar.")):
        assert (expected == Outcome()) == ((topic, match) == (uris.BEAT, "exact"))


@pytest.mark.parametrize(("ticket", "session_id"), [("joe", 1), ("root", 2)])
@pytest.mark.parametrize(
    "procedure",
    ["io.example.open", "io.example.checked", "io.example.closed", "io.example.none", uris.GUARD_AUTH, "wamp.a.b", ""],
)
def test_a_call_has_one_answer(
    guard: GuardAlone, tester: AppTester, procedure: str, ticket: str, session_id: int
) -> None:
    details = {"session": session_id, "authid": ticket, "authrole": "frontend"}
    expected = guard.outcome_of(guard.authorize(details, procedure, "call", {}))
    client = tester.join(ticket)
    assert outcome_in_test(lambda: client.call(procedure)) == expected


def test_a_verifier_sees_one_session(guard: GuardAlone, tester: AppTester, seen: list[ClientSession]) -> None:
    joe = {"session": 1, "authid": "joe", "authrole": "frontend", "transport": {"peer": f"tcp4:{PEER}:50000"}}
    del seen[:]
    guard.outcome_of(guard.authorize(joe, "v1.orders.42", "subscribe", {}))
    tester.join("joe", address=PEER).subscribe("v1.orders.42")
    in_node, in_test = seen
    assert replace(in_test, id=1) == in_node
    assert in_node == ClientSession.parse(guard._session(1) or {})
    assert (in_node.realm, in_node.authmethod, in_node.address) == ("realm1", "ticket", PEER)


def limited(limits: ClientLimits, guard: GuardAlone, tickets: list[str]) -> tuple[list[Outcome], Counter[str]]:
    """The outcomes of joins under these limits, and what was counted."""
    bounds = client_limits.bounds()
    before = bounds.counters.limited.copy()
    bounds.set(limits)
    try:
        outcomes = [guard.join(ticket, None, 1000 + number) for number, ticket in enumerate(tickets)]
    finally:
        bounds.set(DEFAULT_LIMITS)
        for number in range(len(tickets)):
            guard.left(1000 + number)
    return outcomes, bounds.counters.limited - before


AGAIN = Outcome(uris.UNAVAILABLE)
"""The client is closed with 1013."""


def test_joins_above_the_limit_of_a_second_come_again_later(guard: GuardAlone) -> None:
    refusals = guard.counters.refusals.copy()
    outcomes, counted = limited(ClientLimits(joins_per_second=2), guard, ["root", "joe", "joe", "root"])
    assert outcomes == [Outcome(), Outcome(), AGAIN, AGAIN]
    assert counted == {"joins_per_second": 2}
    assert guard.counters.refusals - refusals == {"limit": 2}
    # Who has joined notices nothing.
    joe = {"session": 1, "authid": "joe", "authrole": "frontend"}
    assert guard.outcome_of(guard.authorize(joe, "v1.orders.42", "subscribe", {"match": "exact"})) == Outcome()


def test_an_address_that_joins_above_its_share_leaves_the_rest_to_others(guard: GuardAlone) -> None:
    bounds = client_limits.bounds()
    before = bounds.counters.limited.copy()
    bounds.set(ClientLimits(joins_per_second=10, joins_per_second_per_address=2))
    handshake.trust(networks("10.0.0.0/8"))
    hosts = ["192.0.2.1"] * 9 + [
        "192.0.2.2",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "10.0.0.1",
        "10.0.0.1",
        "10.0.0.1",
    ]
    try:
        outcomes = [guard.join("joe", None, 1000 + number, host) for number, host in enumerate(hosts)]
    finally:
        bounds.set(DEFAULT_LIMITS)
        handshake.trust(())
        for number in range(len(hosts)):
            guard.left(1000 + number)
    # An IPv6 household is one address, and a trusted balancer is many.
    here = Outcome()
    assert outcomes == [here] * 2 + [AGAIN] * 7 + [here] + [here, here, AGAIN] + [here] * 3
    assert bounds.counters.limited - before == {"joins_per_second_per_address": 8}


def test_one_address_cannot_hold_all_joins_that_wait(guard: GuardAlone, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[defer.Deferred[Any]] = []

    def hold(*_: Any) -> "defer.Deferred[Any]":
        waiting.append(defer.Deferred())
        return waiting[-1]

    monkeypatch.setattr(guard._joining, "_decide", hold)
    guard._joining.pending = Pending(5, "joins")
    refused: list[str] = []

    def begin(host: str) -> None:
        details = {"ticket": "joe", "session": 1, "transport": {"peer": f"tcp4:{host}:50000"}}
        defer.ensureDeferred(guard.authenticate("realm1", None, details)).addErrback(lambda _: refused.append(host))

    for host in ["192.0.2.1"] * 7 + ["192.0.2.2"] * 2:
        begin(host)
    assert (len(waiting), refused) == (5, ["192.0.2.1"] * 3 + ["192.0.2.2"])
    for each in waiting[:4]:
        each.errback(CallerLeft(""))
    begin("192.0.2.2")
    assert len(waiting) == 6
    for each in waiting[4:]:
        each.errback(CallerLeft(""))
    assert guard.state().pending_joins == 0
    assert guard._joining.pending._of == {}


def test_sessions_of_one_user_are_limited_and_those_of_others_are_not(guard: GuardAlone) -> None:
    for session_id in (100, 101):  # of tests before
        guard.left(session_id)
    # joe has one session from the start.
    outcomes, counted = limited(ClientLimits(sessions_per_user=3), guard, ["joe", "joe", "joe", "root", "joe"])
    assert outcomes == [Outcome(), Outcome(), AGAIN, Outcome(), AGAIN]
    assert counted == {"sessions_per_user": 2}
    assert limited(ClientLimits(sessions_per_user=3), guard, ["joe"])[0] == [Outcome()]
