"""An existing backend that registers Virge::Stork's two URIs, as a PHP application does."""

import contextlib
import threading

import pytest

from tests.e2e.applications import MANY_WAYS
from tests.e2e.operator_port import get
from tests.gateway import Deployment, wait_for
from tests.wamp import Aborted, Client, Closed, Refused

AUTH, TOPIC_AUTH = "io.virge.stork.auth", "io.virge.stork.topic_auth"


class Backend:
    """A backend that serves its procedures in a thread until it is closed."""

    def __init__(self, node, name, *, auth=None, topic_auth=None):
        self.client = node.backend()
        self.asked = []
        self.name = name
        if auth:
            self.client.register(AUTH, self._recording(auth), invoke="last")
        if topic_auth:
            self.client.register(TOPIC_AUTH, self._recording(topic_auth), invoke="last")
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _recording(self, procedure):
        def record(*args):
            self.asked.append(args)
            return procedure(*args)

        return record

    def _serve(self):
        with contextlib.suppress(Closed):
            self.client.serve(invocations=10_000, timeout_s=60)

    def close(self):
        self.client.close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def admit(realm, authid, details):
    return {"role": "frontend", "authid": "php-" + details["ticket"]} if details["ticket"] != "bad" else []


def test_a_backends_authenticator_wins_until_it_leaves(node):
    with node.join("user:joe") as client:
        assert client.welcome["authid"] == "joe"
    with Backend(node, "php", auth=admit) as php:
        with node.join("42") as client:
            assert client.welcome["authid"] == "php-42"
        [(realm, authid, details)] = php.asked
        assert (realm, authid, details["ticket"], details["authmethod"]) == ("realm1", None, "42", "ticket")
        with node.connect() as client, pytest.raises(Aborted) as denied:
            client.join("bad")
        assert denied.value.uri == "io.virge.stork.denied"
    with node.join("user:joe") as client:
        assert client.welcome["authid"] == "joe"


def test_a_backends_topic_authorizer_wins_and_gets_the_original_arguments(node):
    with Backend(node, "php", topic_auth=lambda session, uri, action, options: uri == "v1.php.1") as php:
        with node.join("user:joe") as client:
            assert client.subscribe("v1.php.1")
            with pytest.raises(Refused, match="not_authorized"):
                client.subscribe("v1.open.1")
            assert client.call("test.whoami")["authid"] == "joe"
        session, uri, action, options = php.asked[0]
        assert (session["authid"], session["authrole"], uri, action) == ("joe", "frontend", "v1.php.1", "subscribe")
        assert "private" not in session
        assert isinstance(options, dict)
        assert len(php.asked) == 2


def test_a_push_to_a_feed_of_a_backend_has_no_warning(node, many_ways):
    with Backend(node, "php", topic_auth=lambda *_: True), node.join("user:joe") as client:
        client.subscribe("v1.php.1")
        with many_ways.publisher() as publisher:
            wait_for(lambda: publisher.push("v1.php.1", type="t").warning == "", "the node says no feeds")


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("", "prefix"),
        ("v1.", "prefix"),
        ("v1.user.1", "prefix"),
        ("v1.open.", "prefix"),
        ("v1..1", "wildcard"),
        ("wamp.", "prefix"),
        ("wamp.session.on_join", None),
        ("io.virge.stork", None),
        ("v1.user", None),
    ],
)
def test_a_backend_that_allows_everything_opens_topics_only_no_patterns(node, topic, match):
    with Backend(node, "php", topic_auth=lambda *_: True) as php, node.join("user:joe") as client:
        with pytest.raises(Refused, match="not_authorized"):
            client.subscribe(topic, match)
        assert php.asked == []
        assert client.subscribe("v1.user.1")


def test_a_new_backend_is_asked_despite_a_remembered_answer(node):
    with node.join("user:ann") as ann:
        ann.unsubscribe(ann.subscribe("v1.cached.still"))
        with Backend(node, "php", topic_auth=lambda *_: False) as php:
            with pytest.raises(Refused, match="not_authorized"):
                ann.subscribe("v1.cached.still")
            assert len(php.asked) == 1


