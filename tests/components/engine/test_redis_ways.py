"""Ways to a Redis: TLS, passwords, databases, prefixes, clusters, old versions, and connections that end halfway."""

import subprocess
import threading

import pytest

from stork_node.engines.interface import Failed, Known
from stork_node.engines.redis.address import RedisAddress
from stork_node.engines.redis.checks import check_engine
from stork_node.engines.redis.connection import find_master
from stork_node.engines.redis.engine import RedisEngine
from stork_node.engines.redis.errors import EngineAway
from stork_node.errors import ConfigError
from stork_node.protocol.positions import Position
from tests.components.engine.engines import numbers, push, until
from tests.components.engine.faulty import CutInReply, ScriptedRedis, bulk
from tests.redis_sentinels import Sentinel
from tests.redis_servers import RedisServer, free_port


def open_(url):
    return RedisEngine(RedisAddress.parse(url))


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that trusts itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    names = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "certificate.pem", folder / "key.pem"


@pytest.fixture
def with_tls(tmp_path, certificate):
    """A Redis with a port for TLS; its URL there."""
    cert, key = certificate
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", str(cert), "--tls-key-file", str(key)]
    with RedisServer(tmp_path, *tls, "--tls-ca-cert-file", str(cert), "--tls-auth-clients", "no"):
        yield f"rediss://127.0.0.1:{port}"


def test_a_redis_with_tls_is_used(with_tls, certificate):
    engine = open_(f"{with_tls}?ca={certificate[0]}")
    numbers(engine, push())
    engine.close()


def test_a_certificate_that_nobody_trusts_is_refused(with_tls):
    problems, _ = check_engine(RedisAddress.parse(with_tls), 0)
    assert len(problems) == 1
    assert "certificate verify failed" in problems[0]


def test_no_tls_where_there_is_tls_is_one_sentence(with_tls):
    problems, _ = check_engine(RedisAddress.parse(with_tls.replace("rediss", "redis")), 0)
    assert len(problems) == 1
    assert problems[0].startswith("Redis at 127.0.0.1:")


# -- users, databases, prefixes ----------------------------------------------------------------------------------------


def test_user_password_database_and_prefix_are_those_of_the_url(own_redis):
    own_redis.call("ACL", "SETUSER", "shop", "on", ">p@ss/word", "~{shop}:*", "&{shop}:*", "+@all")
    engine = open_(own_redis.url.replace("//", "//shop:p%40ss%2Fword@") + "/3?prefix=shop")
    numbers(engine, push())
    engine.close()
    assert own_redis.call("KEYS", "*") == []
    with own_redis.client(db=3) as client:
        assert all(key.startswith(b"{shop}:") for key in client.scan_iter())


def test_a_database_that_is_not_there_is_one_sentence(own_redis):
    with pytest.raises(ConfigError, match="DB index is out of range"):
        open_(f"{own_redis.url}/999")


def test_sentinels_may_want_a_password_of_their_own(tmp_path):
    with RedisServer(tmp_path, "--requirepass", "one") as server:
        lines = "requirepass two\nsentinel auth-pass stork one\n"
        with Sentinel(tmp_path, server.port, 1, lines) as sentinel:
            wanted = f"redis+sentinel://:one@127.0.0.1:{sentinel.port}/stork"
            engine = open_(f"{wanted}?sentinel_password=two")
            numbers(engine, push())
            engine.close()
            for url in (wanted, f"{wanted}?sentinel_password=wrong"):
                with pytest.raises(EngineAway, match="password"):
                    find_master(RedisAddress.parse(url))
            with pytest.raises(EngineAway, match="knows no master 'other'"):
                find_master(
                    RedisAddress.parse(f"redis+sentinel://127.0.0.1:{sentinel.port}/other?sentinel_password=two")
                )


# -- clusters and versions ---------------------------------------------------------------------------------------------


def in_cluster(folder):
    """A Redis with cluster mode on, and no slots."""
    return RedisServer(folder, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))


def test_a_cluster_of_one_node_is_used(tmp_path):
    with in_cluster(tmp_path) as server:
        with pytest.raises(ConfigError, match="is a node of a cluster that is down"):
            open_within(server.url)
        server.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        engine = open_(server.url)
        numbers(engine, push())
        engine.close()


