"""What a client and a server say of handshakes that fail."""

import pytest
import zmq

from stork_node.transport.handshakes import Reachability, stranger

SERVER = "the publish server at tcp://push:5556"
CONNECTED, RETRIED, MET = zmq.EVENT_CONNECTED, zmq.EVENT_CONNECT_RETRIED, zmq.EVENT_HANDSHAKE_SUCCEEDED
WRONG, ENDED, REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL,
    zmq.EVENT_HANDSHAKE_FAILED_AUTH,
)
MECHANISM, KEY = zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH, zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC


@pytest.mark.parametrize(
    ("has_secret", "events", "said"),
    [
        (False, [(RETRIED, 100)], "nobody answers at tcp://push:5556 (is the publish server running there?)"),
        (False, [(CONNECTED, 7)], ""),
        (False, [(CONNECTED, 7), (MET, 0)], ""),
        (False, [(CONNECTED, 7), (WRONG, MECHANISM)], "wants CURVE, and there is no secret here"),
        (True, [(CONNECTED, 7), (WRONG, MECHANISM)], "has no secret, and here is one"),
        (True, [(CONNECTED, 7), (ENDED, 32)], "refuses the secret that is used here"),
        (True, [(CONNECTED, 7), (REFUSED, 400)], "refuses the secret that is used here"),
        (True, [(CONNECTED, 7), (ENDED, 32), (RETRIED, 100), (CONNECTED, 7)], "refuses the secret that is used here"),
        (True, [(CONNECTED, 7), (ENDED, 32), (RETRIED, 100), (RETRIED, 100)], "nobody answers"),
        (True, [(CONNECTED, 7), (ENDED, 32), (CONNECTED, 7), (MET, 0)], ""),
        (False, [(CONNECTED, 7), (ENDED, 32)], "breaks off the handshake"),
    ],
)
def test_a_client_says_what_it_sees_of_the_server(has_secret, events, said):
    reachability = Reachability(SERVER, has_secret)
    for event, value in events:
        reachability.note(event, value)
    assert said in reachability.trouble
    assert bool(said) == bool(reachability.trouble)


@pytest.mark.parametrize(
    ("event", "value", "has_secret", "said"),
    [
        (WRONG, MECHANISM, True, "a peer has no secret, and this server has one"),
        (WRONG, MECHANISM, False, "a peer has a secret, and this server none"),
        (WRONG, KEY, True, "a peer with another secret"),
        (ENDED, 32, True, ""),
        (REFUSED, 400, True, ""),
        (WRONG, zmq.PROTOCOL_ERROR_ZMTP_UNSPECIFIED, True, ""),
    ],
)
def test_a_server_says_why_it_refused_a_peer(event, value, has_secret, said):
    assert stranger(event, value, has_secret) == said