def test_a_later_backend_takes_over_and_gives_back_when_it_leaves(node):
    def as_name(name):
        return lambda realm, authid, details: {"role": "frontend", "authid": name}

    def who():
        with node.join("x") as client:
            return client.welcome["authid"]

    with Backend(node, "first", auth=as_name("first")):
        assert who() == "first"
        second = Backend(node, "second", auth=as_name("second"))
        assert who() == "second"
        second.close()
        wait_for(lambda: who() == "first", "the first backend to be asked again")


def _kill(stays, leaves):
    stays.call("wamp.session.kill", leaves.session_id)
    leaves.receive()
    leaves.close()


def _remove(stays, leaves):
    registration = stays.call("wamp.registration.lookup", AUTH)
    stays.call("wamp.registration.remove_callee", registration, leaves.session_id)
    assert stays.call("wamp.registration.lookup", AUTH) is None
    leaves.close()


ENDS = {
    "goodbye": lambda _, leaves: (leaves.send(6, {}, "wamp.close.normal"), leaves.receive(), leaves.close()),
    "cut": lambda _, leaves: leaves.close(),
    "kill": _kill,
    "removed": _remove,
}


@pytest.mark.parametrize("end", ENDS)
def test_the_application_decides_again_when_a_backend_leaves(node, end):
    """Among many registrations, the one of the authenticator is neither always the first nor always the last."""
    for turn in range(5):
        with node.backend() as stays:
            leaves = node.backend()
            leaves.register(AUTH, None, invoke="last")
            for number in range(4):
                for each in (stays, leaves):
                    each.register(f"io.example.shared.{turn}.{number}", None, invoke="roundrobin")
            ENDS[end](stays, leaves)
            with node.join("user:joe") as client:
                assert client.welcome["authid"] == "joe"
            for number in range(4):  # what is shared still has a callee
                assert stays.call("wamp.registration.lookup", f"io.example.shared.{turn}.{number}")


def test_a_backend_that_shares_its_procedures_is_asked_when_another_leaves(node):
    for turn in range(5):
        with Backend(node, "php", auth=admit):
            leaves = node.backend()
            leaves.register(AUTH, None, invoke="last")
            for number in range(4):
                leaves.register(f"io.example.own.{turn}.{number}", None)
            leaves.close()
            with node.join("42") as client:
                assert client.welcome["authid"] == "php-42"


META = {
    "wamp.session.on_leave",
    "wamp.subscription.on_unsubscribe",
    "wamp.subscription.on_delete",
    "wamp.registration.on_unregister",
    "wamp.registration.on_delete",
}


def _told(listener, topics, session, number):
    """The next meta events about a session: topic and arguments."""
    told = []
    while len(told) < number:
        message = listener.receive()
        if message[0] == 36 and message[4][0] == session:
            told.append((topics[message[1]], message[4]))
    return told


@pytest.mark.parametrize("way", ["goodbye", "cut", "given up before"])
def test_backends_are_told_who_left_and_what_it_had(node, way):
    with node.backend() as listener, node.backend() as stays:
        topics = {listener.subscribe(topic): topic for topic in META}
        leaves = node.backend()
        shared = stays.register("io.example.both", None, invoke="roundrobin")
        leaves.register("io.example.both", None, invoke="roundrobin")
        registrations = [leaves.register(f"io.example.left.{number}", None) for number in range(3)]
        subscriptions = [leaves.subscribe(f"v1.left.{number}") for number in range(3)]
        session = leaves.session_id
        if way == "given up before":  # in the turn in which it leaves
            for number, registration in enumerate(registrations):
                leaves.send(66, 100 + number, registration)
            for number, subscription in enumerate(subscriptions):
                leaves.send(34, 200 + number, subscription)
        if way != "cut":
            leaves.send(6, {}, "wamp.close.normal")
        leaves.close()
        told = _told(listener, topics, session, 1 + 1 + 2 * 6)
    assert [args for topic, args in told if topic == "wamp.session.on_leave"] == [[session, "backend", "backend"]]
    ended = {topic: [args[1] for each, args in told if each == topic] for topic in META if "session" not in topic}
    assert sorted(ended["wamp.registration.on_unregister"]) == sorted([*registrations, shared])
    assert sorted(ended["wamp.registration.on_delete"]) == sorted(registrations)
    assert sorted(ended["wamp.subscription.on_unsubscribe"]) == sorted(subscriptions)
    assert sorted(ended["wamp.subscription.on_delete"]) == sorted(subscriptions)


