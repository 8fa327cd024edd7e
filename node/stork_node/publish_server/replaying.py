"""What a relay that asks for replay gets: a page from where it asked, or from where the server can."""

from stork_node.protocol.replay import PAGE_BYTES, PageHeader, ReplayRequest, encode_page
from stork_node.publish_server.counters import Counters
from stork_node.push_log import BeyondLog, Page, PushLog


class Replay:
    """Reads pages of one log, held since this run began."""

    def __init__(self, log: PushLog, counters: Counters) -> None:
        self._log, self._counters = log, counters
        self._tail_at_start = log.tail
        self._epochs = log.epochs  # as it was opened: retention deletes what tells of the older ones

    def is_impossible(self, request: ReplayRequest) -> bool:
        """
        Whether the relay claims to have seen numbers that nobody can have given.

        Of this epoch, beyond the log's end, and given by this run; or by another, in an epoch that this run has begun.
        Whoever reaches the port can claim so: to believe it would let anybody cut every subscriber, again and again.
        """
        if request.epoch != self._log.tail.epoch or request.after <= self._log.tail.sequence:
            return False
        return request.run == self._log.run or not self._goes_on_with_an_epoch()

    def is_ahead(self, request: ReplayRequest) -> bool:
        """
        Whether the relay has seen more than the log has: an older copy took the log's place before this run.

        More of its epoch; what this run gave numbers to since does not make up for it, for the relay may have seen
        others under them. Or another epoch, of which the log knows nothing: the one that was begun when an older copy
        took its place before, say. Only in an epoch that the log had when this run began: so it is true once at most.
        """
        if not self._goes_on_with_an_epoch():
            return False
        if request.epoch != self._log.tail.epoch:
            return request.epoch != "" and request.epoch not in self._epochs
        return request.run != self._log.run and request.after > self._tail_at_start.sequence

    def _goes_on_with_an_epoch(self) -> bool:
        return self._log.continues and self._tail_at_start.epoch == self._log.tail.epoch

    def page(self, request: ReplayRequest) -> list[bytes]:
        """The frames of the answer; of pushes that are not kept there is none."""
        page = self._read(request)
        frames = [frame for frame in page.frames if frame is not None]
        self._counters.replay_pages += 1
        self._counters.replay_pushes += len(frames)
        tail = self._log.tail
        header = PageHeader(tail.epoch, self._log.run, self._log.floor, tail.sequence, page.after, page.last)
        return encode_page(header, frames)

    def _read(self, request: ReplayRequest) -> Page:
        if request.epoch == self._log.tail.epoch:
            try:
                return self._log.read(request.after, PAGE_BYTES)
            except BeyondLog:
                pass
        while True:
            try:
                return self._log.read(self._log.place_before(request.keep_s, request.keep_bytes), PAGE_BYTES)
            except BeyondLog:  # damage, which raises the floor, up to the tail at most
                continue
