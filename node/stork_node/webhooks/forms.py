"""The form of a webhook: whom it posts to, how its requests are signed, and what they have in them."""

from collections.abc import Callable, Sequence
from typing import Protocol

from stork_node.webhooks.reading import EventReader


class Form(Protocol):
    """
    Attributes:
        known_as: the stored position belongs to this name.
        url: where to POST.
        timeout_s: the whole time for one request, in seconds.
    """

    @property
    def known_as(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def timeout_s(self) -> float: ...

    def reader(self) -> EventReader:
        """Makes events of the entries of the log."""

    def push_filter(self) -> Callable[[bytes], bool]:
        """Whether a frame may be a push that is told; quick, for the server's loop."""

    def body(self, events: Sequence[bytes]) -> bytes:
        """The body of a request."""

    def headers(self, body: bytes) -> dict[str, str]:
        """The headers that show from whom the request is."""
