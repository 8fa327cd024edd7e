"""A WAMP session that records what is asked of it; ``test_fake_session.py`` compares it with a real one's behaviour."""

from dataclasses import dataclass, field
from typing import Any

from twisted.internet import defer


@dataclass
class RecordedCall:
    uri: str
    args: tuple[Any, ...]
    cancelled: bool = False
    answer: "defer.Deferred[Any]" = field(init=False)

    def __post_init__(self) -> None:
        self.answer = defer.Deferred(lambda _: setattr(self, "cancelled", True))


class FakeSession:
    """
    Calls wait for the test to answer them; events are delivered when the test emits them. Registrations are looked up
    in ``registered``.
    """

    def __init__(self) -> None:
        self.calls: list[RecordedCall] = []
        self.registered: dict[str, int] = {}
        self._handlers: dict[str, list[Any]] = {}

    def call(self, uri: str, *args: Any) -> "defer.Deferred[Any]":
        if uri == "wamp.registration.lookup":
            return defer.succeed(self.registered.get(*args))
        call = RecordedCall(uri, args)
        self.calls.append(call)
        return call.answer

    def subscribe(self, handler: Any, topic: str) -> "defer.Deferred[None]":
        self._handlers.setdefault(topic, []).append(handler)
        return defer.succeed(None)

    def emit(self, topic: str, *args: Any, **kwargs: Any) -> None:
        for handler in self._handlers.get(topic, []):
            handler(*args, **kwargs)
