"""Every feature that WELCOME announces works. One that is not in this file's list may not be announced."""

import json
import queue
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from wampproto.auth import WAMPCRAAuthenticator
from xconn.client import Client
from xconn.types import Invocation, Result

from tests.gateway import BACKEND_SECRET
from tests.wamp import CALL, ERROR, INVOCATION, PUBLISH, RESULT, YIELD, Refused

TOPIC, PROCEDURE = "io.example.features", "io.example.feature"


ROLES = {
    "subscriber": {"features": {"pattern_based_subscription": True, "subscription_revocation": True}},
    "publisher": {},
    "caller": {"features": {"progressive_call_results": True, "call_canceling": True}},
    "callee": {"features": {"progressive_call_results": True, "registration_revocation": True}},
}


@pytest.fixture
def pair(node):
    with node.connect() as one, node.connect() as other:
        for client in (one, other):
            client.join(None, "backend", secret=BACKEND_SECRET, roles=ROLES)
        yield one, other


def publish(client, options, *args):
    return client.request(PUBLISH, {"acknowledge": True, **options}, TOPIC, list(args))


def events_until(client, last):
    """The first arguments of the events up to ``last``."""
    got = []
    while not got or got[-1] != last:
        got.append(client.event()[1])
    return got


def exclusion(one, other):
    one.subscribe(TOPIC)
    publish(one, {}, "not to me")
    publish(one, {"exclude_me": False}, "to me")
    assert one.event()[1] == "to me"


def lists(one, other):
    other.subscribe(TOPIC)
    publish(one, {"exclude": [other.session_id]}, "excluded")
    publish(one, {"eligible": [one.session_id]}, "not eligible")
    publish(one, {"exclude_authid": ["backend"]}, "no user")
    publish(one, {"eligible_authrole": ["nobody"]}, "no role")
    publish(one, {"eligible": [other.session_id]}, "eligible")
    assert events_until(other, "eligible") == ["eligible"]


def patterns_of_topics(one, other):
    other.subscribe("io.example.", "prefix")
    other.subscribe("io..features", "wildcard")
    publish(one, {}, "x")
    assert [other.event()[1] for _ in range(2)] == ["x", "x"]


def retention(one, other):
    publish(one, {"retain": True}, "kept")
    other.request(32, {"get_retained": True}, TOPIC)
    assert other.event()[1] == "kept"


def revoke_subscription(one, other):
    subscription = other.subscribe(TOPIC)
    one.call("wamp.subscription.remove_subscriber", subscription, other.session_id)
    assert other.receive()[:2] == [35, 0]
    assert subscription not in one.call("wamp.subscription.list")["exact"]


def revoke_registration(one, other):
    registration = other.register(PROCEDURE, None)
    one.call("wamp.registration.remove_callee", registration, other.session_id)
    assert other.receive()[:2] == [67, 0]
    assert one.call("wamp.registration.lookup", PROCEDURE) is None


def session_meta(one, other):
    assert other.session_id in one.call("wamp.session.list")
    assert one.call("wamp.session.count") >= 2
    assert one.call("wamp.session.get", other.session_id)["authid"] == "backend"
    one.call("wamp.session.kill", other.session_id, reason="io.example.killed")
    assert other.receive()[0] == 6


def subscription_meta(one, other):
    subscription = other.subscribe(TOPIC)
    assert one.call("wamp.subscription.lookup", TOPIC) == subscription
    assert one.call("wamp.subscription.match", TOPIC) == [subscription]
    assert one.call("wamp.subscription.get", subscription)["uri"] == TOPIC
    assert one.call("wamp.subscription.list_subscribers", subscription) == [other.session_id]
    assert one.call("wamp.subscription.count_subscribers", subscription) == 1
    assert subscription in one.call("wamp.subscription.list")["exact"]


def registration_meta(one, other):
    registration = other.register(PROCEDURE, None)
    assert one.call("wamp.registration.lookup", PROCEDURE) == registration
    assert one.call("wamp.registration.match", PROCEDURE) == registration
    assert one.call("wamp.registration.get", registration)["uri"] == PROCEDURE
    assert one.call("wamp.registration.list_callees", registration) == [other.session_id]
    assert one.call("wamp.registration.count_callees", registration) == 1
    assert registration in one.call("wamp.registration.list")["exact"]


def call(one, other, options, *rest):
    """Call, and return what the callee gets."""
    one.send(CALL, 1000, options, PROCEDURE, *rest)
    message = other.receive()
    assert message[0] == INVOCATION
    return message


def caller_identification(one, other):
    other.register(PROCEDURE, None)
    assert call(one, other, {"disclose_me": True})[3]["caller"] == one.session_id


def progress(one, other):
    other.register(PROCEDURE, None)
    invocation = call(one, other, {"receive_progress": True})
    assert invocation[3]["receive_progress"] is True
    other.send(YIELD, invocation[1], {"progress": True}, [1])
    other.send(YIELD, invocation[1], {}, [2])
    results = [one.receive() for _ in range(2)]
    assert [(message[:2], message[2].get("progress"), message[3]) for message in results] == [
        ([RESULT, 1000], True, [1]),
        ([RESULT, 1000], None, [2]),
    ]


def canceling(one, other):
    other.register(PROCEDURE, None)
    invocation = call(one, other, {})
    one.send(49, 1000, {"mode": "killnowait"})
    assert one.receive()[:5] == [ERROR, CALL, 1000, {}, "wamp.error.canceled"]
    other.send(YIELD, invocation[1], {}, ["too late"])
    with pytest.raises(Refused, match="no_such_procedure"):
        one.call("io.example.nobody")  # and nothing before it


