"""Which engine a publish server uses."""

from stork_node.engines.embedded import EmbeddedEngine
from stork_node.engines.interface import Engine
from stork_node.engines.redis.address import RedisAddress
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.push_log import SegmentLog, log_folder


def open_engine(settings: PublishServerSettings, now: float) -> Engine:
    """
    Open the log that ``settings`` name.

    Args:
        now: the time of ``Engine.advance``.

    Raises:
        ConfigError: a log that cannot be had.
        DamagedLog: damage to the log that a crash does not explain.
    """
    if settings.engine:
        return _open_redis(settings)
    log = SegmentLog(
        log_folder(settings.data),
        sync=settings.sync,
        retention_s=settings.retention_s,
        retention_bytes=settings.retention_bytes,
    )
    try:
        return EmbeddedEngine(log, now)
    except BaseException:
        log.close()
        raise


def _open_redis(settings: PublishServerSettings) -> Engine:
    # redis-py comes with the node, and not with the push client.
    from stork_node.engines.redis.engine import RedisEngine

    return RedisEngine(
        RedisAddress.parse(settings.engine),
        deployment=settings.deployment,
        retention_s=settings.retention_s,
        retention_bytes=settings.retention_bytes,
    )
