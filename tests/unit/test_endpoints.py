import os

import pytest

from stork_node.cli.publish_server import parse_arguments
from stork_node.clients.push_target import PushTarget
from stork_node.errors import ConfigError
from stork_node.transport.endpoints import Endpoint, Port, is_this_machine, names_other_host, publish_server_endpoint
from tests.vector_files import cases, vectors

GOOD = [(vector["host"], vector["endpoint_host"]) for vector in cases("publish_server_hosts", "good")]


@pytest.mark.parametrize(("host", "in_endpoint"), GOOD)
@pytest.mark.parametrize("port", Port)
def test_the_publish_server_is_reached_by_name_and_address(host: str, in_endpoint: str, port: Port) -> None:
    assert publish_server_endpoint(port, {"STORK_PUBLISH_SERVER": host}) == f"tcp://{in_endpoint}:{int(port)}"


@vectors("publish_server_hosts", "bad")
def test_what_is_no_host_is_refused_by_the_name_of_its_variable(case: dict[str, str]) -> None:
    host = case["host"]
    with pytest.raises(ConfigError) as refused:
        publish_server_endpoint(Port.ROUTER, {"STORK_PUBLISH_SERVER": host})
    assert str(refused.value) == f"STORK_PUBLISH_SERVER: {host!r} is not a host (want a name or an address, no port)"


@pytest.mark.parametrize(("host", "in_endpoint"), [each for each in GOOD if each[0]])
def test_an_endpoint_may_be_put_together_of_a_variable_and_a_port(host: str, in_endpoint: str) -> None:
    text = str(Endpoint.parse(f"tcp://{host}:5557"))
    assert text == f"tcp://{in_endpoint}:5557"
    assert str(Endpoint.parse(text)) == text
    assert PushTarget.parse(f"tcp://{host}:5557", True, 1, None, None, 0).endpoint == text


@pytest.mark.parametrize("host", ["::", "[::]", "::1"])
def test_the_publish_server_binds_an_ipv6_address_with_or_without_brackets(host: str) -> None:
    read = parse_arguments([], {"STORK_BIND": host})
    bare = host.strip("[]")
    assert [read.pull, read.router, read.pub, read.replay] == [f"tcp://[{bare}]:{p}" for p in (5555, 5557, 5556, 5558)]


@pytest.mark.parametrize(
    ("value", "host", "port", "to_reach"),
    [
        ("tcp://*:*", "*", 0, "127.0.0.1"),
        ("tcp://0.0.0.0:8081", "0.0.0.0", 8081, "127.0.0.1"),
        ("tcp://:::8081", "::", 8081, "::1"),
        ("tcp://[fd00::7]:1", "fd00::7", 1, "fd00::7"),
        ("tcp://stork:65535", "stork", 65535, "stork"),
    ],
)
def test_an_endpoint_has_a_host_and_a_port(value: str, host: str, port: int, to_reach: str) -> None:
    endpoint = Endpoint.parse(value)
    assert (endpoint.host, endpoint.port, endpoint.to_reach) == (host, port, to_reach)


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "::1", "[::1]", "0:0:0:0:0:0:0:1", os.uname().nodename])
def test_names_of_this_machine_name_no_other(host: str) -> None:
    assert names_other_host({"STORK_PUBLISH_SERVER": host}, os.uname().nodename) is False


@pytest.mark.parametrize("host", ["stork-1", "10.0.0.7", "fd00::7", "[fd00::7]", "publish:5557"])
def test_names_of_other_machines_name_others(host: str) -> None:
    assert names_other_host({"STORK_PUBLISH_SERVER": host}, "stork-2") is True


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "stork-1", "stork-1.stork-replica", "127.0.0.9"])
def test_a_name_or_an_address_is_this_machines_own(host: str) -> None:
    assert is_this_machine(host, "stork-1") is True


@pytest.mark.parametrize("host", ["stork-2", "stork-2.stork-1", "192.0.2.1", "2001:db8::1"])
def test_a_name_or_an_address_is_of_another_machine(host: str) -> None:
    assert is_this_machine(host, "stork-1") is False


@pytest.mark.parametrize("port", Port)
def test_a_variable_names_another_port(port: Port) -> None:
    assert publish_server_endpoint(port, {port.variable: "7000"}) == "tcp://127.0.0.1:7000"
    for value in ("abc", "0", "65536", "-1", "7000 ", "٣"):
        with pytest.raises(ConfigError, match=rf"{port.variable}: .* is not a port \(want {int(port)}, say\)"):
            publish_server_endpoint(port, {port.variable: value})
