from stork_node.broadcast.backlog import Backlog, ReaderLimits

LIMITS = ReaderLimits(max_waiting_bytes=1000, max_waiting_s=10.0)


def test_the_oldest_byte_is_as_old_as_the_first_look_at_it():
    backlog = Backlog()
    backlog.note(100, now=0.0)
    backlog.note(150, now=5.0)
    assert backlog.age_s(now=8.0) == 8.0
    backlog.sent(100)
    assert backlog.age_s(now=8.0) == 3.0
    backlog.sent(50)
    assert backlog.age_s(now=8.0) == 0.0


def test_a_reader_that_keeps_reading_is_never_too_slow():
    backlog = Backlog()
    for second in range(100):
        backlog.note(500, now=float(second))
        assert backlog.excess(500, float(second), LIMITS) is None
        backlog.sent(100)


def test_bytes_that_wait_too_long_are_an_excess():
    backlog = Backlog()
    backlog.note(1, now=0.0)
    assert backlog.excess(1, 10.0, LIMITS) is None
    assert backlog.excess(1, 10.1, LIMITS) == "bytes have been waiting for 10.1 s"


def test_what_the_latest_part_left_waiting_does_not_count_yet():
    backlog = Backlog()
    backlog.latest = 5000
    assert backlog.excess(6000, 0.0, LIMITS) is None
    assert backlog.excess(6001, 0.0, LIMITS) == "1001 bytes are waiting"


def test_marks_do_not_grow_with_the_looks():
    backlog = Backlog()
    for look in range(10_000):
        backlog.note(look, now=look / 1000)
    assert len(backlog._marks) <= 41


def test_an_empty_queue_has_no_age():
    backlog = Backlog()
    backlog.note(0, now=0.0)
    assert backlog.age_s(now=100.0) == 0.0
    assert backlog.excess(0, 100.0, LIMITS) is None
