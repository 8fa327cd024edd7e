from twisted.internet import defer

from tests.components.fake_session import FakeSession


def test_a_call_waits_for_its_answer_and_can_be_cancelled():
    session = FakeSession()
    outcome = []
    session.call("a.b", 1, 2).addBoth(outcome.append)
    [call] = session.calls
    assert (call.uri, call.args, outcome) == ("a.b", (1, 2), [])
    call.answer.callback("yes")
    assert outcome == ["yes"]
    cancelled = session.call("a.c")
    cancelled.addErrback(lambda failure: failure.trap(defer.CancelledError))
    cancelled.cancel()
    assert session.calls[1].cancelled


def test_events_reach_the_handlers_of_their_topic_alone():
    session = FakeSession()
    got = []
    session.subscribe(lambda *args: got.append(args), "a")
    session.emit("a", 1)
    session.emit("b", 2)
    assert got == [(1,)]


def test_registrations_are_looked_up_where_a_test_has_put_them():
    session = FakeSession()
    session.registered["a"] = 1
    assert [session.call("wamp.registration.lookup", uri).result for uri in ("a", "b")] == [1, None]
    assert session.calls == []
