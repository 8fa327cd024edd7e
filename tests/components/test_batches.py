"""The questions of one turn in one call: both sides, with nothing but Twisted's Clock between them."""

import cbor2
import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet import defer
from twisted.internet.task import Clock

from stork_components.asking.batches import MAX_BATCH_BYTES, Batches, answer_all


class Application:
    """A session whose calls end at ``ask`` below, which answers when told; ``log`` has the calls."""

    def __init__(self, clock):
        self.clock, self.log, self.asked, self.cancelled = clock, [], {}, []

    def call(self, uri, *args, options=None):
        self.log.append((uri, len(args[0]) if uri == "batch" else args))
        if uri == "single":
            return self.ask(*args)
        answers = answer_all(self.ask, args[0], options.on_progress, self.clock)
        call = defer.Deferred(lambda _: self.cancelled.append(uri))
        answers.addBoth(lambda result: None if call.called else call.callback(result))
        return call

    def ask(self, name):
        self.asked[name] = defer.Deferred(lambda _: self.cancelled.append(name))
        return self.asked[name]


class Asking:
    def __init__(self):
        self.clock = Clock()
        self.application = Application(self.clock)
        self.batches = Batches(self.application, self.clock)
        self.outcomes = {}
        self.questions = {}

    def ask(self, *names):
        for name in names:
            self.questions[name] = question = self.batches.call("single", "batch", (name,))
            question.addBoth(
                lambda result, name=name: self.outcomes.__setitem__(name, getattr(result, "value", result))
            )
        self.clock.advance(0)

    def answer(self, name, result):
        self.application.asked[name].callback(result)


@pytest.fixture
def asking():
    return Asking()


def test_questions_of_one_turn_go_in_one_call(asking):
    asking.ask("a", "b", "c")
    asking.ask("d", "e")
    assert asking.application.log == [("batch", 3), ("batch", 2)]
    for name in "abcde":
        asking.answer(name, name.upper())
    assert asking.outcomes == {name: name.upper() for name in "abcde"}


def test_a_lone_question_is_an_ordinary_call(asking):
    asking.ask("a")
    assert asking.application.log == [("single", ("a",))]
    asking.answer("a", {"allow": True})
    assert asking.outcomes == {"a": {"allow": True}}


def test_nobody_waits_for_the_slowest(asking):
    asking.ask("slow", "quick", "quicker")
    asking.answer("quicker", 1)
    asking.answer("quick", 2)
    asking.clock.advance(0)
    assert asking.outcomes == {"quicker": 1, "quick": 2}
    asking.answer("slow", 3)
    assert asking.outcomes == {"quicker": 1, "quick": 2, "slow": 3}


def test_answers_keep_their_questions_whatever_their_order(asking):
    asking.ask("a", "b", "c")
    for name in "cab":
        asking.answer(name, name)
    assert asking.outcomes == {"a": "a", "b": "b", "c": "c"}


@pytest.mark.parametrize(
    ("error", "uri"),
    [(ApplicationError("io.example.oops", "secret"), "io.example.oops"), (ValueError("x"), "wamp.error.runtime_error")],
)
def test_an_error_is_for_its_own_question(asking, error, uri):
    asking.ask("a", "b")
    asking.application.asked["a"].errback(error)
    asking.answer("b", "yes")
    assert (asking.outcomes["a"].error, asking.outcomes["a"].args) == (uri, ())
    assert asking.outcomes["b"] == "yes"


def test_a_question_without_cbor_goes_alone_and_the_others_together(asking):
    asking.ask("a", "\ud800", "b")
    assert asking.application.log == [("single", ("\ud800",)), ("batch", 2)]


def test_an_answer_without_cbor_is_an_error_of_its_own_question(asking):
    asking.ask("a", "b")
    asking.answer("a", "\ud800")
    asking.answer("b", "yes")
    assert asking.outcomes["a"].error == "wamp.error.invalid_payload"
    assert asking.outcomes["b"] == "yes"


def test_the_answer_to_an_abandoned_question_is_dropped_others_are_kept(asking):
    asking.ask("a", "b")
    asking.questions["a"].cancel()
    asking.answer("a", "too late")
    asking.clock.advance(0)
    asking.answer("b", "yes")
    assert isinstance(asking.outcomes["a"], defer.CancelledError)
    assert asking.outcomes["b"] == "yes"


def test_a_call_is_cancelled_with_the_last_of_its_questions(asking):
    asking.ask("a", "b")
    asking.questions["a"].cancel()
    assert asking.application.cancelled == []
    asking.questions["b"].cancel()
    assert asking.application.cancelled == ["batch"]


def test_a_lone_question_that_is_given_up_cancels_its_call(asking):
    asking.ask("a")
    asking.questions["a"].cancel()
    assert asking.application.cancelled == ["a"]


def test_a_question_abandoned_within_its_turn_is_never_asked(asking):
    asking.batches.call("single", "batch", ("a",)).addErrback(lambda _: None).cancel()
    asking.ask("b")
    assert asking.application.log == [("single", ("b",))]


def test_a_call_that_fails_fails_all_that_wait(asking):
    call = defer.Deferred()
    asking.application.call = lambda *_, **__: call
    asking.ask("a", "b")
    call.errback(ApplicationError(ApplicationError.CANCELED, "callee disconnected from in-flight request"))
    assert [asking.outcomes[name].error for name in "ab"] == [ApplicationError.CANCELED] * 2


def test_a_session_that_cannot_call_fails_all_that_wait(asking):
    def call(*_, **__):
        raise RuntimeError("no transport")

    asking.application.call = call
    asking.ask("a", "b")
    asking.ask("c")
    assert [str(asking.outcomes[name]) for name in "abc"] == ["no transport"] * 3


def test_no_call_and_no_result_is_larger_than_a_rawsocket_takes(asking):
    size = MAX_BATCH_BYTES // 4
    names = [letter * size for letter in "abcdefgh"]
    asking.ask("small", *names)
    assert [count for _, count in asking.application.log] == [4, 3, 2]
    sizes = []
    done = answer_all(
        lambda name: name * size,
        [cbor2.dumps((letter,)) for letter in "abcdefgh"],
        lambda answers: sizes.append(sum(len(value) for _, value, _ in answers)),
        asking.clock,
    )
    done.addCallback(lambda answers: sizes.append(sum(len(value) for _, value, _ in answers)))
    assert len(sizes) > 1
    assert max(sizes) <= MAX_BATCH_BYTES
