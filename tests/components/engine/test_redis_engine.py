"""What holds of Redis alone: several publish servers, epochs, and whatever may happen to a Redis (docs/engine.md)."""

import os
import threading
import time

import pytest

from stork_node.engines.interface import Failed, Known
from stork_node.errors import ConfigError
from stork_node.protocol.bus import decode_frame
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached
from stork_node.protocol.commands.leases import Lease
from stork_node.protocol.positions import Position
from tests.components.engine.engines import numbers, on_redis, push, read_all, until
from tests.redis_servers import RedisServer


@pytest.fixture
def two(own_redis):
    """Two publish servers' engines on one Redis."""
    first, second = on_redis(own_redis), on_redis(own_redis)
    yield first, second
    first.close()
    second.close()


def test_several_publish_servers_are_one(two):
    first, second = two
    assert (first.tail, first.run) == (second.tail, second.run)
    start = first.tail.sequence
    assert numbers(first, push("a")) + numbers(second, push("b")) + numbers(first, push("c")) == [
        start + 1,
        start + 2,
        start + 3,
    ]
    until(second, lambda: second.tail == first.tail)
    assert read_all(first, start) == read_all(second, start)
    assert second.append([push("a")]) == [Known(Position(first.tail.epoch, start + 1))]
    for engine in two:
        followed = engine.follow(start)
        assert [decode_frame(frame).position.sequence for frame in followed.frames] == [start + 1, start + 2, start + 3]


def test_one_is_woken_when_another_has_appended(two):
    first, second = two
    until(second, lambda: second.tail == first.tail)
    deadline = time.monotonic() + 10
    while not second._watcher.news.drain():
        numbers(first, push())
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_bodies_that_are_not_stored_reach_the_other_server(two):
    first, second = two
    start = first.tail.sequence
    numbers(first, push(data=b'"typing"', store=False))
    until(second, lambda: second.tail.sequence > start)
    (frame,) = second.follow(start).frames
    assert b'"typing"' in frame


def test_nodes_are_known_to_all(two):
    first, second = two
    first.append([NodeAttached("a" * 16, "node-1")])
    first.share_lease(Lease("a" * 16, "node-1", sessions=7, number=3))
    first.tick(time.monotonic() + 10)
    heard = []
    until(second, lambda: heard.extend(second.take_leases()) or heard)
    assert [(lease.name, lease.sessions) for lease in heard] == [("node-1", 7)]
    assert "a" * 16 in second.state.nodes
    assert isinstance(second.append([NodeAttached("a" * 16, "node-1")])[0], Failed)


def lost(server, engine):
    """The engine is away, and says so."""
    found = engine.append([push("k")])[0]
    assert isinstance(found, Failed)
    assert found.is_away
    return found.reason


def goes_on_in_a_new_epoch(engine, before):
    until(engine, lambda: engine.tail.epoch != before.epoch)
    (position,) = engine.append([push("new")])
    assert isinstance(position, Position)
    assert position == Position(engine.tail.epoch, position.sequence)


def test_a_restart_without_data_begins_a_new_epoch(own_redis):
    engine = on_redis(own_redis)
    numbers(engine, push("a"), push("b"))
    before = engine.tail
    own_redis.kill()
    assert "127.0.0.1" in lost(own_redis, engine)
    own_redis.start()
    goes_on_in_a_new_epoch(engine, before)
    engine.close()


def test_a_restart_with_all_data_begins_a_new_epoch_too(tmp_path):
    with RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        engine = on_redis(server)
        (kept,) = engine.append([push("a")])
        before = engine.tail
        server.kill()
        lost(server, engine)
        server.start()
        goes_on_in_a_new_epoch(engine, before)
        assert engine.append([push("a")]) == [Known(kept)]
        engine.close()


@pytest.mark.parametrize("what", [("FLUSHALL",), ("DEL", "{stork}:log"), ("DEL", "{stork}:meta")])
def test_a_new_epoch_begins_when_keys_are_gone(own_redis, what):
    engine = on_redis(own_redis)
    numbers(engine, push("a"), push("b"))
    before, run = engine.tail, engine.run
    own_redis.call(*what)
    goes_on_in_a_new_epoch(engine, before)
    assert engine.run == run
    engine.close()


def test_no_number_is_given_twice_when_only_an_old_server_knows_them(own_redis):
    engine = on_redis(own_redis)
    numbers(engine, *[push() for _ in range(10)])
    before = engine.tail
    own_redis.call("XTRIM", "{stork}:log", "MAXLEN", 3)
    goes_on_in_a_new_epoch(engine, before)
    engine.close()


