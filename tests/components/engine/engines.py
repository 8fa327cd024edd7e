"""Engines for one suite: each test runs with every one of them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stork_node.engines.embedded import EmbeddedEngine
from stork_node.engines.interface import Engine
from stork_node.engines.redis.address import RedisAddress
from stork_node.engines.redis.engine import RedisEngine
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.push_log import SegmentLog
from tests.redis_servers import DEADLINE_S, RedisServer

NOW = "2026-01-31T12:00:00.000Z"


def push(id: str | None = None, topic: str = "v1.a.1", data: bytes = b"null", **more: Any) -> Push:
    return Push((topic,), "t", data, NOW, id, **more)


def embedded(folder: Path, **options: Any) -> EmbeddedEngine:
    return EmbeddedEngine(SegmentLog(folder / "log", **options), 0.0)


def on_redis(server: RedisServer, prefix: str = "stork", **options: Any) -> RedisEngine:
    return RedisEngine(RedisAddress.parse(f"{server.url}?prefix={prefix}"), **options)


def numbers(engine: Engine, *pushes: Push) -> list[int]:
    """Append pushes of which each is stored."""
    found = engine.append(pushes)
    assert all(isinstance(each, Position) for each in found), found
    return [each.sequence for each in found if isinstance(each, Position)]


def read_all(engine: Engine, after: int | None = None, max_bytes: int = 1 << 20) -> list[bytes | None]:
    """What can be read after a number; from the floor on where there is none."""
    at = engine.floor if after is None else after
    frames: list[bytes | None] = []
    while at < engine.tail.sequence:
        page = engine.read(at, max_bytes)
        frames += page.frames
        at = page.last
    return frames


def until(engine: Engine, fact: Callable[[], object]) -> None:
    """Let an engine do what is due until something is so."""
    give_up_at = time.monotonic() + DEADLINE_S
    while not fact():
        assert time.monotonic() < give_up_at
        engine.tick(time.monotonic())
        time.sleep(0.01)
