"""The core of a WAMP session, by its table: every message in every state."""

import json

import pytest

from stork_node.clients.credentials import Credentials
from stork_node.clients.subscribing.endings import Ending
from stork_node.clients.subscribing.session import STEPS, NotWamp, Result, State, WampError, WampSession
from tests.vector_files import cases

MESSAGES = {
    1: [1, "realm1", {}],
    2: [2, 77, {"authid": "joe", "authrole": "frontend"}],
    3: [3, {"message": "no"}, "io.virge.stork.denied"],
    4: [4, "ticket", {}],
    5: [5, "secret", {}],
    6: [6, {}, "wamp.close.normal"],
    8: [8, 48, 9, {}, "a.error"],
    33: [33, 9, 5],
    35: [35, 9],
    36: [36, 5, 1, {}],
    50: [50, 9, {}],
    69: [69, 1, {}],  # of a feature that was not asked for
    99: [99],
}
OF_JOINING = (1, 2, 3, 4, 5)


class Core:
    """A session, with what it sent and told."""

    def __init__(self):
        self.sent, self.told = [], []
        self.session = WampSession("realm1", Credentials("joe", "secret"), self.sent.append, self)

    def hear(self, message):
        self.session.receive(message if isinstance(message, str) else json.dumps(message), 1.0)

    def welcomed(self, now):
        self.told.append("welcomed")

    def ended(self, ending, now):
        self.told.append(ending)

    def event(self, wire_id, value, position, topic):
        self.told.append((wire_id, value, position, topic))

    def revoked(self, wire_id, uri):
        self.told.append((wire_id, uri))


def in_state(state):
    core = Core()
    if state is State.AUTHENTICATING:
        core.hear(MESSAGES[4])
    elif state is not State.JOINING:
        core.hear(MESSAGES[2])
    if state is State.LEAVING:
        core.session.leave()
    elif state is State.ENDED:
        core.hear(MESSAGES[6])
    assert core.session.state is state
    return core


@pytest.mark.parametrize("code", MESSAGES)
@pytest.mark.parametrize("state", State)
def test_a_message_leads_to_the_state_of_the_table_or_nowhere(state, code):
    core = in_state(state)
    if (state, code) in STEPS:
        core.hear(MESSAGES[code])
        assert core.session.state is STEPS[state, code]
        return
    if state in (State.JOINING, State.AUTHENTICATING) or code in OF_JOINING:
        with pytest.raises(NotWamp):
            core.hear(MESSAGES[code])
    else:
        core.told.clear()
        core.hear(MESSAGES[code])
        assert core.told == []
    assert core.session.state is state


@pytest.mark.parametrize("frame", ["", "{", "null", "{}", "[]", '["1"]', "42", "[1.5]", "[true]", "\0", "[" * 200_000])
@pytest.mark.parametrize("state", State)
def test_what_is_no_message_is_not_wamp_in_any_state(state, frame):
    core = in_state(state)
    with pytest.raises(NotWamp):
        core.hear(frame)


def test_it_joins_by_a_challenge_and_knows_who_it_is():
    core = in_state(State.AUTHENTICATING)
    assert core.sent[1:] == [[5, "secret", {}]]
    core.hear(MESSAGES[2])
    assert (core.session.id, core.session.authid, core.session.authrole) == (77, "joe", "frontend")
    assert core.told == ["welcomed"]


@pytest.mark.parametrize("group", ["aborts", "goodbyes"])
def test_an_end_is_told_with_what_to_do(group):
    for case in cases("endings", group):
        core = in_state(State.JOINING if group == "aborts" else State.OPEN)
        core.told.clear()
        core.hear([3 if group == "aborts" else 6, {"message": "said"}, case["uri"]])
        assert core.told == [Ending(case["reason"], case["again"], case["uri"], "said")]


def test_an_answer_finds_its_request_once_and_by_its_kind():
    core, got = in_state(State.OPEN), []

    def answered(value, now):
        got.append(value)

    request = core.session.call("a.b", [1], {"k": 2}, answered, answered)
    assert core.sent[-1] == [48, request, {}, "a.b", [1], {"k": 2}]
    core.hear([33, request, 5])
    core.hear([8, 32, request, {}, "a.error"])
    assert got == []
    core.hear([50, request, {}, [5], {"x": 1}])
    core.hear([50, request, {}, ["again"]])
    other = core.session.call("a.b", [], {}, answered, answered)
    core.hear([8, 48, other, {}, "a.error", ["why", 1], {"k": 2}])
    assert got == [Result([5], {"x": 1}), WampError("a.error", ["why", 1], {"k": 2})]


def test_an_answer_that_nobody_waits_for_is_passed_over():
    core, got = in_state(State.OPEN), []
    core.session.forget(core.session.call("a.b", [], {}, lambda *told: got.append(told), lambda *told: None))
    core.hear([50, 1, {}])
    assert got == []


def test_a_request_that_cannot_be_sent_was_never_made():
    core = in_state(State.OPEN)

    def refuse(message):
        raise TypeError("not JSON")

    core.session._send = refuse
    with pytest.raises(TypeError):
        core.session.call("a.b", [b""], {}, print, print)
    core.session._send = core.sent.append
    assert core.session.call("a.b", [], {}, print, print) == 1
