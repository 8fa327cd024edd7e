"""Caller and WampConnection against a stock Crossbar."""

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stork_node.clients.caller import Caller, CallResult
from stork_node.clients.credentials import Credentials
from stork_node.clients.wamp_client import NotAnswered, SessionEnded, WampConnection
from stork_node.errors import CallError, ConnectionRefused
from tests.components.stock_crossbar import StockCrossbar
from tests.gateway import wait_for

SECRET = "long-secret"
GUEST = Credentials("guest", ticket="guest-ticket")
BACKEND = Credentials("backend", secret=SECRET)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockCrossbar]:
    crossbar = StockCrossbar(tmp_path_factory.mktemp("crossbar"))
    crossbar.start()
    yield crossbar
    crossbar.stop()


@pytest.fixture
def caller(router: StockCrossbar) -> Iterator[Caller]:
    with Caller(router.url, secret=SECRET, timeout_s=10) as caller:
        yield caller


def test_one_returned_value_comes_as_it_is(caller: Caller) -> None:
    assert caller.call("test.echo", 1, "zwölf", None, deep=[{"x": 2.5}]) == [[1, "zwölf", None], {"deep": [{"x": 2.5}]}]


def test_no_returned_value_is_none(caller: Caller) -> None:
    assert caller.call("test.nothing") is None


def test_several_returned_values_come_as_a_call_result(caller: Caller) -> None:
    assert caller.call("test.several") == CallResult((1, 2), {"three": 3})


def test_keyword_arguments_may_have_any_name(caller: Caller) -> None:
    assert caller.call("test.echo", uri=1, timeout_s=2) == [[], {"uri": 1, "timeout_s": 2}]


def test_an_error_has_its_uri_message_and_arguments(caller: Caller) -> None:
    with pytest.raises(CallError) as raised:
        caller.call("test.fail")
    error = raised.value
    assert (error.uri, error.message, error.arguments) == ("test.error.broken", "it broke", (7,))
    assert error.details == {"message": "as a keyword", "code": 3}


def test_a_procedure_that_nobody_registered_is_an_error_with_wamps_uri(caller: Caller) -> None:
    with pytest.raises(CallError) as raised:
        caller.call("test.nowhere")
    assert raised.value.uri == "wamp.error.no_such_procedure"


def test_a_value_that_is_not_json_is_refused_and_the_next_call_works(caller: Caller) -> None:
    with pytest.raises(TypeError):
        caller.call("test.echo", b"bytes")
    with pytest.raises(ValueError, match="not JSON compliant"):
        caller.call("test.echo", float("nan"))
    assert caller.call("test.nothing") is None


def test_the_originals_methods_take_and_return_json_strings(caller: Caller) -> None:
    assert caller.call_json("test.json_string", {"name": "Ada"}) == {"bar": "Ada"}


@pytest.mark.parametrize("text", ["no JSON", "[1]", "null"])
def test_a_method_that_returns_no_json_object_in_a_string_is_named(caller: Caller, text: str) -> None:
    with pytest.raises(CallError, match=r"test\.as_it_is did not return a JSON object in a string") as raised:
        caller.call_json("test.as_it_is", {"answer": text})
    assert raised.value.uri == "io.virge.stork.error.not_json"


@pytest.mark.parametrize(
    "credentials",
    [
        {"secret": SECRET},
        {"secret": "salted-secret", "authid": "salted"},
        {"ticket": "good-ticket", "authid": "ada"},
    ],
    ids=["WAMP-CRA", "WAMP-CRA with a salted secret", "ticket"],
)
def test_joins_by(router: StockCrossbar, credentials: dict[str, str]) -> None:
    with Caller(router.url, **credentials) as caller:
        assert caller.call("test.echo", 1) == [[1], {}]


@pytest.mark.parametrize(
    "credentials",
    [{"secret": "wrong"}, {"ticket": "wrong", "authid": "ada"}, {}],
    ids=["secret", "ticket", "nothing at all"],
)
def test_a_router_that_refuses_the_session_is_named_with_its_reason(
    router: StockCrossbar, credentials: dict[str, str]
) -> None:
    with Caller(router.url, **credentials) as caller, pytest.raises(ConnectionRefused) as raised:
        caller.call("test.nothing")
    assert raised.value.reason.startswith("wamp.error.")
    assert raised.value.url == router.url


def test_a_realm_that_is_not_there_is_named(router: StockCrossbar) -> None:
    with Caller(router.url, secret=SECRET, realm="realm2") as caller, pytest.raises(ConnectionRefused, match="realm2"):
        caller.call("test.nothing")


