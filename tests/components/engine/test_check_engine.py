from stork_node.engines.redis.address import RedisAddress
from stork_node.engines.redis.checks import check_engine
from tests.redis_servers import RedisServer


def check(server: RedisServer, retention_bytes: int = 1 << 20) -> tuple[list[str], list[str]]:
    return check_engine(RedisAddress.parse(server.url), retention_bytes)


def test_a_safe_redis_is_fine(tmp_path):
    with RedisServer(tmp_path, "--appendonly", "yes") as server:
        assert check(server) == ([], [])


def test_each_unsafe_setting_is_a_sentence(tmp_path):
    options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--repl-backlog-ttl", "60"]
    with RedisServer(tmp_path, *options) as server:
        problems, warnings = check(server, 1 << 30)
        assert problems == []
        assert warnings == [
            f"maxmemory-policy is allkeys-lru: Redis at 127.0.0.1:{server.port} may drop keys of the log "
            "(want noeviction)",
            "appendonly is no: a restart of Redis loses what no replica has (want yes)",
            "repl-backlog-ttl is 60: after so many seconds without replicas a new epoch begins, "
            "and every client reloads (want 0)",
            "maxmemory is 100 MiB, and the log may need 2048 MiB (--retention-bytes): "
            "pushes are refused when the memory is full",
        ]


def test_foreign_keys_and_replicas_are_problems(tmp_path):
    with RedisServer(tmp_path / "a") as master, RedisServer(tmp_path / "b") as replica:
        master.call("SET", "{stork}:log", "mine")
        assert check(master)[0] == ["its key {stork}:log is a string, and not ours: choose another ?prefix="]
        replica.call("REPLICAOF", "127.0.0.1", master.port)
        where = f"Redis at 127.0.0.1:{replica.port}"
        assert check(replica)[0][0] == f"{where} is a replica: name its master, or Sentinels with redis+sentinel://"


def test_nobody_there_is_one_sentence():
    problems, warnings = check_engine(RedisAddress.parse("redis://127.0.0.1:1"), 0)
    assert warnings == []
    assert problems[0].startswith("Redis at 127.0.0.1:1 cannot be reached")


def test_a_user_who_may_not_read_the_settings_is_told(tmp_path):
    with RedisServer(tmp_path) as server:
        server.call("ACL", "SETUSER", "stork", "on", ">pw", "~*", "&*", "+@all", "-config")
        url = server.url.replace("//", "//stork:pw@")
        problems, warnings = check_engine(RedisAddress.parse(url), 0)
        assert problems == []
        where = f"Redis at 127.0.0.1:{server.port}"
        assert warnings == [f"{where} does not tell its settings to this user (CONFIG GET): they are not checked"]
