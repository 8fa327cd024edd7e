"""Asking the application, with a fake session and Twisted's Clock: what the real parts cannot show on time."""

import pytest
from autobahn.wamp.exception import ApplicationError
from twisted.internet import defer
from twisted.internet.task import Clock

from stork_components.asking.application_client import ApplicationClient, CallerLeft, NotAsked, Request, Unavailable
from stork_components.asking.registrations import COMPARE_S, Registrations
from stork_components.asking.verdicts import Verdicts
from stork_node.application.permission import Permission
from stork_node.guard.counters import GuardCounters
from stork_node.protocol import uris
from tests.components.fake_session import FakeSession

APP, BACKEND = "app", "backend"
QUESTION = Request(APP, ("joe",), BACKEND, ("jack",))


class Asking:
    def __init__(self, is_embedded: bool) -> None:
        self.clock = Clock()
        self.session = FakeSession()
        self.registrations = Registrations(self.clock, [APP, BACKEND])
        self.client = ApplicationClient(
            self.session, self.registrations, self.clock, application_timeout_s=5.0, starting_timeout_s=10.0
        )
        look_up = self.session.registered.get if is_embedded else None
        watching = defer.ensureDeferred(self.registrations.watch(self.session, look_up))
        assert watching.called

    def ask(self, question=QUESTION):
        outcome = []
        defer.ensureDeferred(self.client.ask(question)).addCallbacks(outcome.append, lambda f: outcome.append(f.value))
        return outcome

    def register(self, uri, registration=1):
        self.session.registered[uri] = registration
        self.session.emit("wamp.registration.on_create", 7, {"id": registration, "uri": uri})

    def unregister(self, registration=1):
        self.forget(registration)
        self.session.emit("wamp.registration.on_delete", 7, registration)

    def forget(self, registration=1):
        """The router drops it, and publishes no event."""
        registered = self.session.registered
        for uri in [uri for uri, known in registered.items() if known == registration]:
            del registered[uri]


@pytest.fixture(params=[True, False], ids=["looked up in the router", "looked up by calls"])
def asking(request):
    return Asking(request.param)


def test_the_application_answers(asking):
    asking.register(APP)
    outcome = asking.ask()
    [call] = asking.session.calls
    assert (call.uri, call.args) == (APP, ("joe",))
    call.answer.callback("yes")
    assert outcome == [(APP, "yes")]
    assert asking.clock.getDelayedCalls() == []


def test_a_backend_is_asked_wherever_it_is_registered(asking):
    asking.register(APP, 1)
    asking.register(BACKEND, 2)
    asking.ask()
    assert [(call.uri, call.args) for call in asking.session.calls] == [(BACKEND, ("jack",))]
    asking.unregister(2)
    asking.ask()
    assert asking.session.calls[-1].uri == APP


def test_an_application_that_is_starting_is_waited_for(asking):
    outcome = asking.ask()
    asking.clock.advance(9.9)
    assert outcome == []
    asking.register(APP)
    asking.session.calls[0].answer.callback("yes")
    assert outcome == [(APP, "yes")]


def test_no_application_within_its_time_is_unavailable(asking):
    outcome = asking.ask()
    asking.clock.advance(10.0)
    assert [str(each) for each in outcome] == ["nobody registered app within 10 s"]
    assert isinstance(outcome[0], Unavailable)


def test_an_answer_that_takes_too_long_is_unavailable_and_cancelled(asking):
    asking.register(APP)
    outcome = asking.ask()
    asking.clock.advance(5.0)
    assert asking.session.calls[0].cancelled
    assert [str(each) for each in outcome] == ["app took longer than 5 s"]


REPEATED = Request(APP, ("joe",), repeats="joe's question")


def test_a_late_answer_serves_who_asks_again(asking):
    asking.register(APP)
    outcome = asking.ask(REPEATED)
    asking.clock.advance(5.0)
    [call] = asking.session.calls
    assert not call.cancelled
    assert [str(each) for each in outcome] == ["app took longer than 5 s"]
    again = asking.ask(REPEATED)
    asking.clock.advance(1.0)
    call.answer.callback("yes")
    assert again == [(APP, "yes")]
    assert len(asking.session.calls) == 1
    asking.ask(REPEATED)
    assert len(asking.session.calls) == 2


def test_who_asks_again_waits_no_longer_than_the_first(asking):
    asking.register(APP)
    asking.ask(REPEATED)
    asking.clock.advance(5.0)
    again = asking.ask(REPEATED)
    asking.clock.advance(5.0)
    assert [str(each) for each in again] == ["app took longer than 5 s"]


