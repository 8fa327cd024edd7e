"""``stork log info | verify | cat`` and ``stork engine`` on a Redis."""

import json

import pytest
from click.testing import CliRunner

from stork_node.cli.engine import engine as engine_command
from stork_node.cli.log import log as log_command
from stork_node.errors import ConfigError
from stork_node.protocol.commands.entries import NodeAttached
from stork_node.push_log import Erasure
from tests.components.engine.engines import numbers, on_redis, push


@pytest.fixture
def run(own_redis, monkeypatch):
    monkeypatch.setenv("STORK_ENGINE", own_redis.url)
    return lambda *arguments: CliRunner().invoke(log_command, arguments, standalone_mode=False)


@pytest.fixture
def start(own_redis, run):
    """The number before three pushes and a node."""
    engine = on_redis(own_redis, deployment="shop")
    before = engine.tail.sequence
    numbers(engine, push("k"), push(topic="v1.user.7"), push(store=False))
    engine.append([NodeAttached("a" * 16, "node-1")])
    engine.append([Erasure("v1.user.7")])
    assert sum(engine.erase("v1.user.7")) == 1
    engine.close()
    return before


def test_a_prefix_that_nobody_uses_is_told(run):
    assert run("info").output == run("verify").output == "no publish server has used this prefix yet\n"
    assert run("cat").output == ""


def test_info_says_what_is_there(run, start):
    found = json.loads(run("info", "--json").output)
    assert (found["deployment"], found["floor"], found["last"], found["entries"]) == ("shop", start, start + 5, 5)
    assert found["tail"].endswith(f":{start + 5}")
    assert "deployment  shop\n" in run("info").output
    shown = CliRunner().invoke(engine_command, ["info"], standalone_mode=False).output
    assert f"committed   {start + 5:,} of {start + 5:,}; 5 entries are kept" in shown


def test_cat_prints_each_entry(run, start):
    lines = [json.loads(line) for line in run("cat").output.splitlines()]
    assert [int(line["position"].rpartition(":")[2]) - start for line in lines] == [1, 3, 4, 5]
    assert lines[0]["topics"] == ["v1.a.1"]
    assert lines[1] == {"position": lines[1]["position"], "store": False}
    assert (lines[2]["kind"], lines[3]["erases"]) == ("attached", "v1.user.7")
    assert len(run("cat", "--topic", "v1.a.1").output.splitlines()) == 1
    assert len(run("cat", "--after", str(start + 4)).output.splitlines()) == 1


def test_verify_finds_what_is_wrong(run, start, own_redis):
    assert run("verify").output == "5 entries, fine\n"
    own_redis.call("XDEL", "{stork}:log", f"{start + 1}-0")
    found = run("verify")
    assert found.output == f"{start}  the stream has 4 entries, and 5 were counted\n"
    assert found.return_value == 1


def test_a_redis_that_is_away_is_one_sentence(run, own_redis):
    own_redis.kill()
    assert isinstance(run("info").exception, ConfigError)
