import pytest

from tests.gateway import wait_for
from tests.wamp import Closed, Refused

NOT_AUTHORIZED = "wamp.error.not_authorized"


def refusal(client, topic, match=None):
    with pytest.raises(Refused) as refused:
        client.subscribe(topic, match)
    assert "text of the exception" not in str(refused.value)
    return refused.value.uri


def test_the_shipped_feeds_admit_all_to_test_and_each_user_to_their_own(shipped):
    with shipped.nodes[0].join(authid="joe") as joe:
        assert joe.subscribe("v1.test.anything")
        assert joe.subscribe("v1.user.joe")
        assert refusal(joe, "v1.user.jack") == NOT_AUTHORIZED


@pytest.mark.parametrize(
    "topic",
    [
        "v1.unknown.1",
        "v2.test.1",
        "v1.test",
        "v1.test.1.2",
        "a",
        "io.virge.stork",
        "wamp.session.on_join",
    ],
)
def test_what_is_no_topic_of_a_declared_feed_is_refused(shipped, topic):
    with shipped.nodes[0].join() as client:
        assert refusal(client, topic) == NOT_AUTHORIZED


@pytest.mark.parametrize(
    "message",
    [
        '[32,1,{},"v1.test.\\ud800"]',
        '[48,1,{},"virge.stork.example.foo",[],{"name":"\\udfff"}]',
        '[48,1,{},"virge.stork.example.foo",[' + "[" * 500 + "]" * 500 + "]]",
    ],
)
def test_what_nobody_could_answer_ends_its_connection_and_harms_nobody(shipped, message):
    with shipped.nodes[0].join() as other:
        with shipped.nodes[0].join() as client:
            client.send_text(message)
            with pytest.raises(Closed) as closed:
                client.receive()
            assert closed.value.code == 1007
        assert other.subscribe("v1.test.1")
        assert other.call("virge.stork.example.foo", name="\\ud800 😀 x") == {"bar": "\\ud800 😀 x"}


def test_patterns_only_where_the_feed_says_so(shipped, node):
    with shipped.nodes[0].join() as client:
        for topic, match in [("v1.test.", "prefix"), ("", "prefix"), ("v1.", "prefix"), ("v1..", "wildcard")]:
            assert refusal(client, topic, match) == NOT_AUTHORIZED
    with node.join("user:joe") as client:
        assert client.subscribe("v1.open.", "prefix")
        assert client.subscribe("v1.open.", "wildcard")
        for topic, match in [("", "prefix"), ("v1.open", "prefix"), ("v1.group.", "prefix"), ("v1..1", "wildcard")]:
            assert refusal(client, topic, match) == NOT_AUTHORIZED


def test_the_beat_is_open_to_all(shipped):
    with shipped.nodes[0].join() as client:
        assert client.subscribe("io.virge.stork.beat")


def test_a_verifier_sees_the_private_facts_of_the_principal(node):
    with node.join("user:joe") as joe:
        assert joe.subscribe("v1.group.joe")
        assert refusal(joe, "v1.group.jack") == NOT_AUTHORIZED


def test_all_verifiers_must_agree_and_the_first_refusals_reason_is_logged(node):
    with node.join("user:joe") as joe:
        assert joe.subscribe("v1.both.x")
        assert refusal(joe, "v1.both.secret") == NOT_AUTHORIZED
        assert refusal(joe, "v1.both.public") == NOT_AUTHORIZED

        def is_said() -> bool:
            # Where others of its kind have come just before, the latest of them is said a little later.
            refusal(joe, "v1.both.secret")
            return "subscribe of v1.both.secret denied to joe: named says no" in node.log

        wait_for(is_said, "the reason in the log")


@pytest.mark.parametrize("case", ["raise", "hang", "nonsense"])
def test_a_verifier_at_fault_is_to_be_tried_again_and_tells_nothing(node, case):
    with node.join("user:joe") as joe:
        with pytest.raises(Refused) as refused:
            joe.subscribe(f"v1.bad.{case}")
        assert (refused.value.uri, refused.value.args_) == ("io.virge.stork.unavailable", ["try again later"])
        assert joe.subscribe("v1.open.1")


def test_a_verdict_is_remembered_for_its_user_and_topic_alone(node):
    with node.join("user:ann") as ann, node.join("user:bob") as bob:
        for _ in range(3):
            ann.unsubscribe(ann.subscribe("v1.cached.1"))
            assert refusal(ann, "v1.cached.no") == NOT_AUTHORIZED
        bob.subscribe("v1.cached.1")
        ann.subscribe("v1.cached.2")
        counted = ["cached ann 1", "cached ann no", "cached ann 2", "cached bob 1"]
        assert [ann.call("test.count", what) for what in counted] == [1, 1, 1, 1]


def test_equal_questions_at_the_same_time_are_asked_once(node):
    clients = [node.join("user:eve") for _ in range(5)]
    for client in clients:
        client.send(32, 100, {}, "v1.slow.once")
    for client in clients:
        assert client.receive()[0] == 33
    assert clients[0].call("test.count", "slow once") == 1
    for client in clients:
        client.close()


def test_a_frontend_publishes_and_registers_nothing(shipped):
    with shipped.nodes[0].join(authid="joe") as joe:
        for topic in ("v1.test.1", "v1.user.joe", "anything"):
            with pytest.raises(Refused, match=NOT_AUTHORIZED):
                joe.publish(topic, 1)
        for uri in ("io.virge.stork.auth", "io.virge.stork.topic_auth", "virge.stork.example.bar"):
            with pytest.raises(Refused, match=NOT_AUTHORIZED):
                joe.register(uri, print)


@pytest.mark.parametrize(
    "uri",
    [
        "wamp.session.list",
        "wamp.session.kill",
        "wamp.registration.list",
        "io.virge.stork.auth",
        "io.virge.stork.topic_auth",
        "io.virge.stork.app.auth",
        "io.virge.stork.app.auth.batch",
        "io.virge.stork.guard.auth",
        "io.virge.stork.guard.backend",
        "io.virge.stork.guard.session",
        "no.such.procedure",
    ],
)
def test_a_frontend_calls_nothing_that_does_not_say_who_may(shipped, uri):
    with shipped.nodes[0].join() as client, pytest.raises(Refused, match=NOT_AUTHORIZED):
        client.call(uri)
