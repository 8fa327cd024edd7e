"""One visitor with slow handlers, and the calls that it leaves behind, do not affect others."""

import subprocess

import pytest

from tests.gateway import Deployment, wait_for
from tests.wamp import CALL, Closed, Refused

pytestmark = pytest.mark.alone

CANCEL, ERROR, SUBSCRIBE = 49, 8, 32
THREADS, SHARE = 8, 7
CALLS = 20

APP = """
import asyncio
import os
import subprocess
import threading
import time

from stork_node import Principal, Stork

stork = Stork()
hold = threading.Event()
hold.set()
begun, running = {}, {}


def note(what, change=1):
    running[what] = running.get(what, 0) + change
    if change > 0:
        begun[what] = begun.get(what, 0) + 1


def held(what):
    note(what)
    hold.wait(60)
    note(what, -1)


@stork.authenticator
def check_ticket(request):
    name, _, is_slow = request.ticket.partition(":")
    if is_slow:
        held("join " + name)
    return Principal(authid=name)


slow = stork.feed("v1", "slow")
stork.feed("v1", "open")


@slow.verify
def verify(session, topic):
    held(f"verify {session.authid} {topic.feed_id}")
    return True


@stork.rpc("test.set", allow=True)
async def set_hold(call):
    hold.clear() if call.args[0] else hold.set()


@stork.rpc("test.figures", allow=True)
async def figures(call):
    return [begun, running]


@stork.rpc("test.held", allow=True)
def held_call(call):
    held("call " + call.session.authid)
    return "done"


@stork.rpc("test.waits", allow=True)
async def waits(call):
    note("waits")
    try:
        await asyncio.sleep(3600)
    finally:
        note("waits", -1)


@stork.rpc("test.stubborn", allow=True)
async def stubborn(call):
    note("stubborn")
    while not hold.is_set():
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            pass
    note("stubborn", -1)


@stork.rpc("test.do", allow=True)
def do(call):
    exec(call.args[0], globals())
    return call.args[0]
"""


def in_a_hurry(config):
    for component in config["workers"][1]["components"]:
        component["extra"]["threads"] = THREADS
    guard = config["workers"][0]["components"][0]["extra"]
    guard["application_timeout_s"] = 1.0
    guard["limits"] = {"calls_in_flight": CALLS}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("one"), app=APP, change=in_a_hurry) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


@pytest.fixture
def node(deployment):
    return deployment.nodes[0]


@pytest.fixture
def operator(node):
    """Says whether handlers are held, and tells which have begun and run; held ones are let go at the end."""
    with node.join("operator") as client:
        client.call("test.set", True)
        yield client
        client.call("test.set", False)


def begun(operator, what):
    return operator.call("test.figures")[0].get(what, 0)


def running(operator, what):
    return operator.call("test.figures")[1].get(what, 0)


def wait_until(operator, figure, what, count):
    wait_for(lambda: figure(operator, what) == count, f"{what} is {count}")


def test_others_are_served_while_one_visitors_calls_are_slow(node, operator):
    with node.join("ann") as ann:
        for number in range(1, CALLS + 1):
            ann.send(CALL, number, {}, "test.held", [])
        wait_until(operator, begun, "call ann", SHARE)
        with node.join("bob") as bob:
            assert bob.subscribe("v1.open.1")
            bob.send(CALL, 1, {}, "test.held", [])
            wait_until(operator, begun, "call bob", 1)
        operator.call("test.set", False)
        assert [ann.receive()[3] for _ in range(CALLS)] == CALLS * [["done"]]


def test_what_one_visitor_has_not_begun_when_it_leaves_never_begins(node, operator):
    with node.join("cat") as cat:
        for number in range(1, CALLS + 1):
            cat.send(CALL, number, {}, "test.held", [])
        wait_until(operator, begun, "call cat", SHARE)
    with node.join("cat") as again:
        operator.call("test.set", False)
        wait_until(operator, running, "call cat", 0)
        assert again.call("test.held") == "done"
    assert begun(operator, "call cat") == SHARE + 1


def test_questions_of_a_session_that_is_gone_are_not_begun(node, operator):
    with node.join("dan") as dan:
        for number in range(1, 3 * SHARE + 1):
            dan.send(SUBSCRIBE, number, {}, f"v1.slow.{number}")
        wait_until(operator, begun, f"verify dan {SHARE}", 1)
    with node.join("dan") as again:
        assert again.subscribe("v1.open.1")
    operator.call("test.set", False)
    wait_until(operator, running, f"verify dan {SHARE}", 0)
    with node.join("dan") as again:
        assert again.subscribe("v1.slow.last")  # behind all that waited
    assert [begun(operator, f"verify dan {number}") for number in range(1, 3 * SHARE + 1)] == SHARE * [
        1
    ] + 2 * SHARE * [0]


def test_an_answer_that_comes_late_serves_who_subscribes_again(node, operator):
    with node.join("eve") as eve:
        with pytest.raises(Refused) as refusal:
            eve.subscribe("v1.slow.late")
        assert refusal.value.uri == "io.virge.stork.unavailable"
        operator.call("test.set", False)
        assert eve.subscribe("v1.slow.late")
        assert begun(operator, "verify eve late") == 1
        # The next question is a new one.
        with node.join("eve") as again:
            assert again.subscribe("v1.slow.late")
        assert begun(operator, "verify eve late") == 2