def patterns_of_procedures(one, other):
    other.register("io.example.feat", None, match="prefix")
    assert call(one, other, {})[3]["procedure"] == PROCEDURE


def shared_registration(one, other):
    assert one.register(PROCEDURE, None, invoke="roundrobin") == other.register(PROCEDURE, None, invoke="roundrobin")


def last_will(one, other):
    one.subscribe(TOPIC)
    other.call("wamp.session.add_testament", TOPIC, ["my will"], {})
    other.close()
    assert one.event()[1] == "my will"


def payloads(one, other):
    """Encrypted payloads pass through as they are."""
    other.register(PROCEDURE, None)
    encrypted = {"enc_algo": "cryptobox", "enc_serializer": "json", "enc_key": "00" * 32}
    invocation = call(one, other, encrypted, "\0AAEC")
    assert (invocation[3]["enc_algo"], invocation[4]) == ("cryptobox", "\0AAEC")
    other.send(YIELD, invocation[1], encrypted, "\0AwQF")
    assert one.receive()[3] == "\0AwQF"


CHECKS = {
    "broker": {
        "pattern_based_subscription": patterns_of_topics,
        "session_meta_api": session_meta,
        "subscription_meta_api": subscription_meta,
        "subscriber_blackwhite_listing": lists,
        "publisher_exclusion": exclusion,
        "subscription_revocation": revoke_subscription,
        "event_retention": retention,
        "payload_transparency": payloads,
        "payload_encryption_cryptobox": payloads,
    },
    "dealer": {
        "caller_identification": caller_identification,
        "pattern_based_registration": patterns_of_procedures,
        "session_meta_api": session_meta,
        "registration_meta_api": registration_meta,
        "shared_registration": shared_registration,
        "progressive_call_results": progress,
        "registration_revocation": revoke_registration,
        "payload_transparency": payloads,
        "testament_meta_api": last_will,
        "payload_encryption_cryptobox": payloads,
        "call_canceling": canceling,
    },
}


def test_no_other_feature_is_announced(node):
    with node.join("user:joe") as visitor, node.backend() as backend:
        for client in (visitor, backend):
            announced = {
                (role, feature)
                for role, details in client.welcome["roles"].items()
                for feature, is_there in details["features"].items()
                if is_there
            }
            assert announced <= {(role, feature) for role, checks in CHECKS.items() for feature in checks}


@pytest.mark.parametrize(
    ("role", "feature"), [(role, feature) for role, checks in CHECKS.items() for feature in checks]
)
def test_a_feature_that_is_announced_works(node, pair, role, feature):
    assert pair[0].welcome["roles"][role]["features"][feature] is True
    CHECKS[role][feature](*pair)


# -- clients of others -------------------------------------------------------------------------------------------------

NEXUS = Path(__file__).parents[1] / "wamp_clients" / "go"
# A folder that outlives a clone.
BUILT = Path.home() / ".cache" / "stork-node-tests" / "nexus-probe"


def test_the_features_work_with_nexus(node):
    """In JSON, MessagePack and CBOR: calls, progress, cancelling, time-outs, patterns, exclusion, lists, meta API."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    BUILT.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", str(BUILT), "."], cwd=NEXUS, check=True, timeout=900)
    command = [str(BUILT), node.url, BACKEND_SECRET]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each for each in seen if not each["ok"]] == [], done.stderr
    assert (done.returncode, len(seen)) == (0, 58)


def test_the_features_work_with_xconn(node):
    one, other = (
        Client(authenticator=WAMPCRAAuthenticator("backend", BACKEND_SECRET)).connect(node.url, "realm1")
        for _ in range(2)
    )
    events: queue.Queue[Any] = queue.Queue()

    def note(what: str) -> Any:
        return lambda event: events.put((what, *event.args))

    def answer(who: str) -> Any:
        return lambda invocation: Result([who, *invocation.args])

    def name(invocation: Invocation) -> Result:
        return Result([invocation.details["procedure"]])

    try:
        for uri, match in (
            ("io.example.xconn.topic", "exact"),
            ("io.example.xconn", "prefix"),
            ("io..xconn.topic", "wildcard"),
        ):
            other.subscribe(uri, note(match), {"match": match})
        one.subscribe("io.example.xconn.topic", note("own"))
        one.publish("io.example.xconn.topic", [1], options={"acknowledge": True})
        assert {events.get(timeout=20) for _ in range(3)} == {("exact", 1), ("prefix", 1), ("wildcard", 1)}
        lists = {"acknowledge": True, "exclude_me": False, "eligible": [one._base_session.id]}
        one.publish("io.example.xconn.topic", [2], options=lists)
        assert events.get(timeout=20) == ("own", 2)
        for each, who in ((one, "one"), (other, "other")):
            each.register("io.example.xconn.shared", answer(who), {"invoke": "roundrobin"})
        assert {one.call("io.example.xconn.shared", [7]).args[0] for _ in range(4)} == {"one", "other"}
        other.register("io.example.xconn.any", name, {"match": "prefix"})
        assert one.call("io.example.xconn.any.name").args == ["io.example.xconn.any.name"]
        assert one.call("wamp.session.count").args[0] >= 2
        assert one.call("wamp.subscription.lookup", ["io.example.xconn.topic"]).args[0]
        assert one.call("wamp.registration.lookup", ["io.example.xconn.shared"]).args[0]
        assert events.empty()
    finally:
        one.leave()
        other.leave()