def test_a_new_epoch_has_no_nodes_and_remembers_tokens(own_redis):
    engine = on_redis(own_redis)
    engine.append([NodeAttached("a" * 16, "node-1")])
    engine.append([Command("disconnect", authid="7", id="k", given_s=100)])
    before = engine.tail
    own_redis.call("FLUSHALL")
    until(engine, lambda: engine.tail.epoch != before.epoch)
    assert len(engine.state.nodes) == 0
    assert engine.state.revoked.by_user == {"7": 100}
    assert isinstance(engine.append([Command("disconnect", authid="7", id="k", given_s=100)])[0], Position)
    engine.close()


def test_scripts_that_were_flushed_are_loaded_again(own_redis):
    engine = on_redis(own_redis)
    numbers(engine, push())
    own_redis.call("SCRIPT", "FLUSH")
    numbers(engine, push())
    engine.close()


def test_a_frozen_redis_confirms_nothing_and_comes_back(own_redis):
    engine = on_redis(own_redis)
    numbers(engine, push("a"))
    before = engine.tail
    own_redis.freeze()
    found = engine.append([push("k")])[0]
    assert isinstance(found, Failed)
    assert found.is_unknown
    assert "does not answer" in found.reason
    assert not engine.is_current(time.monotonic() + 5)
    assert isinstance(engine.append([push("k")])[0], Failed)
    own_redis.thaw()
    until(engine, lambda: engine.trouble == "" and engine._connection)
    (position,) = [each.position if isinstance(each, Known) else each for each in engine.append([push("k")])]
    assert position == Position(before.epoch, before.sequence + 1)
    engine.close()


def test_a_full_memory_refuses_and_goes_on(own_redis):
    engine = on_redis(own_redis)
    own_redis.call("CONFIG", "SET", "maxmemory", "1")
    found = engine.append([push("k")])[0]
    assert isinstance(found, Failed)
    assert not found.is_unknown
    assert "no memory left" in found.reason
    own_redis.call("CONFIG", "SET", "maxmemory", "0")
    assert isinstance(engine.append([push("k")])[0], Position)
    engine.close()


@pytest.mark.parametrize("key", ["meta", "log", "state:nodes", "marks", "state:snapshot"])
def test_a_key_of_another_type_is_refused(own_redis, key):
    own_redis.call("LPUSH" if key != "marks" else "SADD", f"{{stork}}:{key}", "mine")
    with pytest.raises(ConfigError, match=r"has a key that is not ours.*choose another \?prefix="):
        on_redis(own_redis)
    assert own_redis.call("KEYS", "*") == [b"{stork}:%b" % key.encode()]


def test_two_deployments_on_one_prefix_are_refused(own_redis):
    on_redis(own_redis, deployment="shop").close()
    with pytest.raises(ConfigError, match=r"has another deployment under this prefix \(shop\)"):
        on_redis(own_redis, deployment="blog")
    on_redis(own_redis, deployment="blog", prefix="blog").close()


def test_a_wrong_password_is_refused(tmp_path):
    with RedisServer(tmp_path, "--requirepass", "secret") as server:
        for url in (server.url, server.url.replace("//", "//:wrong@")):
            with pytest.raises(ConfigError, match="password"):
                _open(url)
        _open(server.url.replace("//", "//:secret@")).close()


def test_a_user_without_rights_is_told_which(own_redis):
    own_redis.call("ACL", "SETUSER", "weak", "on", ">pw", "~*", "&*", "+@all", "-xadd")
    with pytest.raises(ConfigError, match="does not allow a command to this user"):
        _open(own_redis.url.replace("//", "//weak:pw@"))
    own_redis.call(
        "ACL",
        "SETUSER",
        "stork",
        "on",
        ">pw",
        "~{stork}:*",
        "resetchannels",
        "&{stork}:*",
        "+@all",
        "-@dangerous",
        "+info",
        "+role",
    )
    engine = _open(own_redis.url.replace("//", "//stork:pw@"))
    numbers(engine, push())
    engine.close()


def test_a_replica_as_the_only_address_is_waited_for(own_redis, tmp_path):
    with RedisServer(tmp_path / "b") as replica:
        replica.call("REPLICAOF", "127.0.0.1", own_redis.port)
        opened = []
        thread = threading.Thread(target=lambda: opened.append(on_redis(replica)))
        thread.start()
        thread.join(1.0)
        assert not opened
        replica.call("REPLICAOF", "NO", "ONE")
        thread.join(20.0)
        opened[0].close()


