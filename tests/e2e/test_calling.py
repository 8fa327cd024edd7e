import copy
import json

import pytest

from stork_node import CallError
from stork_node.clients.caller import Caller
from tests.gateway import BACKEND_SECRET, Deployment, wait_for
from tests.wamp import CALL, INVOCATION, RESULT, YIELD, Refused

ECHO_OF_TEXT = """
from stork_node import Principal, Stork

stork = Stork()


@stork.authenticator
def let_in(request):
    return Principal(authid="joe")


@stork.rpc("io.example.text", allow=True, json_string=True)
def text(call):
    return call.args[0]
"""


def test_the_shipped_example_answers_browsers(shipped):
    with shipped.nodes[0].join() as client:
        assert client.call("virge.stork.example.foo", name="stork") == {"bar": "stork"}
        assert client.call("virge.stork.example.foo", {"name": "stork"}) == {"bar": "stork"}
        with pytest.raises(Refused) as refused:
            client.call("virge.stork.example.foo")
        assert refused.value.uri == "wamp.error.invalid_argument"


def test_a_procedure_knows_its_caller_as_a_verifier_does(node):
    with node.join("user:joe") as joe:
        assert joe.call("test.whoami") == {
            "id": joe.session_id,
            "authid": "joe",
            "role": "frontend",
            "private": {"groups": ["joe"]},
            "extra": {"greeting": "hello joe"},
            "realm": "realm1",
            "authmethod": "ticket",
            "address": "127.0.0.1",
        }


def test_a_check_of_the_session_says_who_may_call(node):
    with node.join("user:joe") as joe, node.join("user:jack") as jack:
        assert joe.call("test.for-joe") == "for joe"
        with pytest.raises(Refused, match="not_authorized"):
            jack.call("test.for-joe")


def test_what_says_nothing_is_for_backends_only(node):
    with node.join("user:joe") as joe, pytest.raises(Refused, match="not_authorized"):
        joe.call("test.backends-only")
    with node.backend() as backend:
        assert backend.call("test.backends-only", a=1) == {"a": 1}


def test_named_errors_reach_the_caller_and_others_tell_nothing(node):
    with node.join("user:joe") as joe:
        with pytest.raises(Refused) as named:
            joe.call("test.error")
        assert (named.value.uri, named.value.args_, named.value.kwargs) == (
            "test.error.named",
            ["so it is", 17],
            {"detail": "x"},
        )
        with pytest.raises(Refused) as failed:
            joe.call("test.raise")
        assert failed.value.uri == "io.virge.stork.error.handler_failed"
        assert "text of the exception" not in json.dumps([failed.value.args_, failed.value.kwargs])
    node.wait_for_line("text of the exception")


def test_the_originals_json_string_goes_both_ways(node):
    with node.backend() as backend:
        assert json.loads(backend.call("test.original", '{"id": 42}')) == {"got": {"id": 42}}
        with pytest.raises(Refused) as refused:
            backend.call("test.original", "{no json")
        assert refused.value.uri == "wamp.error.invalid_argument"


@pytest.mark.parametrize(("procedure", "type_"), [("test.push", "from-async"), ("test.push-plain", "from-def")])
def test_handlers_push(node, procedure, type_):
    with node.join("user:joe") as joe:
        joe.subscribe("v1.open.pushed")
        position = joe.call(procedure)
        _, event, details = joe.event()
        assert (event["type"], event["data"], details["position"]) == (type_, "joe", position)


def test_the_caller_for_backends_calls_in_python(node):
    with Caller(node.url, secret=BACKEND_SECRET) as caller:
        assert caller.call("test.backends-only", name="x") == {"name": "x"}
        assert caller.call_json("test.original", {"id": 1}) == {"got": {"id": 1}}
        with pytest.raises(CallError) as error:
            caller.call("test.error")
        assert (error.value.uri, error.value.message) == ("test.error.named", "so it is")
        with pytest.raises(CallError) as missing:
            caller.call("test.no-such")
        assert missing.value.uri == "wamp.error.no_such_procedure"


def test_a_roundrobin_procedure_is_served_by_each_process_in_turn(tmp_path):
    app = """
import os
from stork_node import Principal, Stork
stork = Stork()
@stork.authenticator
def anyone(request):
    return Principal(authid="x")
@stork.rpc("test.pid", invoke="roundrobin", allow=True)
def pid(call):
    return os.getpid()
"""

    def two_applications(config):
        second = copy.deepcopy(config["workers"][1])
        second["id"] = "app2"
        config["workers"].insert(2, second)

    with Deployment(tmp_path, app=app, change=two_applications) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join("x") as client:
            pids = [client.call("test.pid") for _ in range(6)]
        assert len(set(pids)) == 2
        assert pids[::2] == [pids[0]] * 3


def test_no_string_of_json_is_too_deep_for_the_application_process(tmp_path):
    """Crossbar's imports raise Python's limit of recursion to where its JSON parser runs out of stack."""
    with Deployment(tmp_path, app=ECHO_OF_TEXT) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        before = node.workers("ContainerController")
        with node.join() as client:
            with pytest.raises(Refused) as refused:
                client.call("io.example.text", "[" * 100_000)
            assert refused.value.uri == "wamp.error.invalid_argument"
            assert client.call("io.example.text", "[1]") == "[1]"
        assert node.workers("ContainerController") == before


@pytest.mark.parametrize("answered", [0, 2])
def test_two_calls_with_one_request_id_leave_nothing_behind(node, answered):
    with node.backend() as callee, node.backend() as witness:
        callee.register("backend.silent", lambda: None)
        with node.backend() as caller:
            invocations = []
            for _ in range(2):
                caller.send(CALL, 1000, {}, "backend.silent")
                invocations.append(callee.receive())
            assert [message[0] for message in invocations] == [INVOCATION, INVOCATION]
            for message in invocations[:answered]:
                callee.send(YIELD, message[1], {}, ["answer"])
                assert caller.receive()[0] == RESULT
        wait_for(lambda: caller.session_id not in witness.call("wamp.session.list"), "the end of the caller's session")
        with node.backend() as after:
            # The router's lines so far have been said when those of a later session's would be.
            after.call("wamp.session.count")
    assert f"Failed to detach session '{caller.session_id}'" not in node.log
    assert "INTERNAL ERROR" not in node.log


@pytest.mark.parametrize("name", ["fun", "f", "self", "details", "endpoint", "args", "kwargs", "progress", "request"])
def test_the_names_of_keyword_arguments_are_the_callers_choice(node, name):
    [application] = node.workers("ContainerController")
    with node.join("user:joe") as joe:
        assert joe.request(CALL, {}, "test.whoami", [], {name: 1})[3][0]["authid"] == "joe"
        if name != "details":  # which autobahn puts its own in place of
            with pytest.raises(Refused, match="one argument is wanted"):
                joe.request(CALL, {}, "io.virge.stork.recover", [{}], {name: 1})
        assert joe.call("io.virge.stork.recover", {}) == {}
    assert node.workers("ContainerController") == [application]
