from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stork_node.engines.interface import Engine
from tests.components.engine.engines import embedded, on_redis
from tests.redis_servers import RedisServer


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(params=["embedded", "redis"])
def open_engine(
    request: pytest.FixtureRequest, tmp_path: Path, shared_redis: RedisServer
) -> Iterator[Callable[..., Engine]]:
    """Opens an engine on one log, which is there as long as the test."""
    opened: list[Engine] = []

    def open_one(**options: Any) -> Engine:
        if request.param == "embedded":
            engine: Engine = embedded(tmp_path, **options)
        else:
            engine = on_redis(shared_redis, prefix=f"p{abs(hash(request.node.name))}", **options)
        opened.append(engine)
        return engine

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def engine(open_engine: Callable[..., Engine]) -> Engine:
    return open_engine()
