"""Large answers of recover: in pages, and with every serializer."""

import pytest
import zmq

from stork_node.protocol.uris import RECOVER
from tests.gateway import TICKET
from tests.wamp import Client

MIB = 1024 * 1024


def test_answers_have_512_kib_of_events_or_one_and_pages_bring_all(shipped):
    topic = "v1.test.pages"
    with shipped.nodes[0].join() as client, shipped.publisher(timeout_ms=20_000) as publisher:
        client.subscribe(topic)
        at = client.call(RECOVER, {topic: None})[topic]["position"]
        sizes = [100_000] * 8 + [MIB - 200, 1]
        positions = [publisher.push(topic, type="t", data="x" * size) for size in sizes]
        while client.event()[2]["position"] != positions[-1]:
            pass
        pages, found = [], []
        while True:
            answer = client.call(RECOVER, {topic: at}, max_bytes=MIB // 2)[topic]
            assert answer["recovered"] is True
            pages.append(len(answer["events"]))
            found += [event["position"] for event in answer["events"]]
            if "more" not in answer:
                break
            assert answer["more"] is True
            at = answer["position"]
            assert at == found[-1]
    assert pages == [5, 3, 1, 1]
    assert found == positions


@pytest.mark.parametrize(
    ("serializer", "number"), [("json", b"9e15"), ("msgpack", b"1.5"), ("msgpack", b"1e1"), ("cbor", b"1e1")]
)
def test_a_push_of_1_mib_is_recovered_where_its_numbers_are_written_longer(shipped, serializer, number):
    """JSON's 9e15 is 9000000000000000.0 to Python, and any float is nine bytes in MessagePack and CBOR."""
    topic = f"v1.test.{serializer}-{number[0]}{number[-1]}"
    head, tail = b'{"topics":["%s"],"type":"t","data":[' % topic.encode(), b"]}"
    count = (MIB - len(head) - len(tail) + 1) // (len(number) + 1)
    document = head + b",".join([number] * count) + tail
    with Client(shipped.nodes[0].url, serializer=serializer).join(TICKET) as client, zmq.Context() as context:
        client.subscribe(topic)
        before = client.call(RECOVER, {topic: None})[topic]["position"]
        with context.socket(zmq.DEALER) as dealer:
            dealer.connect(shipped.router)
            dealer.send(document)
            assert dealer.recv().startswith(b'{"ok":true')
        _, event, details = client.event()
        assert event["data"] == [float(number)] * count
        answer = client.call(RECOVER, {topic: before})[topic]
        assert answer["recovered"] is True
        assert answer["events"] == [{"position": details["position"], **event}]