def open_within(url):
    """Open an engine that is waited for: as ``stork check --engine`` says it at once."""
    problems, _ = check_engine(RedisAddress.parse(url), 0)
    if problems:
        raise ConfigError(problems)
    return open_(url)


def test_the_node_of_a_cluster_without_the_keys_is_refused(tmp_path):
    with in_cluster(tmp_path / "a") as a, in_cluster(tmp_path / "b") as b:
        slot = a.call("CLUSTER", "KEYSLOT", "{stork}:meta")
        for server, slots in ((b, (slot, slot)), (a, (slot + 1, 16383)), (a, (0, slot - 1))):
            server.call("CLUSTER", "ADDSLOTSRANGE", *slots)
        a.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
        a.call("CLUSTER", "MEET", "127.0.0.1", b.port, b.call("CONFIG", "GET", "cluster-port")[1])
        with pytest.raises(ConfigError, match="is a node of a cluster"):
            open_until_moved(a.url)


def open_until_moved(url):
    """The two nodes take a while until they know of each other."""
    for _ in range(400):
        problems, _ = check_engine(RedisAddress.parse(url), 0)
        if problems and "another one has the keys" in problems[0]:
            raise ConfigError(problems)
        threading.Event().wait(0.05)
    return open_(url)


INFO = "redis_version:{version}\r\nrole:{role}\r\nconnected_slaves:0\r\nmaster_replid:{id}\r\n{more}"


@pytest.mark.parametrize(
    ("version", "role", "more", "sentence"),
    [
        ("6.0.16", "master", "", "is of version 6.0.16: Stork needs 6.2 or later"),
        ("6.3.4", "active-replica", "active_replica:1\r\n", "has several masters at once"),
    ],
)
def test_what_is_no_usable_redis_is_refused_at_the_start(version, role, more, sentence):
    info = INFO.format(version=version, role=role, id="0" * 40, more=more)
    answers = {
        b"INFO": bulk(info),
        b"CLIENT": b"+OK\r\n",
        b"CONFIG": b"*0\r\n",
        b"ROLE": b"*1\r\n" + bulk(role),
        b"TYPE": b"+none\r\n",
        b"TIME": b"*2\r\n" + bulk("0") + bulk("0"),
    }
    with ScriptedRedis(answers) as scripted:
        assert sentence in check_engine(RedisAddress.parse(scripted.url), 0)[0][0]
        with pytest.raises(ConfigError, match=sentence):
            open_(scripted.url)


# -- connections that end, and a Redis that hangs ----------------------------------------------------------------------


@pytest.mark.parametrize("after_bytes", [1, 4, 20])
def test_a_connection_cut_in_a_reply_leaves_the_outcome_open(own_redis, after_bytes):
    with CutInReply(own_redis.port) as way:
        engine = open_(f"redis://127.0.0.1:{way.port}")
        numbers(engine, push("before"))
        before = engine.tail
        way.arm(after_bytes)
        found = engine.append([push("k")])[0]
        assert isinstance(found, Failed)
        assert found.is_unknown
        until(engine, lambda: engine.trouble == "" and engine._connection)
        (known,) = engine.append([push("k")])
        assert known == Known(Position(before.epoch, before.sequence + 1))
        engine.close()


@pytest.mark.parametrize("frozen_s", [0.3, 2.0])
def test_a_redis_that_hangs_stores_each_push_once(own_redis, frozen_s):
    engine = open_(own_redis.url)
    before = engine.tail.sequence
    own_redis.freeze()
    timer = threading.Timer(frozen_s, own_redis.thaw)
    timer.start()
    outcomes = [engine.append([push(f"k{i}")])[0] for i in range(3)]
    timer.join()
    until(engine, lambda: engine.trouble == "" and engine._connection)
    for i, outcome in enumerate(outcomes):
        again = engine.append([push(f"k{i}")])[0]
        if isinstance(outcome, Position):
            assert again == Known(outcome)
        else:
            assert isinstance(again, Position | Known)
    until(engine, lambda: engine.tail.sequence == before + 3)
    engine.close()
