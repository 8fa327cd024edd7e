"""A key set in a file or at a URL: fetched at the start, again and again, and at once for an unknown key."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import defer
from twisted.logger import Logger

from stork_crossbar.http.outgoing import OutgoingHttp
from stork_node.errors import NoDecision, StorkError
from stork_node.tokens.keys import VerifyingKey, read_jwks

# Tokens with made-up key ids cause no more requests than this.
_PAUSE_S = 1.0
_LONGEST_RETRY_S = 60.0
_TIMEOUT_S = 5.0
_MOST_BYTES = 256 * 1024

Fetch = Callable[[], Awaitable[bytes]]


class NotFetched(StorkError):
    """The key set is away, or is none."""


class KeySet:
    """
    Args:
        source: path or URL, for the log.
        fetch: gets the document.
        symmetric: whether it may have HS256 keys.
        took: gets the keys each time that they were fetched.
        refresh_s: the time between two fetches.
    """

    def __init__(
        self,
        reactor: Any,
        source: str,
        fetch: Fetch,
        *,
        symmetric: bool,
        took: Callable[[str, tuple[VerifyingKey, ...]], None],
        refresh_s: float,
    ) -> None:
        self._reactor, self.source, self._fetch = reactor, source, fetch
        self._symmetric, self._took, self._refresh_s = symmetric, took, refresh_s
        self._log = Logger(namespace=__name__)
        self._began_at = -_PAUSE_S
        self._failures = 0
        self._waiting: list[defer.Deferred[None]] | None = None
        self._timer: Any = None
        self._next_at(0.0)

    def stop(self) -> None:
        """Fetch no more by itself."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def renewed(self) -> "defer.Deferred[None]":
        """Fires after a fetch that begins from now on. It fails with ``NotFetched``."""
        waiter: defer.Deferred[None] = defer.Deferred()
        if self._waiting is None:
            self._waiting = []
            self._next_at(max(0.0, self._began_at + _PAUSE_S - self._reactor.seconds()))
        self._waiting.append(waiter)
        return waiter

    def _next_at(self, in_s: float) -> None:
        self.stop()
        self._timer = self._reactor.callLater(in_s, lambda: defer.ensureDeferred(self._renew()))

    async def _renew(self) -> None:
        waiting, self._waiting = self._waiting or [], None
        self._began_at = self._reactor.seconds()
        failed: NotFetched | None = None
        try:
            self._took(self.source, read_jwks(await self._fetch(), symmetric=self._symmetric))
            self._failures = 0
        except (NoDecision, OSError, ValueError) as error:
            self._failures += 1
            failed = NotFetched(f"the keys of {self.source} cannot be fetched: {error}")
            if self._failures == 1:
                self._log.warn("{sentence}; it is tried again", sentence=str(failed))
        if self._waiting is None:
            retry_s = min(_LONGEST_RETRY_S, 2.0**self._failures)
            self._next_at(min(self._refresh_s, retry_s) if failed else self._refresh_s)
        for waiter in waiting:
            if failed:
                waiter.errback(failed)
            else:
                waiter.callback(None)


def at_url(reactor: Any, url: str) -> Fetch:
    """Gets the document at a URL; anything but 200 is no document."""
    http = OutgoingHttp(reactor, _TIMEOUT_S, _MOST_BYTES)

    async def fetch() -> bytes:
        answer = await http.get(url)
        if answer.status != 200:
            raise NoDecision(f"status {answer.status}")
        return answer.body

    return fetch


def in_file(path: str) -> Fetch:
    """Reads a file."""

    async def fetch() -> bytes:
        return Path(path).read_bytes()

    return fetch
