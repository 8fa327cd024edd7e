from stork_node.application.permission import Permission
from stork_node.application.values import ClientSession
from stork_node.guard.admitted import Admission, Admitted
from stork_node.guard.cache import VerdictCache

YES = Permission(True, cache_s=60.0)


def test_a_verdict_is_remembered_for_as_long_as_the_verifier_said():
    cache = VerdictCache(10)
    cache.put("joe", YES, now=100.0)
    assert cache.get("joe", now=159.9) is YES
    assert cache.get("joe", now=160.0) is None
    assert len(cache) == 0


def test_a_verdict_of_zero_seconds_is_not_remembered():
    cache = VerdictCache(10)
    cache.put("joe", Permission(True), now=0.0)
    assert cache.get("joe", now=0.0) is None


def test_the_least_recently_used_verdict_makes_room():
    cache = VerdictCache(2)
    cache.put("a", YES, now=0.0)
    cache.put("b", YES, now=0.0)
    cache.get("a", now=1.0)
    cache.put("c", YES, now=1.0)
    assert cache.get("a", now=1.0) is YES
    assert cache.get("b", now=1.0) is None
    assert len(cache) == 2


def test_a_cache_of_no_capacity_remembers_nothing():
    cache = VerdictCache(0)
    cache.put("a", YES, now=0.0)
    assert len(cache) == 0


def test_verdicts_of_a_group_are_dropped_without_the_others():
    cache = VerdictCache(3, group=lambda key: str(key)[0])
    for key in ("a1", "a2", "b1"):
        cache.put(key, YES, now=0.0)
    seen: list[object] = []
    assert cache.drop(lambda key: bool(seen.append(key)) or key != "a2", "a") == 1
    assert sorted(map(str, seen)) == ["a1", "a2"]
    assert cache.drop(lambda key: True, "c") == 0
    for key in ("c1", "c2"):
        cache.put(key, YES, now=0.0)  # the second takes the place of the oldest
    assert [cache.get(key, now=1.0) for key in ("a1", "a2", "b1", "c1", "c2")] == [None, None, YES, YES, YES]
    assert cache.get("b1", now=99.0) is None
    assert cache.drop(lambda key: True) == 2
    assert (len(cache), vars(cache)["_groups"]) == (0, {})


def test_what_was_said_of_a_session_is_known_from_its_ticket_to_its_leave():
    admitted = Admitted()
    joe = Admission(ClientSession(id=1, authid="joe", private={"groups": [1]}))
    admitted.expect(joe, now=0.0)
    assert admitted.get(1) is joe.session
    assert admitted.join(1) is joe
    assert admitted.get(1) is joe.session
    assert admitted.leave(1) is joe
    assert admitted.get(1) is None


def test_a_session_that_the_guard_has_not_let_in_is_unknown():
    admitted = Admitted()
    assert admitted.join(7) is None
    assert admitted.leave(7) is None
    assert len(admitted) == 0


def test_sessions_that_never_join_are_forgotten():
    admitted = Admitted(pending_s=60.0)
    admitted.expect(Admission(ClientSession(id=1, authid="a")), now=0.0)
    admitted.expect(Admission(ClientSession(id=2, authid="b")), now=30.0)
    admitted.expect(Admission(ClientSession(id=3, authid="c")), now=61.0)
    assert admitted.get(1) is None
    assert admitted.get(2) is not None


def test_sessions_of_a_user_count_from_their_tickets_to_their_leaves():
    admitted = Admitted(pending_s=60.0)
    for id in (1, 2, 3):
        admitted.expect(Admission(ClientSession(id=id, authid="joe")), now=0.0)
    admitted.expect(Admission(ClientSession(id=4, authid="ann")), now=0.0)
    admitted.join(1)
    assert [admitted.count(authid, 1.0) for authid in ("joe", "ann", "nobody")] == [3, 1, 0]
    admitted.leave(1)
    admitted.leave(2)  # before it joined
    assert [admitted.count(authid, 1.0) for authid in ("joe", "ann")] == [1, 1]
    assert [admitted.count(authid, 61.0) for authid in ("joe", "ann")] == [0, 0]
    assert not vars(admitted)["_of_user"]
