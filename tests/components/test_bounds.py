"""How connections end and how calls are kept, on Crossbar's own classes; each test has a process of its own."""

import pytest

CONNECTION = """
from types import SimpleNamespace
from autobahn.wamp import message
from autobahn.wamp.serializer import JsonSerializer
from crossbar.router.protocol import WampWebSocketServerProtocol
from twisted.internet import defer
from twisted.internet.task import Clock
from stork_crossbar.connections import endings

clock, did = Clock(), []
endings.broadcasting.descriptor = lambda protocol: protocol.transport
endings.broadcasting.abort = lambda protocol, descriptor: did.append("abort")
endings.end_for_good(clock)

class Transport:
    def write(self, data):
        did.append("write")
    def loseConnection(self):
        did.append("lose")
    def abortConnection(self):
        did.append("abort")
    def unregisterProducer(self):
        pass

heard = []
protocol = WampWebSocketServerProtocol()
protocol.factory = SimpleNamespace(isServer=True)
protocol.transport, protocol.peer = Transport(), "test"
protocol.trafficStats, protocol.trackedTimings = SimpleNamespace(
    outgoingWebSocketFrames=0, outgoingWebSocketMessages=0, outgoingOctetsAppLevel=0, outgoingOctetsWebSocketLevel=0,
    outgoingOctetsWireLevel=0,
), None
protocol._session = SimpleNamespace(_authid=None, _session_id=1, onClose=lambda clean: did.append("closed"))
protocol._serializer, protocol._perMessageCompress = JsonSerializer(), None
protocol.send_queue, protocol.logFrames, protocol.logOctets = [], False, False
protocol.autoFragmentSize = protocol.maxMessagePayloadSize = protocol.closeHandshakeTimeout = 0
protocol.maskServerFrames = protocol.failedByMe = protocol.wasClean = False
protocol.state = protocol.STATE_OPEN
published = message.Published(1, 2)
"""


@pytest.mark.parametrize(
    "end",
    [
        "protocol.sendCloseFrame(code=1013, reasonUtf8=b'try again later')",
        "protocol.sendClose(4001, 'over')",
        "protocol.close()",
        "protocol.send(message.Abort('a.b.c'))",
        "protocol.send(message.Goodbye('a.b.c'))",
    ],
)
def test_a_connection_is_silent_after_its_close_frame_and_cut_after_2_s(run_script, end):
    script = f"""
protocol.send(published)
{end}
did.clear()
protocol.send(published)
protocol.sendPong(b"x")
print(did, protocol.failedByMe, endings.is_ending(protocol))
clock.advance(1.9)
print(did)
clock.advance(0.1)
print(did)
"""
    assert run_script(CONNECTION + script) == "[] True True\n[]\n['abort']"


def test_a_connection_that_is_lost_before_has_no_timer_left(run_script):
    script = """
protocol.sendClose(4001, "over")
protocol._connectionLost = lambda reason: did.append("lost")
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
protocol.connectionLost(Failure(ConnectionDone()))
print(did[-1], clock.getDelayedCalls())
"""
    assert run_script(CONNECTION + script) == "lost []"


def test_a_connection_that_waits_for_its_buffer_to_be_read_is_cut_as_well(run_script):
    script = """
protocol.dropConnection(abort=False)
print(did)
clock.advance(2)
print(did)
"""
    assert (
        run_script(CONNECTION.replace("wasClean = False", "wasClean = True") + script) == "['lose']\n['lose', 'abort']"
    )


def test_where_autobahn_closes_in_another_way_the_router_does_not_start(run_script):
    script = """
from autobahn.websocket.protocol import WebSocketProtocol
from stork_crossbar.connections import bounds
WebSocketProtocol.consumeData = lambda self, more: None
class End(Exception):
    pass
def end(sentence):
    raise End(sentence)
bounds.end_worker = end
try:
    bounds.keep_in_bounds(None)
except End as end:
    print(end)
"""
    assert run_script("from twisted.internet import reactor\n" + script.replace("(None)", "(reactor)")) == (
        "clients cannot be kept in bounds with this Crossbar and autobahn: <lambda> takes other parameters"
    )


DEALER = """
from autobahn.wamp import message
from crossbar.router.dealer import RegistrationExtra
from stork_crossbar.personality.dealing import StorkDealer

sent = []
class Session:
    _authid = _realm = None
    def __init__(self, number):
        self._session_id, self._authrole, self._transport, self._session_roles = number, "frontend", self, {}
    def send(self, said):
        sent.append((self._session_id, type(said).__name__))

class Router:
    _store = _realm = None
    is_traced = False
    def validate(self, *args, **options):
        pass
    def send(self, session, said):
        session.send(said)

timers = []
class Timers:
    def call_later(self, time_s, function, *args):
        timers.append((function, args))
        return self
    def cancel(self):
        pass

dealer = StorkDealer(Router(), None)
dealer._cancel_timers = Timers()
callers, callee = [Session(n) for n in range(3)], Session(99)
for session in (*callers, callee):
    dealer.attach(session)
registration, _, _ = dealer._registration_map.add_observer(callee, "a.b.c", extra=RegistrationExtra())
dealer._session_to_registrations[callee].add(registration)

def call(caller, request, **options):
    dealer._call(caller, message.Call(request, "a.b.c", **options), registration, {})

def in_flight():
    return [len(calls) for calls in (
        dealer._invocations, dealer._invocations_by_call, dealer._caller_to_invocations, dealer._callee_to_invocations
    )]
"""


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_who_cancels_and_leaves_leaves_nothing_behind(run_script, mode):
    script = f"""
for caller in callers:
    call(caller, 1)
    call(caller, 2)
dealer.processCancel(callers[0], message.Cancel(1, "{mode}"))
dealer.detach(callers[0])
for number in list(dealer._invocations):
    dealer.processYield(callee, message.Yield(number))
print(in_flight())
"""
    assert run_script(DEALER + script) == "[0, 0, 0, 0]"


