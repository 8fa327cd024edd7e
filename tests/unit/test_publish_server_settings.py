from pathlib import Path

import pytest

from stork_node.config.settings import read
from stork_node.errors import ConfigError
from stork_node.publish_server.settings import PublishServerSettings


def test_everything_is_on_loopback_unless_told_otherwise():
    settings = read(PublishServerSettings, {}, {})
    assert settings == PublishServerSettings(
        pull="tcp://127.0.0.1:5555",
        router="tcp://127.0.0.1:5557",
        pub="tcp://127.0.0.1:5556",
        replay="tcp://127.0.0.1:5558",
        secret="",
        heartbeat_s=1.0,
        data=Path(".stork"),
        sync="second",
        retention_s=3600.0,
        retention_bytes=1 << 30,
    )


def test_the_secret_is_not_shown():
    settings = read(PublishServerSettings, {"secret": "${STORK_BUS_SECRET}"}, {"STORK_BUS_SECRET": "geheim"})
    assert settings.secret == "geheim"
    assert "geheim" not in repr(settings)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ConfigError) as caught:
        read(
            PublishServerSettings,
            {"pull": "5555", "heartbeat_s": 0, "rooter": "tcp://*:5557", "data": "", "sync": "often"},
            {},
        )
    assert str(caught.value).splitlines() == [
        "pull: '5555' is not an endpoint (want tcp://HOST:PORT)",
        "heartbeat_s: 0 is not a time between two repetitions (want 1 or 0.5)",
        "rooter: unknown setting, did you mean 'router'?",
        "data: is empty, and must not be",
        "sync: 'often' is not one of second, always, never",
    ]
