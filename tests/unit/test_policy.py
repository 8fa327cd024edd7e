"""Decisions on subscriptions and calls: the verifiers to ask, and the combination of their answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node import Deny, Stork, Topic
from stork_node.application.declarations import Handler, SourceLocation
from stork_node.application.feeds import Verifier
from stork_node.application.permission import Permission
from stork_node.application.policy import Checks, Undecided, choose_checks, fold, read_answer
from tests.vector_files import vectors


def owns_order(session, topic): ...
def is_admin(session, topic): ...
def may_greet(session): ...


@pytest.fixture
def declared():
    stork = Stork()
    stork.feed("v1", "test")
    stork.feed("v1", "news", patterns=["prefix"])
    orders = stork.feed("v1", "orders", patterns=("prefix", "wildcard"))
    orders.verify(owns_order, cache_s=60, patterns=True)
    orders.verify("admin")
    orders.verify("admin", cache_s=5)
    stork.verifier("admin", cache_s=30, patterns=True)(is_admin)
    stork.feed("v1", "loose", patterns=["prefix"]).verify(owns_order)
    stork.feed("v1", "typo").verify("admim")
    for uri, allow in {"io.open": True, "io.closed": False, "io.asks": may_greet}.items():
        stork.rpc(uri, allow=allow)(lambda call: None)
    return stork.declared


def functions(checks):
    return [(verifier.handler.function, verifier.cache_s) for verifier in checks.verifiers]


def test_a_feed_without_verifiers_asks_nobody(declared):
    checks = choose_checks(declared, "v1.test.1", "subscribe", {})
    assert checks == Checks((), Topic("v1", "test", "1"))
    assert fold(checks.verifiers, []) == Permission(True, cache_s=0.0)


def test_verifiers_are_asked_in_their_order_and_named_ones_by_their_name(declared):
    checks = choose_checks(declared, "v1.orders.42", "subscribe", {"match": "exact"})
    assert functions(checks) == [(owns_order, 60.0), (is_admin, 30.0), (is_admin, 5.0)]
    assert checks.topic == Topic("v1", "orders", "42")


@pytest.mark.parametrize(
    ("uri", "match", "feed_id"),
    [("v1.orders.4", "prefix", "4"), ("v1.orders.", "prefix", ""), ("v1.orders.", "wildcard", "")],
)
def test_a_pattern_is_asked_about_where_the_feed_has_it(declared, uri, match, feed_id):
    checks = choose_checks(declared, uri, "subscribe", {"match": match})
    assert checks.topic == Topic("v1", "orders", feed_id, match)
    assert len(checks.verifiers) == 3


@pytest.mark.parametrize(
    ("uri", "options", "reason"),
    [
        ("v1.nope.1", {}, "feed v1.nope is not declared"),
        ("v2.test.1", {}, "feed v2.test is not declared"),
        ("v1.test", {}, "'v1.test' is not a topic: 2 parts where version.feed.id has 3"),
        ("wamp.session.on_join", {}, "feed wamp.session is not declared"),
        ("v1.test.1", {"match": "regex"}, "match 'regex' is none of exact, prefix, wildcard"),
        ("v1.test.1", {"match": ["exact"]}, "match ['exact'] is none of exact, prefix, wildcard"),
        ("v1.typo.1", {}, "feed v1.typo asks the verifier 'admim', which is not declared"),
    ],
)
def test_a_subscription_is_refused_unasked(declared, uri, options, reason):
    assert choose_checks(declared, uri, "subscribe", options) == Deny(reason)


@vectors("topics", "asked")
def test_a_feed_and_its_verifiers_say_which_patterns_are_asked_about(case):
    stork = Stork()
    orders = stork.feed("v1", "orders", patterns=case["patterns"])
    if case["verifier_knows_patterns"] is not None:
        orders.verify(owns_order, patterns=case["verifier_knows_patterns"])
    checks = choose_checks(stork.declared, case["uri"], "subscribe", {"match": case["match"]})
    if case["reason"]:
        assert checks == Deny(case["reason"])
    else:
        assert checks.topic == Topic.parse_pattern(case["uri"], case["match"])


@pytest.mark.parametrize("options", [{}, {"match": None}, {"match": "exact", "get_retained": True}])
def test_a_subscription_is_exact_unless_it_says_otherwise(declared, options):
    assert choose_checks(declared, "v1.test.1", "subscribe", options) == Checks((), Topic("v1", "test", "1"))


@pytest.mark.parametrize("action", ["publish", "register", "", "SUBSCRIBE", "unsubscribe"])
def test_every_other_action_is_refused(declared, action):
    for uri in ("v1.test.1", "io.open"):
        assert choose_checks(declared, uri, action, {}) == Deny(f"no application allows a client to {action}")


def test_a_procedure_is_open_closed_or_asks(declared):
    assert choose_checks(declared, "io.open", "call", {}) == Checks(())
    closed = Deny("procedure io.closed is not for clients (allow is False)")
    assert choose_checks(declared, "io.closed", "call", {}) == closed
    assert choose_checks(declared, "io.none", "call", {}) == Deny("procedure io.none is not declared")
    checks = choose_checks(declared, "io.asks", "call", {})
    assert (functions(checks), checks.topic) == ([(may_greet, 0.0)], None)


@given(st.text() | st.sampled_from(["v1.test.", "v1.orders.4", "io.open."]), st.sampled_from(["prefix", "wildcard"]))
def test_nothing_is_declared_means_nothing_is_allowed(uri, match):
    empty = Stork().declared
    for action in ("subscribe", "call", "publish", "register"):
        for options in ({}, {"match": match}):
            try:
                assert isinstance(choose_checks(empty, uri, action, options), Deny)
            except Undecided:
                assert action == "subscribe"


@pytest.mark.parametrize("answer", [True, False, Deny("no")])
def test_true_false_and_deny_are_answers(answer):
    assert read_answer(answer) is answer


@pytest.mark.parametrize("answer", [None, 1, 0, "yes", [], {"allow": True}, object(), Deny])
def test_nothing_else_is_an_answer(answer):
    with pytest.raises(TypeError) as refused:
        read_answer(answer)
    name = type(answer).__name__
    assert str(refused.value) == f"answered with a value of type {name}, want True, False or Deny(…)"


def verifier(cache_s, function=owns_order):
    return Verifier(Handler("verifier", function, SourceLocation("app.py", 1)), cache_s)


@pytest.mark.parametrize(
    ("cache_s", "answers", "decision"),
    [
        ((), [], Permission(True, 0.0)),
        ((60,), [True], Permission(True, 60)),
        ((60, 5), [True, True], Permission(True, 5)),
        ((60, 0), [True, True], Permission(True, 0)),
        ((60,), [False], Permission(False, 60, "verifier owns_order said no")),
        ((60,), [Deny()], Permission(False, 60, "verifier owns_order said no")),
        ((60, 0), [Deny("not yours")], Permission(False, 60, "not yours")),
        ((60, 5, 1), [True, Deny("not yours")], Permission(False, 5, "not yours")),
    ],
)
def test_answers_come_to_the_first_refusal_or_yes_for_the_shortest_time(cache_s, answers, decision):
    assert fold([verifier(seconds) for seconds in cache_s], answers) == decision


@pytest.mark.parametrize("answers", [[], [True]])
def test_answers_that_are_missing_are_no_yes(answers):
    with pytest.raises(ValueError, match="of 2 verifiers, none of which refuses"):
        fold([verifier(0), verifier(0)], answers)


@given(st.lists(st.booleans()), st.lists(st.floats(0, 1e6), min_size=20))
def test_one_refusal_among_any_answers_is_a_refusal(answers, seconds):
    answers = answers[:20]
    decision = fold([verifier(s) for s in seconds[: len(answers)]], answers)
    assert decision.allow is all(answers)