def test_a_late_answer_from_before_somebody_registered_serves_nobody(asking):
    asking.register(APP)
    asking.ask(REPEATED)
    asking.clock.advance(5.0)
    asking.client.forget()
    assert asking.session.calls[0].cancelled
    asking.ask(REPEATED)
    assert len(asking.session.calls) == 2


def test_a_question_with_which_the_application_did_not_begin_was_not_asked(asking):
    asking.register(APP)
    outcome = asking.ask(REPEATED)
    asking.session.calls[0].answer.errback(ApplicationError("io.virge.stork.error.not_begun", "left"))
    assert isinstance(outcome[0], NotAsked)


def test_a_callee_that_vanishes_in_the_middle_means_ask_again(asking):
    asking.register(APP, 1)
    outcome = asking.ask()
    asking.session.calls[0].answer.errback(ApplicationError(ApplicationError.CANCELED, "callee disconnected"))
    asking.unregister(1)
    assert outcome == []
    asking.register(APP, 2)
    asking.session.calls[1].answer.callback("yes")
    assert outcome == [(APP, "yes")]


def test_the_application_is_asked_when_a_backend_vanishes_meanwhile(asking):
    asking.register(APP, 1)
    asking.register(BACKEND, 2)
    outcome = asking.ask()
    asking.session.calls[0].answer.errback(ApplicationError(ApplicationError.CANCELED, "callee disconnected"))
    asking.unregister(2)
    assert asking.session.calls[1].uri == APP
    asking.session.calls[1].answer.callback("yes")
    assert outcome == [(APP, "yes")]


def test_the_other_callees_are_asked_again_when_one_vanishes(asking):
    asking.register(APP)
    asking.ask()
    asking.session.calls[0].answer.errback(ApplicationError(ApplicationError.CANCELED, "callee disconnected"))
    asking.clock.advance(0.05)
    assert len(asking.session.calls) == 2


def test_a_backend_of_whose_end_no_event_told_is_not_asked_a_second_time(asking):
    asking.register(APP, 1)
    asking.register(BACKEND, 2)
    asking.forget(2)
    outcome = asking.ask()
    if asking.session.calls[0].uri == BACKEND:
        error = ApplicationError(ApplicationError.NO_SUCH_PROCEDURE, "no callee")
        asking.session.calls[0].answer.errback(error)
    asking.session.calls[-1].answer.callback("yes")
    assert outcome == [(APP, "yes")]
    asking.ask()
    assert asking.session.calls[-1].uri == APP


class Passing(Asking):
    """A backend that was asked once, and was silent."""

    def __init__(self) -> None:
        super().__init__(is_embedded=True)
        self.register(APP, 1)
        self.register(BACKEND, 2)
        self.first = self.ask()
        self.clock.advance(5.0)

    @property
    def asked(self) -> list[str]:
        return [call.uri for call in self.session.calls]

    def answer_last(self, uri):
        call = [call for call in self.session.calls if call.uri == uri][-1]
        call.answer.callback("yes")


def test_a_silent_backend_is_passed_over_after_one_time_out():
    passing = Passing()
    # Beside the application, another callee of the backend's registration is asked.
    assert passing.asked == [BACKEND, BACKEND, APP]
    passing.answer_last(APP)
    assert passing.first == [(APP, "yes")]
    for _ in range(3):
        outcome = passing.ask()
        passing.answer_last(APP)
        assert outcome == [(APP, "yes")]
    assert passing.asked == [BACKEND, BACKEND, APP, APP, APP, APP]
    assert passing.client.passes_over(BACKEND)


def test_a_silent_backend_is_asked_again_and_nobody_waits_for_it():
    passing = Passing()
    passing.clock.advance(10.0)
    passing.ask()
    assert passing.asked[-2:] == [BACKEND, APP]
    calls = [call for call in passing.session.calls if call.uri == BACKEND]
    assert [call.cancelled for call in calls] == [True, False, False]
    passing.answer_last(BACKEND)
    assert not passing.client.passes_over(BACKEND)
    passing.ask()
    assert passing.asked[-1] == BACKEND


@pytest.mark.parametrize("number", [0, 1], ids=["to the first question", "to the second"])
def test_any_late_answer_of_a_backend_ends_that(number):
    passing = Passing()
    error = ApplicationError("php.error")
    [call for call in passing.session.calls if call.uri == BACKEND][number].answer.errback(error)
    assert not passing.client.passes_over(BACKEND)
    outcome = passing.ask()
    passing.answer_last(BACKEND)
    assert outcome == [(BACKEND, "yes")]


