"""Which messages and options pass the gate, by who sends them."""

import pytest

from stork_node.config.limits import ClientLimits
from stork_node.gate.bounds import Unreadable
from stork_node.gate.options import NotExpected, SenderKind, pass_options
from stork_node.gate.reading import Gate

WHO = {"session": 1, "authid": "admin", "authrole": "backend"}
# What Crossbar believes of whoever says it: none of it passes, whoever it is.
BELIEVED = {
    "forward_for": [WHO],
    "caller": 1,
    "caller_authid": "admin",
    "caller_authrole": "backend",
    "callee": 1,
    "callee_authid": "admin",
    "callee_authrole": "backend",
    "publisher": 1,
    "publisher_authid": "admin",
    "publisher_authrole": "backend",
    "x_acknowledged_delivery": True,
    "resumable": True,
    "resume-session": 1,
    "resume-token": "x",
    "authrole": "backend",
    "authprovider": "static",
    "correlation_id": "x",
    "_custom": 1,
}
ENCRYPTION = {"enc_algo": "cryptobox", "enc_key": "x", "enc_serializer": "json"}
REQUESTS = {
    "ERROR": [8, 68, 1, BELIEVED, "a.b"],
    "PUBLISH": [16, 1, BELIEVED, "a.b"],
    "SUBSCRIBE": [32, 1, BELIEVED, "a.b"],
    "UNSUBSCRIBE": [34, 1, 2, BELIEVED],
    "CALL": [48, 1, BELIEVED, "a.b", [1], {}],
    "CANCEL": [49, 1, BELIEVED],
    "REGISTER": [64, 1, BELIEVED, "a.b"],
    "UNREGISTER": [66, 1, 2, BELIEVED],
    "YIELD": [70, 1, BELIEVED],
    "GOODBYE": [6, BELIEVED, "a.b"],
}


@pytest.mark.parametrize("sender", [SenderKind.VISITOR, SenderKind.BACKEND])
@pytest.mark.parametrize("message", REQUESTS.values(), ids=REQUESTS)
def test_nobody_says_for_whom_he_speaks(message, sender):
    assert pass_options(message, sender) == [{} if part is BELIEVED else part for part in message]


@pytest.mark.parametrize("message", [[1, "realm1", BELIEVED], [3, BELIEVED, "a.b"], [5, "ticket", BELIEVED]])
def test_nor_does_one_who_has_not_joined(message):
    assert pass_options(message, SenderKind.STRANGER) == [{} if part is BELIEVED else part for part in message]


