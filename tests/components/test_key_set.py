"""A key set: fetched at the start, again and again, at once for an unknown key, and kept while it is away."""

import warnings
from collections.abc import Callable

import pytest
from twisted.internet import defer
from twisted.internet.task import Clock

from stork_node.errors import NoDecision
from stork_node.tokens.keys import VerifyingKey
from tests.tokens import SigningKey, jwks

with warnings.catch_warnings():
    # What autobahn imports has what is deprecated.
    warnings.simplefilter("ignore")
    from stork_components.tickets.key_set import KeySet, NotFetched

KEY = SigningKey("ES256", "e1")


class Source:
    """Answers of a server that a test gives, one by one."""

    def __init__(self) -> None:
        self.clock, self.taken = Clock(), []
        self.fetches: list[defer.Deferred[bytes]] = []
        self.keys = KeySet(self.clock, "url", self.fetch, symmetric=False, took=self.took, refresh_s=100.0)
        self.clock.advance(0)

    async def fetch(self) -> bytes:
        fetch: defer.Deferred[bytes] = defer.Deferred()
        self.fetches.append(fetch)
        return await fetch

    def took(self, source: str, keys: tuple[VerifyingKey, ...]) -> None:
        self.taken.append([key.kid for key in keys])

    def wait_s(self, fact: Callable[[], bool]) -> float:
        """The seconds until something is so, in steps of a tenth."""
        start = self.clock.seconds()
        while not fact():
            assert self.clock.seconds() < start + 1000
            self.clock.advance(0.1)
        return self.clock.seconds() - start


@pytest.fixture
def source() -> Source:
    return Source()


def test_it_is_fetched_at_the_start_and_again_later(source):
    source.fetches[0].callback(jwks(KEY))
    assert source.taken == [["e1"]]
    assert source.wait_s(lambda: len(source.fetches) == 2) == pytest.approx(100, abs=0.2)
    source.keys.stop()


def test_those_who_wait_at_one_time_share_one_fetch(source):
    source.fetches[0].callback(jwks(KEY))
    waiting = [source.keys.renewed() for _ in range(1000)]
    assert source.wait_s(lambda: len(source.fetches) == 2) == pytest.approx(1, abs=0.2)
    assert not any(each.called for each in waiting)
    source.fetches[1].callback(jwks(KEY))
    assert all(each.called for each in waiting)
    assert len(source.taken) == 2
    source.keys.stop()


def test_a_fetch_that_runs_already_does_not_count_for_later_ones(source):
    waiting = source.keys.renewed()
    source.fetches[0].callback(jwks(KEY))
    assert not waiting.called
    source.wait_s(lambda: len(source.fetches) == 2)
    source.fetches[1].callback(jwks(KEY))
    assert waiting.called
    source.keys.stop()


@pytest.fixture(params=[NoDecision("status 503"), OSError(2, "No such file"), b"<html>", b'{"keys": []}'], ids=str)
def fail(request: pytest.FixtureRequest) -> Callable[[defer.Deferred[bytes]], None]:
    """Ends a fetch with an error, or with what is no key set."""

    def end(fetch: defer.Deferred[bytes]) -> None:
        fetch.callback(request.param) if isinstance(request.param, bytes) else fetch.errback(request.param)

    return end


def test_a_fault_is_tried_again_with_growing_pauses(source, fail):
    pauses = []
    for n in (1, 2, 3):
        fail(source.fetches[-1])
        pauses.append(source.wait_s(lambda n=n: len(source.fetches) == n + 1))
    assert pauses == pytest.approx([2, 4, 8], abs=0.2)
    assert source.taken == []
    source.fetches[-1].callback(jwks(KEY))
    assert source.taken == [["e1"]]
    source.keys.stop()


def test_who_waits_for_a_fetch_is_told_of_its_fault(source, fail):
    source.fetches[0].callback(jwks(KEY))
    waiting = source.keys.renewed()
    source.wait_s(lambda: len(source.fetches) == 2)
    fail(source.fetches[1])
    failures = []
    waiting.addErrback(failures.append)
    [failure] = failures
    assert failure.check(NotFetched)
    assert str(failure.value).startswith("the keys of url cannot be fetched: ")
    assert source.taken == [["e1"]]
    source.keys.stop()
