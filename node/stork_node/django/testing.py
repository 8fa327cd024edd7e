"""For the tests of a Django project."""

import contextlib
from collections.abc import Iterator

from django.test import TestCase

from stork_node.application.push_recorder import PushRecorder, RecordedPush
from stork_node.django.pushes import Pushing


@contextlib.contextmanager
def captured_pushes() -> Iterator[list[RecordedPush]]:
    """
    Keep the pushes of a block, in place of a publish server::

        with captured_pushes() as pushes:
            client.post("/orders/42/pay")
        assert pushes[0].type == "order_paid"

    In a ``TestCase``, whose transaction is never committed, they are there when the block ends. What is rolled back is
    not among them.
    """
    pushes: list[RecordedPush] = []
    before, Pushing.publisher = Pushing.publisher, PushRecorder(pushes)
    try:
        with TestCase.captureOnCommitCallbacks(execute=True):
            yield pushes
    finally:
        Pushing.publisher = before
