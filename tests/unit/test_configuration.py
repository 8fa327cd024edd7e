import json
from pathlib import Path

import pytest

from stork_node.config import configuration
from stork_node.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / ".crossbar"


def write(folder: Path, config: object) -> Path:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return folder


def test_the_shipped_configuration_has_its_public_port_and_publish_server():
    config = configuration.load(SHIPPED, {})
    assert config.public.page_url == "http://127.0.0.1:8080/"
    assert config.publish_server[0] == "publish-server"
    assert [worker["type"] for worker in config.crossbar["workers"]] == ["router", "container"]


@pytest.mark.parametrize(
    ("interface", "url"),
    [
        ("", "http://127.0.0.1:8080/"),
        ("0.0.0.0", "http://127.0.0.1:8080/"),
        ("::", "http://[::1]:8080/"),
        ("fd00::7", "http://[fd00::7]:8080/"),
        ("stork.example", "http://stork.example:8080/"),
    ],
)
def test_the_page_is_where_its_port_is_bound(interface, url):
    listener = configuration.Listener("", interface, 8080, tls=False, websocket_path="ws")
    assert listener.page_url == url


def endpoint_of(folder, endpoint):
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 8080, **endpoint}, "paths": {}}
    loaded = configuration.load(write(folder, {"workers": [{"type": "router", "transports": [transport]}]}), {})
    return loaded.crossbar["workers"][0]["transports"][0]["endpoint"]


@pytest.mark.parametrize(
    ("endpoint", "interface"),
    [
        ({"version": 6}, "::"),
        ({"version": 6, "interface": "fd00::7"}, "fd00::7"),
        ({"version": 4, "interface": "stork.example"}, "stork.example"),
        ({"version": 4, "interface": "10.0.0.5"}, "10.0.0.5"),
        ({"version": 4}, None),
    ],
)
def test_the_version_of_ip_is_obeyed(tmp_path, endpoint, interface):
    loaded = endpoint_of(tmp_path, endpoint)
    assert (loaded.get("interface"), "version" in loaded) == (interface, False)


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ({"version": 6, "interface": "127.0.0.1"}, "6, and interface is 127.0.0.1 (want one of them only)"),
        ({"version": 4, "interface": "::1"}, "4, and interface is ::1 (want one of them only)"),
        ({"version": 6, "interface": "a.example"}, "6, and interface is a.example (want one of them only)"),
        ({"version": 5}, "5 is no version of IP (want 4 or 6)"),
        ({"version": "6"}, "'6' is no version of IP (want 4 or 6)"),
    ],
)
def test_a_version_of_ip_that_cannot_be_obeyed_is_refused(tmp_path, endpoint, sentence):
    with pytest.raises(ConfigError) as refused:
        endpoint_of(tmp_path, endpoint)
    [problem] = refused.value.problems
    assert str(problem) == f"{tmp_path}/config.json: workers[0].transports[0].endpoint.version: {sentence}"


def test_references_are_resolved_with_their_types_but_not_in_components(tmp_path):
    router = {
        "type": "router",
        "transports": [{"type": "web", "endpoint": {"type": "tcp", "port": "${LISTEN:-8080}"}, "paths": {}}],
        "components": [
            {"classname": "stork_components.guard.Guard", "extra": {"backend_secret": "${SECRET}"}},
            {"classname": "mine.Component", "extra": {"key": "${KEY}"}},
        ],
    }
    config = configuration.load(write(tmp_path, {"version": 2, "workers": [router]}), {"LISTEN": "9000", "KEY": "k"})
    [loaded] = config.crossbar["workers"]
    assert loaded["transports"][0]["endpoint"]["port"] == 9000
    assert [component["extra"] for component in loaded["components"]] == [
        {"backend_secret": "${SECRET}"},
        {"key": "k"},
    ]


def test_the_files_of_keys_become_those_of_the_folder(tmp_path):
    keys = [{"name": "a", "key_file": "a.key"}, {"name": "b", "key": "${B}"}, "wrong", {"key_file": 5}]
    api = {"type": "class", "classname": configuration.HTTP_API, "extra": {"keys": keys, "push": "${X}"}}
    config = configuration.load(write(tmp_path, {"workers": [{"type": "router", "components": [api]}]}), {})
    [extra] = [component["extra"] for _, component in config.components()]
    absolute = {"name": "a", "key_file": str(tmp_path / "a.key")}
    assert extra == {"keys": [absolute, *keys[1:]], "push": "${X}"}