def test_a_new_registration_ends_that():
    passing = Passing()
    passing.client.callees_changed()
    passing.ask()
    assert passing.asked[-1] == BACKEND


def test_without_an_application_a_silent_backend_is_unavailable_at_once():
    asking = Asking(is_embedded=True)
    asking.register(BACKEND, 2)
    question = Request("", (), BACKEND, ("jack",))
    outcome = asking.ask(question)
    asking.clock.advance(5.0)
    again = asking.ask(question)
    assert [str(each) for each in (*outcome, *again)] == ["the backend of backend does not answer"] * 2


def test_a_backend_that_has_answered_others_meanwhile_is_not_silent():
    asking = Asking(is_embedded=True)
    asking.register(APP, 1)
    asking.register(BACKEND, 2)
    outcome = asking.ask()
    asking.clock.advance(1.0)
    asking.ask()
    asking.session.calls[1].answer.callback("yes")
    asking.clock.advance(4.0)
    assert [str(each) for each in outcome] == ["backend took longer than 5 s"]
    assert asking.session.calls[0].cancelled
    assert not asking.client.passes_over(BACKEND)


@pytest.mark.parametrize("left", ["wamp.session.on_leave", "wamp.registration.on_unregister"])
def test_what_is_registered_is_compared_when_somebody_leaves(asking, left):
    asking.register(APP, 1)
    asking.forget(1)
    asking.session.emit(left, 7, 8)
    assert not asking.registrations.has(APP)


def test_an_event_about_the_end_of_what_is_still_there_changes_nothing(asking):
    asking.register(BACKEND, 2)
    asking.session.emit("wamp.registration.on_delete", 7, 2)
    asking.ask()
    assert asking.session.calls[-1].uri == BACKEND


def test_who_waits_finds_what_no_event_told_of(asking):
    outcome = asking.ask()
    asking.session.registered[APP] = 1
    asking.clock.advance(COMPARE_S)
    asking.session.calls[0].answer.callback("yes")
    assert outcome == [(APP, "yes")]
    assert asking.clock.getDelayedCalls() == []


def test_the_state_is_compared_when_it_is_asked_for(asking):
    asking.register(APP, 1)
    asking.forget(1)
    asking.registrations.compare()
    assert not asking.registrations.has(APP)


def test_an_application_that_keeps_vanishing_is_unavailable_in_the_end(asking):
    asking.register(APP)
    outcome = asking.ask()
    for _ in range(1000):
        if outcome:
            break
        asking.session.calls[-1].answer.errback(ApplicationError(ApplicationError.CANCELED, "gone"))
        asking.clock.advance(0.05)
    assert isinstance(outcome[0], Unavailable)


def test_an_error_of_the_application_is_unavailable_and_says_which(asking):
    asking.register(APP)
    outcome = asking.ask()
    asking.session.calls[0].answer.errback(ApplicationError("io.example.oops", "secret text"))
    assert [str(each) for each in outcome] == ["app raised io.example.oops"]


def undecided():
    return ApplicationError(uris.UNDECIDED, "the application declares no feed")


def test_a_backend_that_comes_decides_what_the_application_left_to_it(asking):
    asking.register(APP, 1)
    outcome = asking.ask()
    asking.session.calls[0].answer.errback(undecided())
    assert outcome == []
    asking.register(BACKEND, 2)
    assert asking.session.calls[1].uri == BACKEND
    asking.session.calls[1].answer.callback("yes")
    assert outcome == [(BACKEND, "yes")]


def test_a_backend_that_does_not_come_is_missed_by_its_name(asking):
    asking.register(APP, 1)
    outcome = asking.ask()
    asking.session.calls[0].answer.errback(undecided())
    asking.clock.advance(10.0)
    assert [str(each) for each in outcome] == ["nobody registered backend within 10 s"]
    assert isinstance(outcome[0], Unavailable)


def test_the_application_is_not_asked_what_backends_alone_decide(asking):
    asking.register(APP, 1)
    outcome = asking.ask(Request("", (), BACKEND, ("jack",)))
    asking.clock.advance(10.0)
    assert asking.session.calls == []
    assert [str(each) for each in outcome] == ["nobody registered backend within 10 s"]


def test_a_session_that_is_gone_is_unavailable(asking):
    asking.register(APP)
    outcome = asking.ask()
    asking.session.calls[0].answer.errback(RuntimeError("no transport"))
    assert isinstance(outcome[0], Unavailable)


