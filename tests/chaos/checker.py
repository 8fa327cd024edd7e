"""
Match what was pushed against what each subscriber was handed.

Nothing here is shared with what is checked, not even the reading of a position. The rules, for one subscriber and one
topic; a *stored* push is one that was answered ok, or that any subscriber has got:

- A history begins at the position it was given (``since``), or at the first that it learned; what was pushed up to
  there is owed to nobody. It ends where the subscriber left; one that stays is owed all that is ever stored.
- ``onrecovered(topic, false)`` with a position, an *announcement*, cuts the history into stretches: what comes after
  it has to be later than its position, and nothing up to there counts as missing.
- **missing**: each stored push to the topic, later than its stretch's beginning, that did not come, although a later
  one did, or the history ended there.
- **unannounced**: each place in a stretch at which pushes are missing, or at which another epoch goes on.
- **twice**: each event whose push has come before, or whose position.
- **out of order**: each event that is not later than the one before it in its stretch; each answer to a pusher that is
  not later than its answer before.
- **wrong**: each event that nobody pushed, that came for another topic, or at another position than was answered.
- **needless**: each announcement for which there was no need. There is need only where the announced position is of
  another epoch than the history's last, and a log was replaced by an older copy before: a publish server that is
  killed, stopped or cut off keeps its epoch, and each fault is shorter than what nodes remember (5 minutes a topic).
  ``reach_s`` or more between the last sign of life of the connection and the announcement is need, too.

Pushes that were under way between the taking of a copy and its use may be in no log any more. Nodes may have delivered
them; where one did not, the announcement that follows covers them, even if events of the same epoch came before it.
Their ids are forgotten with them: pushed again, they are another push, and their positions may be given again. Pushes
that are not stored (``store: false``) are owed to nobody; they too come once and in order.

Where the log is on an engine, another epoch may begin at any time; it has to be announced. A push of an epoch that is
over may come once more if its number is above the last one that was committed there, as the engine knows it: its id is
stored anew. ``replaced`` then has one entry of time 0: each new epoch is a need, and no push is lost within an epoch.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.chaos.histories import Announced, Entry, Got, Histories, Left, Pushed, Replaced, Start, Verdict

Place = tuple[str, int]


def place(position: str) -> Place:
    epoch, _, sequence = position.rpartition(":")
    return epoch, int(sequence)


def check(
    pushes: Iterable[Pushed],
    histories: Histories,
    replaced: Sequence[Replaced] = (),
    ends: Mapping[str, int] | None = None,
    reach_s: float = 240.0,
) -> Verdict:
    """
    Judge a run.

    Args:
        pushes: all that were tried, each pusher's in the order of its answers.
        histories: of subscribers that were all given the time to get what they are owed.
        replaced: when logs were replaced by older copies.
        ends: of a log on an engine, up to which number each epoch that is over was committed.
        reach_s: how long (seconds) a subscriber may be away and still has to recover.
    """
    pushes = list(pushes)
    verdict = Verdict(pushes=len(pushes))
    _check_answers(pushes, verdict)
    known = _Known(pushes, histories, replaced, ends, verdict)
    for (subscriber, topic), entries in histories.items():
        _History(f"{subscriber} on {topic}", topic, known, verdict, reach_s).judge(entries)
    return verdict


def _check_answers(pushes: list[Pushed], verdict: Verdict) -> None:
    last: dict[tuple[str, str], int] = {}
    for push in pushes:
        if push.position is None:
            continue
        epoch, sequence = place(push.position)
        if sequence <= last.get((push.pusher, epoch), -1):
            verdict.found("out_of_order", f"{push.pusher} was answered {push.position} after a later position")
        last[push.pusher, epoch] = sequence


class _Known:
    """The knowledge about all pushes together."""

    def __init__(
        self,
        pushes: list[Pushed],
        histories: Histories,
        replaced: Sequence[Replaced],
        ends: Mapping[str, int] | None,
        verdict: Verdict,
    ) -> None:
        self.pushes = {push.id: push for push in pushes}
        self._replaced, self._ends = replaced, ends
        self._places: dict[str, set[Place]] = defaultdict(set)
        for push in pushes:
            if push.position is not None:
                self._places[push.id].add(place(push.position))
        for entries in histories.values():
            for entry in entries:
                if isinstance(entry, Got) and entry.id in self.pushes:
                    self._see(entry, verdict)
        self._stored: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for id_, places in self._places.items():
            if self.pushes[id_].stored:
                for epoch, sequence in places:
                    for topic in set(self.pushes[id_].topics):
                        self._stored[topic, epoch].append((sequence, id_))
        for stored in self._stored.values():
            stored.sort()
        answered = [push for push in pushes if push.position is not None]
        newest = max(answered, key=lambda push: push.at, default=None)
        self.last_epoch = place(newest.position)[0] if newest and newest.position else ""

    def _see(self, got: Got, verdict: Verdict) -> None:
        places, seen = self._places[got.id], place(got.position)
        of_epoch = {each for each in places if each[0] == seen[0]}
        if of_epoch and seen not in of_epoch and not self.may_be_lost(got.id):
            verdict.found("wrong", f"{got.id} came at {got.position}, and is known at {sorted(of_epoch)}")
        places.add(seen)

    def stored(self, topic: str, epoch: str) -> list[tuple[int, str]]:
        """The stored pushes to a topic in an epoch: sequence and id, in order."""
        return self._stored.get((topic, epoch), [])

    def may_be_lost(self, id_: str) -> bool:
        """Whether the push may have been in no log after one was replaced by an older copy."""
        push = self.pushes[id_]
        return any(push.tried_at <= each.at and each.copied_at <= push.at for each in self._replaced)

    def may_come_again(self, id_: str) -> bool:
        """Whether the log may not have known the id any more, so that the push was stored anew."""
        if self._ends is None:
            return self.may_be_lost(id_)
        return any(
            number > self._ends.get(epoch, -1) for epoch, number in self._places[id_] if epoch != self.last_epoch
        )

    def replaced_before(self, at: float) -> bool:
        return any(each.at <= at for each in self._replaced)


class _History:
    """One subscriber's history of one topic, stretch by stretch."""

    def __init__(self, name: str, topic: str, known: _Known, verdict: Verdict, reach_s: float) -> None:
        self._name, self._topic, self._known, self._verdict, self._reach_s = name, topic, known, verdict, reach_s
        self._base: Place | None = None
        self._last: Place | None = None
        self._got: set[str] = set()  # in this stretch
        self._ids: set[str] = set()  # ever
        self._places: dict[Place, str] = {}

    def judge(self, entries: Sequence[Entry]) -> None:
        left = False
        for entry in entries:
            match entry:
                case Start(position) if self._base is None:
                    self._begin(place(position))
                case Got():
                    self._take(entry)
                case Announced(ok=True):
                    self._verdict.recovered += 1
                case Announced():
                    self._announced(entry)
                case Left():
                    left = True
        self._end(float("-inf") if left else float("inf"))
        if not left and self._base and self._base[0] != self._known.last_epoch:
            self._miss(self._known.stored(self._topic, self._known.last_epoch), "and stayed behind")

    def _begin(self, at: Place) -> None:
        self._base = self._last = at
        self._got = set()

    def _take(self, got: Got) -> None:
        self._verdict.delivered += 1
        at, push = place(got.position), self._known.pushes.get(got.id)
        if push is None or self._topic not in push.topics:
            self._verdict.found("wrong", f"{self._name} got {got.id} at {got.position}, which nobody pushed there")
            return
        if self._base is None or self._last is None:
            self._begin((at[0], at[1] - 1))
        elif self._is_repetition(got.id, at):
            self._verdict.found("twice", f"{self._name} got {got.id} at {got.position} again")
            self._got.add(got.id)
            return
        elif at[0] != self._last[0]:
            self._verdict.found("unannounced", f"{self._name} went from {_text(self._last)} to {got.position}")
            self._end(float("-inf"), announced=True)
            self._begin((at[0], at[1] - 1))
        elif at[1] <= self._last[1]:
            self._verdict.found("out_of_order", f"{self._name} got {got.position} after {_text(self._last)}")
            return
        self._last = at
        self._got.add(got.id)
        self._ids.add(got.id)
        self._places[at] = got.id

    def _is_repetition(self, id_: str, at: Place) -> bool:
        before = self._places.get(at)
        if before == id_:
            return True
        if before is not None and not self._known.may_be_lost(before):
            return True
        return id_ in self._ids and not self._known.may_come_again(id_)

    def _announced(self, entry: Announced) -> None:
        self._verdict.announced += 1
        at = None if entry.position is None else place(entry.position)
        if self._last is not None:
            self._justify(entry, self._last, at)
        self._end(float("-inf"), announced=True)
        if at is None:
            self._base = self._last = None
        else:
            self._begin(at)

    def _justify(self, entry: Announced, last: Place, at: Place | None) -> None:
        another_log = at is not None and at[0] != last[0] and self._known.replaced_before(entry.at)
        away_s = 0.0 if entry.last_sign is None else entry.at - entry.last_sign
        if not another_log and away_s < self._reach_s:
            sentence = f"{self._name} was told of a gap up to {entry.position} after {_text(last)}"
            self._verdict.found("needless", sentence)

    def _end(self, owed_to: float, *, announced: bool = False) -> None:
        """The end of a stretch: what of it is missing, up to its last event at least."""
        if self._base is None or self._last is None:
            return
        epoch, begins = self._base
        ends = max(owed_to, self._last[1])
        owed = [each for each in self._known.stored(self._topic, epoch) if begins < each[0] <= ends]
        if announced:
            owed = [(sequence, id_) for sequence, id_ in owed if not self._known.may_be_lost(id_)]
        self._miss(owed, "and was not told")

    def _miss(self, owed: Sequence[tuple[int, str]], how: str) -> None:
        told = True
        for sequence, id_ in owed:
            is_missing = id_ not in self._got
            if is_missing:
                self._verdict.found("missing", f"{self._name} did not get {id_} at {sequence}")
                if told:
                    self._verdict.found("unannounced", f"{self._name} did not get {id_} at {sequence} {how}")
            told = not is_missing


def _text(at: Place) -> str:
    return f"{at[0]}:{at[1]}"
