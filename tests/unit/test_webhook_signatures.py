from stork_node import verify_webhook
from stork_node.webhooks.signatures import sign
from tests.vector_files import vectors


@vectors("webhooks", "signatures")
def test_a_signature_is_taken_or_refused(case):
    given = verify_webhook(case["secret"], case["signature"], case["body"].encode(), case["now"])
    assert given is case["good"]


def test_a_signature_of_now_is_taken():
    import time

    signature = sign("a webhook secret of 20+", b"{}", int(time.time()))
    assert verify_webhook("a webhook secret of 20+", signature, b"{}")
