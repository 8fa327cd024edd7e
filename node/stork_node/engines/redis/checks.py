"""``stork check --engine``: whether a Redis keeps the log safe, in sentences."""

import time
from collections.abc import Iterator
from typing import Any

from stork_node.clock import wall
from stork_node.engines.redis.address import RedisAddress, place_text
from stork_node.engines.redis.connection import ScriptConnection, find_master, keys_of
from stork_node.engines.redis.errors import EngineAway, EngineFull

_OLDEST = (6, 2)
_MOST_APART_S = 1.0
_ENTRY_BYTES_FACTOR = 2


def check_engine(address: RedisAddress, retention_bytes: int) -> tuple[list[str], list[str]]:
    """
    Look at a Redis; nothing is written.

    Returns:
        What makes it unusable, and what makes it unsafe.
    """
    try:
        place = find_master(address)
        connection = ScriptConnection(address, place)
    except (EngineAway, EngineFull) as error:
        return [str(error)], []
    name = f"Redis at {place_text(place)}"
    try:
        return _look(connection, name, address, retention_bytes)
    except (EngineAway, EngineFull) as error:
        return [str(error)], []
    finally:
        connection.close()


def _look(
    connection: ScriptConnection, name: str, address: RedisAddress, retention_bytes: int
) -> tuple[list[str], list[str]]:
    info = read_info(connection)
    problems, warnings = list(unusable(name, info)), []
    if info.get("role") != "master":
        problems.append(f"{name} is a replica: name its master, or Sentinels with redis+sentinel://")
    kept = _settings(connection)
    if kept is None:
        warnings.append(f"{name} does not tell its settings to this user (CONFIG GET): they are not checked")
        kept = {}
    warnings += _about_settings(name, kept, info)
    memory = int(kept.get("maxmemory", 0))
    needed = _ENTRY_BYTES_FACTOR * retention_bytes
    if 0 < memory < needed:
        warnings.append(
            f"maxmemory is {memory >> 20} MiB, and the log may need {needed >> 20} MiB (--retention-bytes): "
            "pushes are refused when the memory is full"
        )
    if not address.master and int(info.get("connected_slaves", 0)):
        warnings.append("it has replicas, and no Sentinel is named: nobody promotes one (redis+sentinel://)")
    if address.master and not int(info.get("connected_slaves", 0)):
        warnings.append("it has no replica: what is answered ok is lost with this machine")
    problems += _about_keys(connection, address)
    apart_s = _clocks_apart_s(connection)
    if apart_s > _MOST_APART_S:
        warnings.append(f"its clock and the clock here are {apart_s:.1f} s apart: leases and ids count by it")
    return problems, warnings


def unusable(name: str, info: dict[str, str]) -> Iterator[str]:
    """Why a log cannot be kept there at all, whatever its settings."""
    version = info.get("redis_version", "0.0")
    if tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2]) < _OLDEST:
        yield f"{name} is of version {version}: Stork needs 6.2 or later"
    if info.get("active_replica") == "1" or info.get("role") in ("active-replica", "multi-master"):
        yield f"{name} has several masters at once, which would give numbers twice"


def _about_settings(name: str, kept: dict[str, str], info: dict[str, str]) -> list[str]:
    found = []
    policy = kept.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        found.append(f"maxmemory-policy is {policy}: {name} may drop keys of the log (want noeviction)")
    if kept.get("appendonly") == "no":
        found.append("appendonly is no: a restart of Redis loses what no replica has (want yes)")
    if kept.get("repl-backlog-ttl", "0") != "0":
        found.append(
            f"repl-backlog-ttl is {kept['repl-backlog-ttl']}: after so many seconds without replicas a new epoch "
            "begins, and every client reloads (want 0)"
        )
    has_replicas = int(info.get("connected_slaves", 0)) > 0
    if has_replicas and kept.get("min-replicas-to-write") == "0":
        found.append(
            "min-replicas-to-write is 0: a master that is cut off goes on taking writes that will be lost (want 1)"
        )
    return found


def _about_keys(connection: ScriptConnection, address: RedisAddress) -> list[str]:
    wanted = ("hash", "stream", "stream", "hash", "zset", "list", "hash", "hash", "string", "hash")
    found = []
    for key, kind in zip(keys_of(address.prefix), wanted, strict=False):
        is_kind = connection.ask("TYPE", key).decode()
        if is_kind not in ("none", kind):
            found.append(f"its key {key} is a {is_kind}, and not ours: choose another ?prefix=")
    return found


def read_info(connection: ScriptConnection) -> dict[str, str]:
    """
    What a Redis says of itself.

    Raises:
        EngineAway: it does not.
    """
    lines = connection.ask("INFO").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _settings(connection: ScriptConnection) -> dict[str, str] | None:
    try:
        found: Any = connection.ask("CONFIG", "GET", "*")
    except EngineAway:
        return None
    return {found[i].decode(): found[i + 1].decode() for i in range(0, len(found), 2)}


def _clocks_apart_s(connection: ScriptConnection) -> float:
    begun = time.monotonic()
    seconds, micros = connection.ask("TIME")
    travel_s = (time.monotonic() - begun) / 2
    return abs(wall() - travel_s - int(seconds) - int(micros) / 1e6)