def test_a_port_where_nothing_listens_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/ws"
        with pytest.raises(ConnectionRefused, match=f"no session with {url}: nothing listens there"):
            Caller(url, secret=SECRET).call("test.nothing")


def test_a_host_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/ws"
        with pytest.raises(ConnectionRefused, match=r"no answer within 0\.2 s"):
            Caller(url, secret=SECRET, timeout_s=0.2).call("test.nothing")


def test_something_that_is_no_address_is_named() -> None:
    with pytest.raises(ConnectionRefused, match="not a WebSocket address"):
        Caller("http://127.0.0.1/ws", secret=SECRET).call("test.nothing")


def test_a_call_without_an_answer_in_time_is_named_and_the_next_one_works(router: StockCrossbar) -> None:
    with Caller(router.url, secret=SECRET, timeout_s=1) as caller:
        with pytest.raises(NotAnswered, match=r"no answer to the call of test\.sleep"):
            caller.call("test.sleep", 60)
        assert caller.call("test.nothing") is None


def test_threads_share_a_connection_and_get_their_own_results(caller: Caller) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: caller.call("test.echo", n)[0][0], range(200)))
    assert results == list(range(200))


def test_a_slow_call_does_not_hold_up_another_thread(router: StockCrossbar, caller: Caller) -> None:
    caller.call("test.nothing")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(caller.call, "test.sleep", 3)
        assert caller.call("test.nothing") is None
        assert not slow.done()
        assert slow.result() == 3


def test_a_session_that_was_killed_is_replaced_at_the_next_call(router: StockCrossbar, caller: Caller) -> None:
    with Caller(router.url, secret=SECRET) as killer:
        first = caller.call("test.own_id")
        assert caller.call("test.own_id") == first
        killer.call("wamp.session.kill", first)

        def has_another() -> bool:
            try:
                return bool(caller.call("test.own_id") != first)
            except NotAnswered:  # sent before the GOODBYE had come
                return False

        wait_for(has_another, "another session")


def test_a_call_is_left_unanswered_when_its_session_is_killed(router: StockCrossbar, caller: Caller) -> None:
    with Caller(router.url, secret=SECRET) as killer, ThreadPoolExecutor(1) as pool:
        session = caller.call("test.own_id")
        answer = pool.submit(caller.call, "test.sleep", 60)
        killer.call("wamp.session.kill", session)
        with pytest.raises(
            NotAnswered, match=r"the router said goodbye \(wamp\.close\.normal\); it may have run, or not"
        ):
            answer.result()


def test_a_session_that_has_ended_says_why(router: StockCrossbar, caller: Caller) -> None:
    with WampConnection(router.url, BACKEND) as session:
        caller.call("wamp.session.kill", session.id, reason="test.tired")
        wait_for(lambda: session.ending, "the end of the session")
        assert session.ending == "the router said goodbye (test.tired)"
        with pytest.raises(SessionEnded):
            session.subscribe("v1.test.1")


def test_calls_go_on_after_the_router_was_restarted(tmp_path: Path) -> None:
    router = StockCrossbar(tmp_path)
    router.start()
    try:
        with Caller(router.url, secret=SECRET, timeout_s=10) as caller:
            assert caller.call("test.echo", 1) == [[1], {}]
            router.stop()
            with pytest.raises(ConnectionRefused):
                caller.call("test.nothing")
            router.start()
            assert caller.call("test.echo", 2) == [[2], {}]
    finally:
        router.stop()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_gets_a_connection_of_its_own(caller: Caller) -> None:
    first = caller.call("test.own_id")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # nothing of pytest may run here
        try:
            os.write(writing, b"%d" % caller.call("test.own_id"))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        assert int(said.read()) != first
    os.waitpid(child, 0)
    assert caller.call("test.own_id") == first


def test_a_child_process_does_not_wait_for_a_call_of_its_parent(caller: Caller) -> None:
    caller.call("test.nothing")
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        with caller._lock:
            held.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if caller.call("test.nothing") is None else 1)
        finally:
            os._exit(2)
    release.set()
    holder.join()
    wait_for(lambda: (ended := os.waitpid(child, os.WNOHANG))[0] and ended, "the child's end")


def test_a_refused_subscription_is_an_error_with_wamps_uri(router: StockCrossbar) -> None:
    with WampConnection(router.url, GUEST) as session:
        assert (session.authid, session.authrole) == ("guest", "guest")
        with pytest.raises(CallError) as raised:
            session.subscribe("v1.test.1")
    assert raised.value.uri == "wamp.error.not_authorized"
