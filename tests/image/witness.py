"""Who got what: what each subscriber had to get of a stream of pushes, and how long those that moved were gone."""

from dataclasses import dataclass
from itertools import pairwise

from tests.gateway import wait_for
from tests.image.subscribers import Crowd, Push, Stay, Stream, Subscriber

# Without recovery, a subscriber that moves misses what is pushed meanwhile. With it, set this.
RECOVERS = False


@dataclass(frozen=True)
class Account:
    """
    What came of a stream.

    Attributes:
        stayed: subscribers whose connection never ended meanwhile.
        moved: those who had to connect again.
        gone_s: the longest time that one of them was without a subscription.
    """

    stayed: int
    moved: int
    gone_s: float


def take_account(crowd: Crowd, stream: Stream, settle_s: float = 10.0) -> Account:
    """Fails unless each subscriber got all that it had to get, once, in order."""
    crowd.wait_until_connected()
    last = stream.pushes[-1].number
    missing = wait_for(
        lambda: all(last in member.stays[-1].numbers for member in crowd.members), f"push {last} everywhere", settle_s
    )
    assert missing
    begun = stream.pushes[0].begun
    stayed = moved = 0
    gone_s = 0.0
    for member in crowd.members:
        stays = [stay for stay in member.stays if stay.until is None or stay.until > begun]
        for stay in stays:
            check_stay(stay, stream.pushes)
        if len(stays) == 1:
            stayed += 1
        else:
            moved += 1
            gone_s = max(gone_s, *gaps(stays))
        if RECOVERS:
            assert numbers_of(member, stream) == [push.number for push in stream.pushes]
    return Account(stayed, moved, gone_s)


def check_stay(stay: Stay, pushes: list[Push]) -> None:
    """All pushes that were begun after SUBSCRIBED and answered before the end, each once, in the order of pushing."""
    got = [number for number in stay.numbers if number >= pushes[0].number]
    assert got == sorted(set(got)), f"doubled, or out of order: {got}"
    # A push answered at the moment of the end may still have been on its way to this node.
    until = (stay.until or float("inf")) - 1.0
    due = {push.number for push in pushes if push.begun > stay.since and push.answered < until}
    assert due <= set(got), f"never came: {sorted(due - set(got))}"


def gaps(stays: list[Stay]) -> list[float]:
    return [after.since - before.until for before, after in pairwise(stays) if before.until]


def numbers_of(member: Subscriber, stream: Stream) -> list[int]:
    first = stream.pushes[0].number
    return [number for stay in member.stays for number in stay.numbers if number >= first]