# -- replicas ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path):
    """A master and its replica, in step."""
    with RedisServer(tmp_path / "a") as master, RedisServer(tmp_path / "b") as replica:
        replica.call("REPLICAOF", "127.0.0.1", master.port)
        deadline = time.monotonic() + 20
        while master.call("INFO", "replication").get("slave0", {}).get("state") != "online":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield master, replica


def stored(engine, given):
    """Where a push is stored; on a loaded machine the replica may be late, so that it is repeated with its id."""
    found = engine.append([given])

    def is_stored():
        found[:] = engine.append([given]) if isinstance(found[0], Failed) else found
        return not isinstance(found[0], Failed)

    until(engine, is_stored)
    return found[0].position if isinstance(found[0], Known) else found[0]


def test_ok_means_that_the_replica_has_it(pair):
    master, replica = pair
    engine = on_redis(master)
    position = stored(engine, push("a"))
    assert isinstance(position, Position)
    assert replica.call("XLEN", "{stork}:log") == master.call("XLEN", "{stork}:log")
    assert master.call("HGET", "{stork}:meta", "wait") == b"1"
    replica.freeze()
    found = engine.append([push("b")])[0]
    assert isinstance(found, Failed)
    assert found.is_unknown
    assert "no replica has confirmed" in found.reason
    assert engine.tail == position
    assert engine.follow(position.sequence).frames == []
    other = on_redis(master)
    assert other.tail == position
    assert isinstance(other.append([push("b")])[0], Failed)
    replica.thaw()
    until(engine, lambda: engine.trouble == "")
    until(other, lambda: other.trouble == "")
    (known,) = engine.append([push("b")])
    assert known == Known(Position(position.epoch, position.sequence + 1))
    until(other, lambda: other.tail.sequence == position.sequence + 1)
    engine.close()
    other.close()


def test_a_promotion_is_told_and_ids_of_what_was_committed_are_known(pair):
    master, replica = pair
    engine = on_redis(master)
    kept = stored(engine, push("kept"))
    master.kill()
    engine.close()
    replica.call("REPLICAOF", "NO", "ONE")
    replica.call("HSET", "{stork}:meta", "wait", "0")
    engine = on_redis(replica)
    assert engine.tail.epoch != kept.epoch
    assert engine.append([push("kept")]) == [Known(kept)]
    engine.close()


def test_what_was_lost_with_a_master_may_be_stored_anew(pair):
    master, replica = pair
    engine = on_redis(master)
    kept = stored(engine, push("kept"))
    replica.freeze()
    assert isinstance(engine.append([push("late")])[0], Failed)
    master.kill()
    engine.close()
    replica.thaw()
    replica.call("REPLICAOF", "NO", "ONE")
    replica.call("HSET", "{stork}:meta", "wait", "0")
    engine = on_redis(replica)
    found = engine.append([push("late")])[0]
    assert isinstance(found, Position)
    assert found.epoch != kept.epoch
    engine.close()


def _open(url):
    from stork_node.engines.redis.address import RedisAddress
    from stork_node.engines.redis.engine import RedisEngine

    return RedisEngine(RedisAddress.parse(url))


def test_old_pushes_are_trimmed_and_the_state_is_not(own_redis):
    engine = on_redis(own_redis, retention_s=1.0)
    engine.append([NodeAttached("a" * 16, "node-1")])
    numbers(engine, *[push() for _ in range(50)])
    full = int(own_redis.call("XLEN", "{stork}:log"))
    start = engine.tail.sequence
    deadline = time.monotonic() + 20
    while engine.floor < start:
        engine.tick(time.monotonic())
        numbers(engine, push())
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert int(own_redis.call("XLEN", "{stork}:log")) < full
    engine.close()
    engine = on_redis(own_redis)
    assert [row.name for row in engine.state.nodes.rows] == ["node-1"]
    engine.close()


def test_a_million_bytes_are_kept_at_most(own_redis):
    engine = on_redis(own_redis, retention_bytes=1_000_000)
    for _ in range(12):
        numbers(engine, *[push(data=b'"%b"' % os.urandom(1000).hex().encode()) for _ in range(1000)])
        engine.tick(time.monotonic() + 10)
    assert engine.tail.sequence - engine.floor < 12_000
    assert own_redis.call("XLEN", "{stork}:log") == engine.tail.sequence - engine.floor
    engine.close()
