"""Random lives of a log, compared with a list."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stork_node.push_log.epochs import Machine
from stork_node.push_log.inspection import read_info, verify
from tests.unit.push_log_tools import Clock, erase_all, kill, open_log, push, read_all

TOPICS = ["v1.a.1", "v1.b.2"]
RETENTION_S = 100.0


class LogLives(RuleBasedStateMachine):
    """Pushes, ticks, restarts, power losses, new epochs, erased topics."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.boot = 0
        self.written = {}  # sequence → (epoch, topics or None, time, frame)
        self.open("second")

    def open(self, sync):
        self.sync = sync
        self.log = open_log(
            self.folder,
            sync=sync,
            clock=self.clock,
            machine=Machine(f"boot-{self.boot}", "m"),
            segment_bytes=2000,
            retention_s=RETENTION_S,
        )

    @rule(kinds=st.lists(st.tuples(st.sets(st.sampled_from(TOPICS), min_size=1), st.booleans()), max_size=12))
    def append(self, kinds):
        entries = self.log.append([push(i, sorted(topics), store=store) for i, (topics, store) in enumerate(kinds)])
        for (topics, store), entry in zip(kinds, entries, strict=True):
            number = entry.position.sequence
            assert number == max(self.written, default=0) + 1
            frame = entry.frame if store else None
            self.written[number] = (entry.position.epoch, sorted(topics), self.clock.now, frame)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds):
        for _ in range(seconds):
            self.clock.now += 1
            self.log.tick(self.clock.now)
        # Nothing is kept for longer than promised, nor shorter.
        kept = [self.clock.now - self.written[number][2] for number in self.written if number > self.log.floor]
        assert max(kept, default=0) <= RETENTION_S * 1.1 + 2
        epoch = self.log.tail.epoch
        for number, (its_epoch, _, when, _) in self.written.items():
            assert number > self.log.floor or its_epoch != epoch or self.clock.now - when > RETENTION_S

    @rule(sync=st.sampled_from(["second", "always", "never"]), closed=st.booleans(), rebooted=st.booleans())
    def restart(self, sync, closed, rebooted):
        before, floor = self.log.tail, self.log.floor
        self.log.close() if closed else kill(self.log)
        self.boot += rebooted
        # With a reboot the kernel has brought all to disk here; what it has not is in test_push_log_recovery.
        was = read_info(self.folder)
        assert was.closed or not closed
        self.open(sync)
        kept = was.closed or not rebooted or was.sync == "always"
        assert (self.log.tail == before) == kept
        assert self.log.tail.sequence == before.sequence
        assert self.log.floor == (floor if kept else before.sequence)

    @rule()
    def new_epoch(self):
        before = self.log.tail
        after = self.log.begin_new_epoch()
        assert (after.sequence, after.epoch == before.epoch) == (before.sequence, False)

    @rule(topic=st.sampled_from(TOPICS))
    def erase(self, topic):
        erase_all(self.log, topic)
        for number, (epoch, topics, when, frame) in self.written.items():
            if frame is not None and topic in topics:
                left = [it for it in topics if it != topic]
                frame = frame.replace(b'"%b",' % topic.encode(), b"").replace(b',"%b"' % topic.encode(), b"")
                self.written[number] = (epoch, left, when, frame if left else None)

    @invariant()
    def what_is_read_is_what_was_written(self):
        floor, tail = self.log.floor, self.log.tail
        assert tail.sequence == max(self.written, default=0)
        assert read_all(self.log, max_bytes=700) == [
            self.written[number][3] for number in range(floor + 1, tail.sequence + 1)
        ]
        assert all(self.written[number][0] == tail.epoch for number in range(floor + 1, tail.sequence + 1))
        assert [checked.problem for checked in verify(self.folder) if checked.problem] == []

    def teardown(self):
        kill(self.log)
        shutil.rmtree(self.folder)


LogLives.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLogLives = LogLives.TestCase