def test_a_callee_that_leaves_leaves_no_calls_behind(run_script):
    script = """
for caller in callers:
    call(caller, 1)
dealer.processCancel(callers[0], message.Cancel(1, "skip"))
dealer.detach(callers[0])
dealer.detach(callee)
print(in_flight(), dealer._registration_map._observation_id_to_observation)
"""
    assert run_script(DEALER + script) == "[0, 0, 0, 0] {}"


def test_a_cancelled_call_is_answered_once_when_its_callee_leaves(run_script):
    script = """
call(callers[0], 1)
call(callers[1], 1)
dealer.processCancel(callers[0], message.Cancel(1, "skip"))
dealer.detach(callee)
print([each for each in sent if each[1] == "Error"], in_flight())
"""
    assert run_script(DEALER + script) == "[(0, 'Error'), (1, 'Error')] [0, 0, 0, 0]"


def test_two_calls_with_one_id_end_both(run_script):
    script = """
call(callers[0], 1)
call(callers[0], 1)
for number in list(dealer._invocations):
    dealer.processYield(callee, message.Yield(number))
print(in_flight())
"""
    assert run_script(DEALER + script) == "[0, 0, 0, 0]"


def test_a_call_whose_time_is_over_is_in_flight_until_its_callee_is_done(run_script):
    script = """
call(callers[0], 1, timeout=1)
[(expire, args)] = timers
expire(*args)
print(sent, in_flight()[0])
dealer.processYield(callee, message.Yield(1))
print(len(sent), in_flight())
"""
    assert run_script(DEALER + script) == "[(99, 'Invocation'), (0, 'Error')] 1\n2 [0, 0, 0, 0]"


CANCELLABLE = """
from types import SimpleNamespace
from stork_crossbar.limits.session_limits import calls_of_gone_sessions
callee._session_roles = {"callee": SimpleNamespace(call_canceling=True)}
for caller in callers:
    caller._authid = "joe"
"""


def test_calls_of_a_gone_session_count_for_its_user_until_they_end(run_script):
    script = """
call(callers[0], 1)
call(callers[0], 2)
sent.clear()
dealer.detach(callers[0])
callers[0]._authid = None
print(sent, calls_of_gone_sessions.count(callers[1]), in_flight())
dealer.processYield(callee, message.Yield(1))
dealer.processInvocationError(callee, message.Error(68, 2, "wamp.error.canceled"))
print(calls_of_gone_sessions.count(callers[1]), in_flight(), len(sent))
"""
    assert run_script(DEALER + CANCELLABLE + script) == (
        "[(99, 'Interrupt'), (99, 'Interrupt')] 2 [2, 0, 0, 1]\n0 [0, 0, 0, 0] 2"
    )


def test_calls_of_who_has_left_end_with_their_callee(run_script):
    script = """
call(callers[0], 1)
dealer.detach(callers[0])
dealer.detach(callee)
print(calls_of_gone_sessions.count(callers[1]), in_flight())
"""
    assert run_script(DEALER + CANCELLABLE + script) == "0 [0, 0, 0, 0]"


def test_a_call_of_who_left_while_it_was_decided_is_not_made(run_script):
    script = """
dealer.detach(callers[0])
call(callers[0], 1)
print(sent, in_flight())
"""
    assert run_script(DEALER + script) == "[] [0, 0, 0, 0]"


def test_a_call_that_is_cancelled_while_it_is_decided_is_not_made(run_script):
    script = """
from twisted.internet import defer
from stork_crossbar.limits.session_limits import count_undecided
count_undecided(callers[0], "call", defer.Deferred())
dealer.processCancel(callers[0], message.Cancel(1))
dealer.processCancel(callers[0], message.Cancel(2))
call(callers[0], 1)
call(callers[0], 2)
print(sent)
"""
    assert run_script(DEALER + script) == "[(0, 'Error'), (99, 'Invocation')]"


def test_a_connection_that_is_held_up_is_forgiven_no_pong_for_long(run_script):
    script = """
from types import SimpleNamespace
from stork_crossbar.connections.frame_reading import _Forgiven
held = SimpleNamespace(autoPingInterval=20, autoPingTimeout=20)
forgiven = _Forgiven(40.0)
print([forgiven.again(now, held) for now in (40.0, 80.0, 120.0, 160.0)])
print(forgiven.again(1000.0, held))
"""
    assert run_script(script) == "[True, True, True, False]\nTrue"


def test_a_subscription_that_is_gone_is_forgotten(run_script):
    script = """
from stork_crossbar.personality.broker import SelfCleaningUriMap
observations = SelfCleaningUriMap()
for number in range(3):
    subscription, _, _ = observations.add_observer(1, f"a.b.{number}")
    observations.drop_observer(1, subscription)
    observations.delete_observation(subscription)
print(observations._observation_id_to_observation, observations.match_observations("a.b.1"))
"""
    assert run_script(script) == "{} []"
