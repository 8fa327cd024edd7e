"""What a relay that asks for replay gets: a page from where it asked, or from where the server can."""

from enum import Enum

from stork_node.engines.interface import Engine
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import PAGE_BYTES, PageHeader, ReplayRequest, encode_page
from stork_node.publish_server.counters import Counters
from stork_node.push_log import BeyondLog, Page


class Claim(Enum):
    """What a relay says to have seen, beside what the log has."""

    KNOWN = "the log has it, or begins anew for this relay"
    LOST = "the log gave it, and does not have it: an older copy took its place"
    UNEXPLAINED = "nothing shows that the log gave it; the relay begins anew"
    IMPOSSIBLE = "nothing shows that the log gave it, and there is no page after it"


class Replay:
    """Reads pages of one log, held since this run began."""

    def __init__(self, engine: Engine, counters: Counters) -> None:
        self._engine, self._counters = engine, counters
        self._tail_at_start = engine.tail
        self._epochs = engine.epochs  # as it was opened: retention deletes what tells of the older ones

    def judge(self, request: ReplayRequest) -> Claim:
        """
        Judge what a relay says to have seen.

        Whoever reaches the port can say anything: to believe it would let anybody cut every subscriber. So a claim
        that this run cannot know to be true needs a proof, and is believed in an epoch that the log had when this run
        began: once at most.
        """
        tail, start = self._engine.tail, self._tail_at_start
        goes_on = self._engine.continues and start.epoch == tail.epoch
        if request.epoch != tail.epoch:
            if not goes_on or request.epoch == "" or request.epoch in self._epochs:
                return Claim.KNOWN
            # The log had no such epoch: one that an older copy of it began, say.
            return Claim.LOST if self._is_proven(request) else Claim.UNEXPLAINED
        if request.run == self._engine.run or not goes_on:
            return Claim.KNOWN if request.after <= tail.sequence else Claim.IMPOSSIBLE
        # What this run gave numbers to does not make up for what the relay may have seen of another one under them.
        if request.after <= start.sequence:
            return Claim.KNOWN
        if self._is_proven(request):
            return Claim.LOST
        return Claim.UNEXPLAINED if request.after < tail.sequence else Claim.IMPOSSIBLE

    def _is_proven(self, request: ReplayRequest) -> bool:
        return self._engine.has_given(Position(request.epoch, request.after), request.run, request.proof)

    def page(self, request: ReplayRequest, claim: Claim) -> list[bytes]:
        """The frames of the answer; of pushes that are not kept there is none."""
        page = self._read(request, claim)
        frames = [frame for frame in page.frames if frame is not None]
        self._counters.replay_pages += 1
        self._counters.replay_pushes += len(frames)
        tail = self._engine.tail
        proof = self._engine.prove(page.last)
        header = PageHeader(
            tail.epoch, self._engine.run, self._engine.floor, tail.sequence, page.after, page.last, proof, nodes=True
        )
        return encode_page(header, frames)

    def _read(self, request: ReplayRequest, claim: Claim) -> Page:
        tail = self._engine.tail
        if request.epoch == tail.epoch:
            if claim is Claim.UNEXPLAINED:  # where the page begins tells this relay of its break
                return Page(tail.sequence, [])
            try:
                return self._engine.read(request.after, PAGE_BYTES)
            except BeyondLog:
                pass
        while True:
            try:
                return self._engine.read(self._engine.place_before(request.keep_s, request.keep_bytes), PAGE_BYTES)
            except BeyondLog:  # damage, which raises the floor, up to the tail at most
                continue
