from hypothesis import given
from hypothesis import strategies as st

from stork_node.engines.recent_ids import RecentIds
from stork_node.protocol.positions import Position


def at(sequence: int) -> Position:
    return Position("e", sequence)


def test_an_id_is_known_with_its_position_for_five_minutes():
    ids = RecentIds()
    ids.remember([("a", at(1))], now=1000.0)
    ids.forget_old(1300.0)
    assert ids.position("a") == at(1)
    ids.forget_old(1300.1)
    assert ids.position("a") is None
    assert len(ids) == 0


def test_the_oldest_ids_go_when_there_are_too_many():
    ids = RecentIds(keep_ids=3)
    ids.remember([("a", at(1)), ("b", at(2))], now=1.0)
    ids.remember([("c", at(3)), ("d", at(4))], now=2.0)
    assert [ids.position(id) for id in "abcd"] == [None, at(2), at(3), at(4)]
    ids.forget_old(301.5)
    assert [ids.position(id) for id in "bcd"] == [None, at(3), at(4)]


def test_nothing_is_remembered_of_nothing():
    ids = RecentIds()
    ids.remember([], now=1.0)
    ids.forget_old(1000.0)
    assert len(ids) == 0


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(0, 4)), max_size=40))
def test_what_is_kept_is_what_the_rule_says(batches):
    ids, now, written, number = RecentIds(keep_s=100, keep_ids=10), 0.0, [], 0
    for pause, size in batches:
        now += pause
        ids.forget_old(now)
        batch = [(str(number + i), at(number + i)) for i in range(size)]
        number += size
        ids.remember(batch, now)
        written += [(id, now) for id, _ in batch]
        kept = {id for id, when in written[-10:] if now - when <= 100}
        assert {id for id, _ in written if ids.position(id) is not None} == kept
        assert len(ids) == len(kept)