def test_paths_become_those_of_the_folder_and_sockets_stay_relative(tmp_path):
    router = {
        "type": "router",
        "options": {"pythonpath": [".", "/opt/lib"]},
        "transports": [
            {"type": "rawsocket", "endpoint": {"type": "unix", "path": "router.sock"}},
            {
                "type": "web",
                "endpoint": {"type": "tcp", "port": 1, "tls": {"key": "server.key", "certificate": "/etc/server.crt"}},
                "paths": {"/": {"type": "resource", "classname": "x.Y", "extra": {"directory": "web"}}},
            },
        ],
    }
    [loaded] = configuration.load(write(tmp_path, {"workers": [router]}), {}).crossbar["workers"]
    assert loaded["options"]["pythonpath"] == [str(tmp_path), "/opt/lib"]
    assert loaded["transports"][0]["endpoint"]["path"] == "router.sock"
    assert loaded["transports"][1]["endpoint"]["tls"]["key"] == str(tmp_path / "server.key")
    assert loaded["transports"][1]["endpoint"]["tls"]["certificate"] == "/etc/server.crt"
    assert loaded["transports"][1]["paths"]["/"]["extra"]["directory"] == str(tmp_path / "web")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"version": 2,\n "workers": [}', "config.json, line 2: not JSON: Expecting value"),
        ("[]", 'config.json: not a configuration of Crossbar (want {"version": 2, "workers": […]})'),
        ('{"workers": ["x"]}', 'config.json: not a configuration of Crossbar (want {"version": 2, "workers": […]})'),
        (
            '{"workers": [{"type": "container", "id": "${NAMELESS}"}]}',
            "config.json: workers[0].id: the environment variable NAMELESS is not set "
            "(and there is no ${NAMELESS:-default})",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path, text, problem):
    with pytest.raises(ConfigError) as raised:
        configuration.load(write(tmp_path, text), {})
    assert str(raised.value) == f"{tmp_path}/{problem}"


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError, match=r"config.json: no such file \(write one with: stork init\)"):
        configuration.load(tmp_path, {})


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        configuration.load(tmp_path, {})


def test_the_environment_may_name_the_public_port(tmp_path):
    plain = {"type": "web", "endpoint": {"type": "tcp", "port": 9}, "paths": {}}
    public = {"type": "web", "endpoint": {"type": "tcp", "port": 8080}, "paths": {"ws": {"type": "websocket"}}}
    write(tmp_path, {"version": 2, "workers": [{"type": "router", "transports": [plain, public]}]})
    assert [each.port for each in configuration.load(tmp_path, {"STORK_PORT": "7000"}).listeners] == [9, 7000]
    assert [each.port for each in configuration.load(tmp_path, {"STORK_PORT": ""}).listeners] == [9, 8080]
    for value in ("abc", "0", "65536", "-1"):
        with pytest.raises(
            ConfigError, match=r"workers\[0\]\.transports\[1\]\.endpoint\.port: STORK_PORT is '.*', not"
        ):
            configuration.load(tmp_path, {"STORK_PORT": value})


def test_the_environment_may_name_the_other_ports(tmp_path):
    server = [
        "publish-server",
        "--pull",
        "tcp://${HOST}:5555",
        "--router",
        "tcp://[::1]:5557",
        "--pub",
        "tcp://*:${PUB}",
    ]
    component = {
        "type": "class",
        "classname": "stork_components.x.Y",
        "extra": {"push": "tcp://a:5557", "bus": "tcp://${A:-b}:5556", "listen": "tcp://*:8081", "secret": "x:1"},
    }
    other = component | {"classname": "other.Y"}
    router = {"type": "router", "components": [component, other]}
    write(tmp_path, {"version": 2, "workers": [router, {"type": "guest", "executable": "stork", "arguments": server}]})
    ports = {"STORK_PULL_PORT": "1", "STORK_PUB_PORT": "2", "STORK_ROUTER_PORT": "3", "STORK_OPERATOR_PORT": "5"}
    loaded = configuration.load(tmp_path, ports | {"STORK_REPLAY_PORT": "", "A": "a"})
    assert loaded.publish_server == (
        *("publish-server", "--pull", "tcp://${HOST}:1", "--router", "tcp://[::1]:3", "--pub", "tcp://*:${PUB}"),
    )
    [stork, untouched] = [each["extra"] for _, each in loaded.components()]
    assert stork == {"push": "tcp://a:3", "bus": "tcp://${A:-b}:2", "listen": "tcp://*:5", "secret": "x:1"}
    assert untouched["push"] == "tcp://a:5557"
    with pytest.raises(ConfigError, match=r"components\[0\]\.extra\.push: STORK_ROUTER_PORT is 'x', not a port") as no:
        configuration.load(tmp_path, {"STORK_ROUTER_PORT": "x", "A": "a"})
    assert r"workers[1].arguments[4]: STORK_ROUTER_PORT is 'x'" in str(no.value)


def test_a_port_that_is_none_is_named_with_its_place(tmp_path):
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": "${LISTEN:-8080}"}, "paths": {}}
    write(tmp_path, {"version": 2, "workers": [{"type": "router", "transports": [transport]}]})
    with pytest.raises(ConfigError, match=r"workers\[0\]\.transports\[0\]\.endpoint\.port: 'abc' is not a port"):
        configuration.load(tmp_path, {"LISTEN": "abc"})
