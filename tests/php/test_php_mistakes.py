"""Mistakes that the PHP client names by itself: in a push, and in the settings."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from php_process import ROOT, run_php
from router_double import RouterDouble

HOSTS = json.loads((ROOT / "tests/vectors/publish_server_hosts.json").read_text())

CLASSES = """
class NoType extends Message { public function getData() { return 1; } }
class BrokenData extends Message {
    const TYPE = 't';
    public function getData() { throw new DomainException('no such order'); }
}
class Cycle implements JsonSerializable { public function jsonSerialize(): mixed { return [$this]; } }
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("[], new SimpleMessage('t')", "no topics: name at least one, such as v1.orders.42"),
        ("'', new SimpleMessage('t')", "topics[0] is not a non-empty string, such as v1.orders.42"),
        ("['v1.a.1', 7], new SimpleMessage('t')", "topics[1] is not a non-empty string, such as v1.orders.42"),
        ("'v1.a.1', new SimpleMessage('')", "Stork\\SimpleMessage has no type: give it a constant TYPE"),
        ("'v1.a.1', new NoType()", "NoType has no type: give it a constant TYPE"),
        (
            r"'v1.a.1', new SimpleMessage('t', ['name' => \"caf\\xE9\"])",
            "data of Stork\\SimpleMessage cannot be JSON: Malformed UTF-8 characters, possibly incorrectly encoded",
        ),
        (
            "'v1.a.1', new SimpleMessage('t', NAN)",
            "data of Stork\\SimpleMessage cannot be JSON: Inf and NaN cannot be JSON encoded",
        ),
        (
            "'v1.a.1', new SimpleMessage('t', STDIN)",
            "data of Stork\\SimpleMessage cannot be JSON: Type is not supported",
        ),
        (
            "'v1.a.1', new SimpleMessage('t', new Cycle())",
            "data of Stork\\SimpleMessage cannot be JSON: Recursion detected",
        ),
        (
            r"\"v1.a.\\xFF\", new SimpleMessage('t')",
            "topics cannot be JSON: Malformed UTF-8 characters, possibly incorrectly encoded",
        ),
        (
            r"'v1.a.1', new SimpleMessage(\"\\xFF\")",
            "type cannot be JSON: Malformed UTF-8 characters, possibly incorrectly encoded",
        ),
        ("'v1.a.1', new JsonMessage('t', '{')", "the data is not JSON: Syntax error"),
        ("'v1.a.1', new SimpleMessage('t'), ['id' => '']", "the option id is not a non-empty string"),
        ("'v1.a.1', new SimpleMessage('t'), ['id' => 7]", "the option id is not a non-empty string"),
        (
            "'v1.a.1', new SimpleMessage('t'), ['exclude' => '7']",
            "the option exclude is not a list of session ids (integers)",
        ),
        (
            "'v1.a.1', new SimpleMessage('t'), ['exclude' => ['7']]",
            "the option exclude is not a list of session ids (integers)",
        ),
        (
            "'v1.a.1', new SimpleMessage('t'), ['excludes' => []]",
            "'excludes' is not an option of a push (those are id, exclude, store, receipt, timestamp)",
        ),
    ],
)
@pytest.mark.parametrize("method", ["push", "send"])
def test_a_push_that_makes_no_sense_is_named_and_not_sent(
    server: RouterDouble, method: str, arguments: str, message: str
) -> None:
    arguments = arguments.replace('\\"', '"').replace("\\\\", "\\")
    code = CLASSES + f"say(attempt(fn () => (new Publisher($options))->{method}({arguments})));"
    said = run_php(code, {"options": {"endpoint": server.endpoint, "transport": "stream"}}).only
    assert (said["thrown"], said["message"]) == ("InvalidPush", message)
    assert server.arrivals == []


def test_an_exception_of_the_message_itself_is_the_callers_own(server: RouterDouble) -> None:
    code = """
    $publisher = new Publisher($options);
    try { $publisher->push('v1.a.1', new BrokenData()); } catch (DomainException $error) { say($error->getMessage()); }
    """
    assert run_php(CLASSES + code, {"options": {"endpoint": server.endpoint}}).only == "no such order"


def settings(options: dict[str, Any], environment: dict[str, str] | None = None) -> Any:
    """The settings as a Publisher has them, or what was thrown."""
    code = "say(attempt(fn () => array_diff_key(get_object_vars(\\Stork\\Settings::from($options)), ['keys' => 0])));"
    return run_php(code, {"options": options}, environment=environment).only


def test_the_defaults_are_the_publish_server_of_this_machine() -> None:
    defaults = {"endpoint": "tcp://127.0.0.1:5557", "timeoutMs": 2000, "transport": "auto", "apiKey": "", "warn": None}
    assert settings({}) == {"result": defaults}


def test_the_environment_names_the_host_as_in_python() -> None:
    hosts = [vector["host"] for vector in HOSTS["good"]]
    endpoints = [f"tcp://{vector['endpoint_host']}:5557" for vector in HOSTS["good"]]
    assert endpoints_of(hosts) == endpoints
    assert endpoints_of([each["host"] for each in HOSTS["bad"]]) == [None] * len(HOSTS["bad"])