class Gathering:
    """Counts how often it is asked, and answers when told."""

    def __init__(self) -> None:
        self.answers = []

    def __call__(self):
        self.answers.append(defer.Deferred())
        return self.answers[-1]


def get(verdicts, key, ask):
    outcome = []
    defer.ensureDeferred(verdicts.get(key, ask)).addCallbacks(outcome.append, lambda f: outcome.append(f.value))
    return outcome


def test_equal_questions_at_the_same_time_are_asked_once():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    outcomes = [get(verdicts, "joe", ask) for _ in range(5)]
    other = get(verdicts, "jack", ask)
    assert len(ask.answers) == 2
    ask.answers[0].callback(Permission(True))
    assert outcomes == [[Permission(True)]] * 5
    assert other == []


def test_a_verdict_is_asked_for_again_when_its_time_is_over():
    clock = Clock()
    verdicts, ask = Verdicts(clock, 10, GuardCounters()), Gathering()
    get(verdicts, "joe", ask)
    ask.answers[0].callback(Permission(True, cache_s=60.0))
    assert get(verdicts, "joe", ask) == [Permission(True, cache_s=60.0)]
    clock.advance(60.0)
    assert get(verdicts, "joe", ask) == []
    assert len(ask.answers) == 2


def test_a_failure_goes_to_everyone_who_waits_and_is_not_remembered():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    outcomes = [get(verdicts, "joe", ask) for _ in range(2)]
    error = ApplicationError("io.virge.stork.unavailable")
    ask.answers[0].errback(error)
    assert outcomes == [[error], [error]]
    get(verdicts, "joe", ask)
    assert len(ask.answers) == 2


def test_when_who_asked_has_left_the_others_ask_for_themselves():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    outcomes = [get(verdicts, "joe", ask) for _ in range(3)]
    ask.answers[0].errback(CallerLeft("gone"))
    assert isinstance(outcomes[0][0], CallerLeft)
    assert len(ask.answers) == 2
    ask.answers[1].callback(Permission(True))
    assert outcomes[1:] == [[Permission(True)]] * 2


def test_nothing_is_remembered_from_before_somebody_registered():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    get(verdicts, "known", ask)
    ask.answers[0].callback(Permission(True, cache_s=60.0))
    get(verdicts, "asked for", ask)
    verdicts.forget()
    ask.answers[1].callback(Permission(True, cache_s=60.0))
    for key in ("known", "asked for"):
        get(verdicts, key, ask)
    assert len(ask.answers) == 4


def test_each_registration_is_told_the_first_and_one_more():
    told = []
    session = FakeSession()
    registrations = Registrations(Clock(), [APP], registered=lambda: told.append(1))
    defer.ensureDeferred(registrations.watch(session))
    session.registered[APP] = 1
    session.emit("wamp.registration.on_create", 7, {"id": 1, "uri": APP})
    session.emit("wamp.registration.on_register", 7, 1)
    session.emit("wamp.registration.on_register", 8, 1)
    session.emit("wamp.registration.on_register", 8, 99)
    assert len(told) == 2


def test_an_answer_that_a_command_names_is_forgotten_and_no_other():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    for number, key in enumerate(("joe", "jack")):
        get(verdicts, key, ask)
        ask.answers[number].callback(Permission(True, cache_s=60.0))
    assert verdicts.drop(lambda key: key == "joe") == 1
    assert get(verdicts, "jack", ask) == [Permission(True, cache_s=60.0)]
    assert get(verdicts, "joe", ask) == []


def test_a_question_that_a_command_names_is_asked_again_by_each():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    before = [get(verdicts, "joe", ask) for _ in range(2)]
    verdicts.drop(lambda key: key == "joe")
    after = get(verdicts, "joe", ask)
    assert len(ask.answers) == 2  # the later request joins none from before the command
    ask.answers[0].callback(Permission(True, cache_s=60.0))
    assert before == [[], []]
    assert len(ask.answers) == 2  # … and those from before join the later one
    ask.answers[1].callback(Permission(False))
    assert [*before, after] == [[Permission(False)]] * 3


def test_a_question_that_a_command_names_may_fail():
    verdicts, ask = Verdicts(Clock(), 10, GuardCounters()), Gathering()
    before = get(verdicts, "joe", ask)
    verdicts.drop(lambda key: True)
    after = get(verdicts, "joe", ask)
    ask.answers[0].errback(ValueError("no"))
    assert [type(outcome) for outcome in before] == [ValueError]
    ask.answers[1].callback(Permission(True))
    assert after == [Permission(True)]
