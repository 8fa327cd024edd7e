"""A WAMP client that is not autobahn's (xconn), with each serializer."""

import queue
from typing import Any

import pytest
from wampproto.auth import TicketAuthenticator
from wampproto.serializers import CBORSerializer, JSONSerializer, MsgPackSerializer
from xconn.client import Client

from tests.gateway import TICKET

DATA = {"text": "ä€😀", "numbers": [0, -1, 1.5, 2**53, -(2**63), 2**64 - 1], "nothing": None, "nested": [[{}]]}


@pytest.mark.parametrize("serializer", [JSONSerializer, MsgPackSerializer, CBORSerializer])
def test_a_push_reaches_a_client_of_each_serializer_as_it_was(shipped, serializer):
    events: queue.Queue[Any] = queue.Queue()
    session = Client(serializer=serializer(), authenticator=TicketAuthenticator("joe", TICKET)).connect(
        shipped.nodes[0].url, "realm1"
    )
    try:
        session.subscribe("v1.user.joe", events.put)
        with shipped.publisher() as publisher:
            position = publisher.push("v1.user.joe", type="order_paid", data=DATA, timestamp="2026-01-31T12:00:00Z")
        event = events.get(timeout=20)
        assert event.args == [{"type": "order_paid", "data": DATA, "timestamp": "2026-01-31T12:00:00Z"}]
        assert event.kwargs == {"position": position}
        assert session.call("virge.stork.example.foo", kwargs={"name": "x"}).args == [{"bar": "x"}]
    finally:
        session.leave()
