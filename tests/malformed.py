"""Push documents for tests; those that docs/delivery.md#push-document excludes are in ``tests/vectors``."""

import json

NOW = "2026-01-31T12:00:00.000Z"


def document(**fields: object) -> bytes:
    """A push document that is right but for ``fields``; a field that is ``...`` is left out."""
    whole = {"topics": ["v1.orders.42"], "type": "order_paid"} | fields
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


def with_data(text: bytes) -> bytes:
    """A push document with this JSON text as its data."""
    return b'{"topics":["v1.orders.42"],"type":"t","data":' + text + b"}"
