"""Checks which pushes each subscriber got and had to get, and how long those that moved were gone."""

from dataclasses import dataclass, field
from itertools import pairwise

from tests.gateway import wait_for
from tests.image.subscribers import Crowd, Push, Stay, Stream, Subscriber


@dataclass(frozen=True)
class Account:
    """
    What came of a stream.

    Attributes:
        pushes: how many were answered.
        stayed: subscribers whose connection never ended meanwhile.
        delivered: pushes that those who stayed got, all together.
        moved: those who had to connect again.
        gone_s: the longest time that one of them was gone, until it had recovered.
        missed: pushes that those who moved did not get, neither then nor by recovery, all together.
        told: how often they were told that something was missed.
    """

    pushes: int
    stayed: int
    delivered: int
    moved: int
    gone_s: float
    missed: int
    told: int


@dataclass(frozen=True)
class Report:
    """The observations of all tests of a run, as a table."""

    rows: list[tuple[str, Account]] = field(default_factory=list)

    HEAD = ("what happened", "pushes", "stayed", "got", "moved", "back within s", "missed", "told of gaps")

    def lines(self) -> list[str]:
        cells = [self.HEAD, *(self._cells(what, account) for what, account in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]

    @staticmethod
    def _cells(what: str, account: Account) -> tuple[str, ...]:
        gone = f"{account.gone_s:.2f}" if account.moved else "-"
        got = f"{account.delivered} of {account.stayed * account.pushes}"
        return (
            what,
            str(account.pushes),
            str(account.stayed),
            got,
            str(account.moved),
            gone,
            str(account.missed),
            str(account.told),
        )


def take_account(crowd: Crowd, stream: Stream, settle_s: float = 10.0) -> Account:
    """Fails unless each subscriber got all that it had to get, once, in order."""
    crowd.wait_until_connected()
    last = stream.pushes[-1].number
    missing = wait_for(
        lambda: all(last in member.stays[-1].numbers for member in crowd.members), f"push {last} everywhere", settle_s
    )
    assert missing
    begun = stream.pushes[0].begun
    pushed = {push.number for push in stream.pushes}
    stayed = delivered = moved = missed = 0
    gone_s = 0.0
    for member in crowd.members:
        stays = [stay for stay in member.stays if stay.until is None or stay.until > begun]
        for stay in stays:
            check_stay(stay, stream.pushes)
        got = numbers_of(member, stream)
        assert got == sorted(set(got)), f"doubled, or out of order: {got} in {stays}"
        if len(stays) == 1:
            stayed += 1
            delivered += len(pushed & set(got))
        else:
            moved += 1
            missed += len(pushed - set(got))
            gone_s = max(gone_s, *gaps(stays))
    return Account(len(pushed), stayed, delivered, moved, gone_s, missed, sum(member.gaps for member in crowd.members))


def check_stay(stay: Stay, pushes: list[Push]) -> None:
    """All pushes that were begun after its begin and answered before the end, each once, in the order of pushing."""
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