def endpoints_of(hosts: list[str]) -> list[str | None]:
    code = """foreach ($args['hosts'] as $host) {
        $_ENV['STORK_PUBLISH_SERVER'] = $host;
        try {
            $said[] = \\Stork\\Settings::from([])->endpoint;
        } catch (\\Stork\\InvalidSettings $_) {
            $said[] = null;
        }
    }
    say($said);"""
    return cast(list[str | None], run_php(code, {"hosts": hosts}).only)


@pytest.mark.parametrize("host", ["fd00::7", "[fd00::7]"])
def test_an_endpoint_takes_an_ipv6_address_with_or_without_brackets(host: str) -> None:
    assert settings({"endpoint": f"tcp://{host}:1"})["result"]["endpoint"] == "tcp://[fd00::7]:1"


def test_an_endpoint_given_goes_before_the_environment() -> None:
    assert settings({"endpoint": "tcp://a:1"}, {"STORK_PUBLISH_SERVER": "b"})["result"]["endpoint"] == "tcp://a:1"


def test_the_environment_may_be_in_the_arrays_of_env_file_loaders() -> None:
    code = "$_ENV['STORK_PUBLISH_SERVER'] = 'publish'; say(\\Stork\\Settings::from([])->endpoint);"
    assert run_php(code).only == "tcp://publish:5557"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": "tcp:/0.0.0.0:5557"}, "endpoint: 'tcp:/0.0.0.0:5557' is not an endpoint (want tcp://HOST:PORT)"),
        ({"endpoint": "publish:5557"}, "endpoint: 'publish:5557' is not an endpoint (want tcp://HOST:PORT)"),
        ({"endpoint": "tcp://publish"}, "endpoint: 'tcp://publish' is not an endpoint (want tcp://HOST:PORT)"),
        (
            {"endpoint": "tcp://publish:70000"},
            "endpoint: 'tcp://publish:70000' is not an endpoint (want tcp://HOST:PORT)",
        ),
        (
            {"endpoint": "tcp://publish:5557\n"},
            r"endpoint: 'tcp://publish:5557\n' is not an endpoint (want tcp://HOST:PORT)",
        ),
        ({"endpoint": 5557}, "endpoint: 5557 is not an endpoint (want tcp://HOST:PORT)"),
        ({"timeout_ms": 0}, "timeout_ms: 0 is not a time (want milliseconds, such as 2000)"),
        ({"timeout_ms": "2000"}, "timeout_ms: '2000' is not a time (want milliseconds, such as 2000)"),
        ({"transport": "zmq"}, "transport: 'zmq' is not one of auto, stream, ext-zmq"),
        ({"push_key": "abc"}, "push_key is not a push key (want the 80 characters that the publish server gives)"),
        ({"push_key": "~" * 80}, "push_key is not a push key (want the 80 characters that the publish server gives)"),
        ({"push_key": "#" * 80}, "push_key is not a push key (want the 80 characters that the publish server gives)"),
        ({"secret": ["a"]}, "secret is not a string"),
        ({"push_key": "0" * 80, "secret": "a"}, "secret and push_key are both set (want one)"),
        (
            {"timeout": 5},
            "'timeout' is not a setting (those are endpoint, timeout_ms, secret, push_key, transport, api_key, warn)",
        ),
        (
            {"endpoint": "x", "timeout_ms": -1},
            "endpoint: 'x' is not an endpoint (want tcp://HOST:PORT); "
            "timeout_ms: -1 is not a time (want milliseconds, such as 2000)",
        ),
    ],
)
def test_settings_that_cannot_work_are_all_named(options: dict[str, Any], message: str) -> None:
    said = settings(options)
    assert (said["thrown"], said["message"]) == ("InvalidSettings", message)


def test_a_host_in_the_environment_that_is_none_is_named_by_its_variable() -> None:
    said = settings({}, {"STORK_PUBLISH_SERVER": "tcp://publish:5557"})
    assert (
        said["message"]
        == "STORK_PUBLISH_SERVER: 'tcp://publish:5557' is not a host (want a name or an address, no port)"
    )


def test_ext_zmq_that_is_forced_and_not_there_is_named() -> None:
    said = settings({"transport": "ext-zmq"})
    assert said["thrown"] == "MissingExtension"
    assert (
        said["message"]
        == "PHP's extension zmq is not loaded: transport is 'ext-zmq'; 'auto' and 'stream' work without it"
    )


def test_every_exception_is_a_stork_exception() -> None:
    code = """
    $names = ['ConnectionFailed', 'InvalidPush', 'InvalidSettings', 'MissingExtension', 'NotConfirmed', 'PushRefused'];
    foreach ($names as $name) {
        $answers[] = is_subclass_of("Stork\\\\$name", StorkException::class);
    }
    say($answers);
    """
    assert run_php(code).only == [True] * 6