def test_an_answer_that_comes_late_serves_who_joins_again(node, operator):
    with pytest.raises(Closed) as closed:
        node.join("fay:slow")
    assert closed.value.code == 1013
    operator.call("test.set", False)
    with node.join("fay:slow"):
        assert begun(operator, "join fay") == 1
    with node.join("fay:slow"):
        assert begun(operator, "join fay") == 2


def test_joins_of_those_who_have_hung_up_are_not_begun(node, operator):
    waiting = [node.connect() for _ in range(3 * THREADS)]
    for client in waiting:
        client.send(1, "realm1", {"roles": {"caller": {}}, "authmethods": ["ticket"]})
        client.receive()
        client.send(5, "gus:slow", {})
    wait_until(operator, begun, "join gus", THREADS)
    for client in waiting:
        client.close()
    operator.call("test.set", False)
    wait_until(operator, running, "join gus", 0)
    with node.join("hal"):
        assert begun(operator, "join gus") == THREADS


@pytest.mark.parametrize("way", ["leave", "cancel"])
def test_coroutines_end_when_their_caller_leaves_or_cancels(node, operator, way):
    with node.join("ida") as ida:
        for number in range(1, CALLS + 1):
            ida.send(CALL, number, {}, "test.waits", [])
        wait_until(operator, running, "waits", CALLS)
        if way == "cancel":
            for number in range(1, CALLS + 1):
                ida.send(CANCEL, number, {"mode": "killnowait"})
            assert {ida.receive()[4] for _ in range(CALLS)} == {"wamp.error.canceled"}
            wait_until(operator, running, "waits", 0)
            ida.send(CALL, CALLS + 1, {}, "test.waits", [])
            wait_until(operator, running, "waits", 1)
    wait_until(operator, running, "waits", 0)


@pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
def test_a_cancelled_call_is_answered_once(node, operator, mode):
    with node.join("ian") as ian:
        before = begun(operator, "waits")
        ian.send(CALL, 1001, {}, "test.waits" if mode != "skip" else "test.stubborn", [])
        wait_for(lambda: begun(operator, "waits") > before or running(operator, "stubborn"), "a call")
        ian.send(CANCEL, 1001, {"mode": mode})
        assert ian.receive()[:5] == [ERROR, CALL, 1001, {}, "wamp.error.canceled"]
        operator.call("test.set", False)
        wait_until(operator, running, "stubborn", 0)
        assert ian.call("test.held") == "done"


def test_calls_of_a_gone_session_count_for_its_user(node, operator):
    with node.join("jim") as jim:
        for number in range(1, CALLS + 1):
            jim.send(CALL, number, {}, "test.stubborn", [])
        wait_until(operator, running, "stubborn", CALLS)
    with node.join("jim") as again:

        def is_refused():
            try:
                again.call("test.figures")
            except Refused as refused:
                return refused.uri == "io.virge.stork.limit"
            return False

        wait_for(is_refused, "a refusal")
        with node.join("kim") as other:
            assert other.call("test.figures")
        operator.call("test.set", False)
        wait_until(operator, running, "stubborn", 0)
        wait_for(lambda: not is_refused(), "a call that is allowed")


FORK = """
if os.fork() == 0:
    {child}
    time.sleep(60)
    os._exit(0)
"""


@pytest.mark.parametrize(
    "before",
    [
        "subprocess.Popen(['sleep', '60'])",
        "subprocess.Popen(['sleep', '60'], start_new_session=True)",
        "subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)",
        "subprocess.Popen('trap : TERM; while :; do echo noise; sleep 0.01; done', shell=True)",
        FORK.format(child="pass"),
        FORK.format(child="os.setsid()"),
        FORK.format(child="if os.fork(): os._exit(0)"),
        "os.close(1); os.close(2)",
    ],
    ids=[
        "program",
        "program in a session",
        "only stderr",
        "one that talks",
        "fork",
        "fork in a session",
        "twice",
        "closed",
    ],
)
def test_an_application_that_ends_is_replaced_whatever_it_has_started(deployment, node, before):
    [old] = node.workers("ContainerController")
    with node.join("leo") as leo:
        leo.send(CALL, 1, {}, "test.do", [before])
        assert leo.receive()[0] == 50
        leo.send(CALL, 2, {}, "test.do", ["os._exit(3)"])
        assert leo.receive()[4] == "wamp.error.canceled"  # at once, and the connection stays

        def new():
            found = node.workers("ContainerController")
            return found if found and old not in found else None

        wait_for(new, "another application")
        wait_for(lambda: _is_let_in(node), "a join")
        wait_for(lambda: not _left_in_group(old), "the end of what it has started")


def _is_let_in(node):
    try:
        with node.join("max") as client:
            return client.call("test.held") == "done"
    except (Closed, Refused):
        return False


def _left_in_group(group):
    shown = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    processes = [line.split() for line in shown.splitlines()]
    return [each for each in processes if each[0] == str(group) and not each[1].startswith("Z")]