def test_hello_keeps_what_a_client_may_say_of_itself():
    details = {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe", "authextra": {"a": [1]}}
    passed = pass_options([1, "realm1", {**details, **BELIEVED}], SenderKind.STRANGER)[2]
    assert passed == {**details, "roles": {"caller": {"features": {}}}}


def test_features_are_booleans_with_names_of_wamp():
    announced = {
        "pattern_based_subscription": True,
        "call_canceling": None,
        "x_acknowledged_event_delivery": True,
        "payload_transparency": True,
        "self": True,
        "_private": True,
        "a b": True,
        "progressive_call_results": "yes",
    }
    roles = {"subscriber": {"features": announced}, "caller": None, "callee": {"features": 7}, "publisher": {}}
    passed = pass_options([1, "realm1", {"roles": roles}], SenderKind.STRANGER)[2]["roles"]
    assert passed == {
        "subscriber": {"features": {"pattern_based_subscription": True}},
        "caller": {"features": {}},
        "callee": {"features": {}},
        "publisher": {"features": {}},
    }


@pytest.mark.parametrize(
    ("message", "options"),
    [
        ([32, 1, {"match": "prefix", "get_retained": True}, "a"], {"match": "prefix", "get_retained": True}),
        ([48, 1, {"receive_progress": True, "timeout": 1000}, "a"], {"receive_progress": True, "timeout": 1000}),
        ([48, 1, {"timeout": 2**53}, "a"], {}),
        ([48, 1, {"timeout": 0}, "a"], {}),
        ([48, 1, {"timeout": True}, "a"], {}),
        ([48, 1, {"disclose_me": True}, "a"], {}),
        ([49, 1, {"mode": "kill"}], {"mode": "kill"}),
        ([16, 1, {"acknowledge": True, "retain": True}, "a"], {"acknowledge": True}),
        ([64, 1, {"invoke": "last", "force_reregister": True}, "a"], {"invoke": "last"}),
        ([70, 1, {"progress": True, **ENCRYPTION}], {"progress": True}),
        ([32, 1, {"match": None}, "a"], {}),
        ([32, 1, None, "a"], {}),
    ],
)
def test_a_visitor_keeps_what_wamp_has_for_him(message, options):
    assert pass_options(message, SenderKind.VISITOR)[2] == options


@pytest.mark.parametrize(
    "message",
    [
        [16, 1, {"retain": True, "transaction_hash": "x", **ENCRYPTION}, "a"],
        [48, 1, {"transaction_hash": "x", **ENCRYPTION}, "a"],
        [64, 1, {"force_reregister": True, "concurrency": 3}, "a"],
        [70, 1, {"progress": True, **ENCRYPTION}],
        [8, 68, 1, ENCRYPTION, "a"],
    ],
)
def test_a_backend_keeps_what_crossbar_has_for_it(message):
    assert pass_options(message, SenderKind.BACKEND) == message


def test_options_that_are_left_out_stay_out():
    assert pass_options([34, 1, 2], SenderKind.VISITOR) == [34, 1, 2]


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        *((SenderKind.STRANGER, number) for number in (2, 4, 8, 16, 32, 48, 64, 70, 337)),
        *(
            (SenderKind.VISITOR, number)
            for number in (1, 2, 3, 4, 5, 17, 33, 35, 36, 50, 65, 67, 68, 69, 337, 0, -1, 2**60)
        ),
        *((SenderKind.BACKEND, number) for number in (1, 2, 36, 50, 68, 69, 337)),
    ],
)
def test_messages_that_a_sender_never_sends_are_refused(sender, number):
    with pytest.raises(NotExpected):
        pass_options([number, 1, {}, "a"], sender)


@pytest.mark.parametrize("message", [None, 1, "x", {}, [], ["1"], [True], [1.0], [[1]]])
def test_what_is_no_message_is_refused(message):
    with pytest.raises(Unreadable, match="it is no WAMP message"):
        pass_options(message, SenderKind.VISITOR)


@pytest.mark.parametrize("message", [[32, 1, [], "a"], [48, 1, "x", "a"], [1, "realm1", {"roles": []}]])
def test_options_that_are_no_map_are_refused(message):
    with pytest.raises(Unreadable, match="no map"):
        pass_options(message, SenderKind.STRANGER if message[0] == 1 else SenderKind.VISITOR)


def test_each_sender_has_bounds_of_his_own():
    gate = Gate(ClientLimits(handshake_bytes=100, message_bytes=200, handshake_elements=10, message_elements=20))
    text = b'[5, "%s", {}]'
    assert gate.read(text % (b"x" * 80), "json", SenderKind.STRANGER)
    with pytest.raises(Unreadable, match="more than 100 bytes"):
        gate.read(text % (b"x" * 90), "json", SenderKind.STRANGER)
    with pytest.raises(Unreadable, match="more than 200 bytes"):
        gate.read(b'[48, 1, {}, "%s"]' % (b"x" * 190), "json", SenderKind.VISITOR)
    with pytest.raises(Unreadable, match="more than 20 elements"):
        gate.read(b'[48, 1, {}, "a", [%s]]' % b",".join([b"1"] * 20), "json", SenderKind.VISITOR)
    assert gate.read(b'[48, 1, {}, "a", [%s]]' % b",".join([b"1"] * 2_000), "json", SenderKind.BACKEND)