@pytest.mark.parametrize("answer", [True, "frontend", {"role": "backend", "authid": "x"}, {"role": "frontend"}, 17])
def test_nonsense_of_a_backend_lets_nobody_in_and_can_be_tried_again(node, answer):
    with Backend(node, "php", auth=lambda *_: answer), node.connect() as client:
        with pytest.raises(Closed) as closed:
            client.join("42")
        assert closed.value.code == 1013


@pytest.mark.parametrize(("answer", "allowed"), [(True, True), (False, False), ([], False), (None, False)])
def test_a_backend_allows_by_true_alone(node, answer, allowed):
    with Backend(node, "php", topic_auth=lambda *_: answer), node.join("user:joe") as client:
        if allowed:
            assert client.subscribe("v1.php.1")
        else:
            with pytest.raises(Refused, match="not_authorized"):
                client.subscribe("v1.php.1")


def test_a_question_is_asked_again_when_its_backend_vanishes(node):
    silent = node.backend()
    silent.register(AUTH, None, invoke="last")
    with node.connect() as client:
        client.send(1, "realm1", {"roles": {"subscriber": {}}, "authmethods": ["ticket"]})
        client.receive()
        client.send(5, "user:joe", {})
        assert silent.receive()[0] == 68
        silent.close()
        message = client.receive()
        assert (message[0], message[2]["authid"]) == (2, "joe")


def test_a_backend_that_hangs_turns_nobody_away_for_good(node):
    with node.backend() as silent:
        silent.register(AUTH, None, invoke="last")
        with node.connect() as client:
            with pytest.raises(Closed) as closed:
                client.join("42")
            assert closed.value.code == 1013


def test_a_silent_backend_is_passed_over(node):
    with node.backend() as silent:
        silent.register(AUTH, None, invoke="last")
        silent.register(TOPIC_AUTH, None, invoke="last")
        for topic in ("v1.open.1", "v1.open.2", "v1.open.3"):
            with node.join("user:joe") as client:
                assert client.subscribe(topic)
        # The application does not know what the backend knows: its no is not final.
        with node.connect() as client, pytest.raises(Closed) as closed:
            client.join("bad")
        assert closed.value.code == 1013
    with node.join("user:joe") as client:
        client.subscribe("v1.open.1")


def test_a_frontend_cannot_stand_in_for_a_backend(node):
    with node.join("user:joe") as client, pytest.raises(Refused, match="not_authorized"):
        client.register(AUTH, admit, invoke="last")


NO_APPLICATION = "from stork_node import Stork\n\nstork = Stork()\n"


def without_application(config):
    del config["workers"][1]


def of_backends(config):
    config["workers"][0]["components"][0]["extra"]["backends_decide"] = "joins, subscriptions"


@pytest.mark.parametrize(
    ("app", "change"),
    [(NO_APPLICATION, lambda _: None), (MANY_WAYS, of_backends), (MANY_WAYS, without_application)],
    ids=["app.py declares nothing", "a setting says so", "no application"],
)
def test_where_a_backend_decides_it_is_all_that_is_needed(tmp_path, app, change):
    def in_a_hurry(config):
        config["workers"][0]["components"][0]["extra"]["starting_timeout_s"] = 3.0
        change(config)

    with Deployment(tmp_path, app=app, change=in_a_hurry) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.connect() as client, pytest.raises(Closed) as closed:
            client.join("user:joe")
        assert closed.value.code == 1013
        status, said = get(node.operator_url + "ready")
        assert (status, said["status"]) == (503, "not_ready")
        assert [problem for problem in said["problems"] if "nobody has registered io.virge.stork." in problem]
        with Backend(node, "php", auth=admit), Client(node.url) as client:
            client.join("42")
            with pytest.raises(Refused, match="unavailable"):
                client.subscribe("v1.php.1")
        with Backend(node, "php", auth=admit, topic_auth=lambda *_: True), Client(node.url) as client:
            client.join("42")
            client.subscribe("v1.php.1")
            with deployment.publisher() as publisher:
                publisher.push("v1.php.1", type="order_paid", data={"id": 42})
            assert client.event()[1]["data"] == {"id": 42}
