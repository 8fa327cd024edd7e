"""
``.crossbar/config.json``, as Stork node reads it: ``${NAME}`` in any value, and paths relative to its own folder.

Crossbar resolves relative paths in its node directory, where it also writes pid, keys and sockets. Stork node's is a
private one, so that ``.crossbar/`` is only read. So paths into ``.crossbar/`` become absolute here, and paths of
written files stay relative.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stork_node.config.cache_histories import share_cache_times
from stork_node.config.expansion import expand
from stork_node.config.feed_histories import PUSHER as PUSHER
from stork_node.config.feed_histories import extras, share_histories
from stork_node.config.port_variables import PUBLIC, PortVariables
from stork_node.errors import ConfigError, Problem
from stork_node.transport.endpoints import Endpoint, bracketed

HTTP_API = "stork_components.api.Api"
"""The class of the component with the keys of the HTTP API."""

PAGE = "stork_components.web.Page"
"""The class of the web service in config.json that serves the page."""

_TLS_FILES = frozenset({"key", "certificate", "dhparam", "ca_certificates", "chain_certificates"})


@dataclass(frozen=True)
class Listener:
    """One TCP port that the node listens on; ``interface`` is ``""`` for all."""

    path: str
    interface: str
    port: int
    tls: bool
    websocket_path: str | None

    @property
    def host(self) -> str:
        """The host of this port on the same machine, in the form of a URL."""
        return bracketed(Endpoint(self.interface or "*", self.port).to_reach)

    @property
    def page_url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/"


@dataclass(frozen=True)
class Configuration:
    """
    The contents of config.json.

    ``crossbar`` is the configuration for Crossbar. All references are resolved, except in the ``extra`` of a Stork
    component, which resolves its own. The publish server is left out; its arguments are in ``publish_server``, as
    written, and so is the JSON of its ``webhooks``.
    """

    folder: Path
    crossbar: dict[str, Any]
    publish_server: tuple[str, ...] | None
    webhooks: str = ""

    @property
    def file(self) -> Path:
        return self.folder / "config.json"

    @property
    def listeners(self) -> list[Listener]:
        return [
            _listener(path, transport)
            for path, transport in _transports(self.crossbar)
            if transport.get("endpoint", {}).get("type") == "tcp" and isinstance(transport["endpoint"]["port"], int)
        ]

    @property
    def public(self) -> Listener | None:
        """The first port with a WebSocket: the port for browsers."""
        return next((listener for listener in self.listeners if listener.websocket_path is not None), None)

    def components(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every component with its path in config.json."""
        return _with_paths(self.crossbar)


def load(folder: Path, environ: Mapping[str, str]) -> Configuration:
    """
    Read ``config.json`` in ``folder``.

    Raises:
        ConfigError: no such file, not JSON, or references to variables that are not set.
    """
    folder = folder.resolve()
    config = read_file(folder)
    problems: list[Problem] = []
    guest = next((worker for worker in config.get("workers", []) if _is_publish_server(worker)), None)
    arguments = list(guest["arguments"]) if guest else []
    expanded = _expand(config, guest, environ, problems)
    share_histories(expanded["workers"])
    share_cache_times(expanded["workers"], environ)
    ports = PortVariables(environ, problems)
    _set_own_ports(expanded, ports)
    if arguments:
        ports.set_in_arguments(arguments, f"workers[{config['workers'].index(guest)}]")
    _check_endpoints(expanded, problems)
    webhooks = _webhooks(expanded["workers"], guest) if guest else ""
    if webhooks:
        arguments += ["--webhooks", str(folder / "config.json")]
    if problems:
        file = folder / "config.json"
        raise ConfigError([Problem(f"{file}: {problem.path}", problem.text) for problem in problems])
    for worker in expanded["workers"]:
        _make_absolute(worker, folder)
    for _, transport in _transports(expanded):
        _tell_pages(transport)
    return Configuration(folder, expanded, tuple(arguments) or None, webhooks)


def _webhooks(workers: list[dict[str, Any]], guest: Mapping[str, Any]) -> str:
    """The JSON of the webhooks, and of the apps that have some; empty if there are none."""
    apps = [extra.get("apps", []) for extra in extras(workers, PUSHER)]
    listed = [guest["webhooks"]] if "webhooks" in guest else []
    text = json.dumps(listed + [each for each in apps if '"webhooks"' in json.dumps(each)])
    return "" if text == "[]" else text


def _expand(
    config: Mapping[str, Any], guest: Mapping[str, Any] | None, environ: Mapping[str, str], problems: list[Problem]
) -> dict[str, Any]:
    """
    The configuration without the publish server, its variables resolved.

    The publish server and Stork's components resolve their own values, because stock Crossbar does not do that for
    them.
    """
    workers = [worker for worker in config.get("workers", []) if worker is not guest]
    own = [(component, component.get("extra")) for component in _components(workers) if is_stork_component(component)]
    for component, _ in own:
        component["extra"] = {}
    expanded: dict[str, Any] = expand({**config, "workers": workers}, environ, "", problems, typed=True)
    for component, (_, extra) in zip(filter(is_stork_component, _components(expanded["workers"])), own, strict=True):
        component["extra"] = dict(extra or {})
    return expanded


def _check_endpoints(config: Mapping[str, Any], problems: list[Problem]) -> None:
    for path, transport in _transports(config):
        endpoint = transport.get("endpoint", {})
        port = endpoint.get("port")
        if isinstance(port, str) and not port.startswith("$"):  # Crossbar's own way to name a variable
            problems.append(Problem(f"{path}.endpoint.port", f"{port!r} is not a port (want 8080, say)"))
        _obey_version(f"{path}.endpoint", endpoint, problems)


def _obey_version(path: str, endpoint: dict[str, Any], problems: list[Problem]) -> None:
    """
    Make an interface of ``version``, which Crossbar passes on to a call that ignores it, and refuses with TLS.

    IPv6 on all interfaces takes IPv4 as well.
    """
    if endpoint.get("type") != "tcp" or "version" not in endpoint:
        return
    version, interface = endpoint["version"], str(endpoint.get("interface", "")).strip()
    if version not in (4, 6):
        problems.append(Problem(f"{path}.version", f"{version!r} is no version of IP (want 4 or 6)"))
    elif version == 6 and not interface:
        endpoint["interface"] = "::"
    elif interface and (":" in interface) != (version == 6):  # Twisted would take a name for its IPv4 address
        problems.append(Problem(f"{path}.version", f"{version}, and interface is {interface} (want one of them only)"))
    del endpoint["version"]


def _set_own_ports(config: Mapping[str, Any], ports: PortVariables) -> None:
    _set_public_port(config, ports)
    for path, component in _with_paths(config):
        if is_stork_component(component):
            ports.set_in_extra(component["extra"], path)


def _set_public_port(config: Mapping[str, Any], ports: PortVariables) -> None:
    for path, transport in _transports(config):
        endpoint = transport.get("endpoint", {})
        if endpoint.get("type") == "tcp" and _websocket_path(transport) is not None:
            port = ports.wanted(PUBLIC, f"{path}.endpoint.port")
            endpoint["port"] = int(port) if port else endpoint["port"]
            return


def is_stork_component(component: Mapping[str, Any]) -> bool:
    return str(component.get("classname", "")).startswith("stork_components.")


def read_file(folder: Path) -> dict[str, Any]:
    """
    ``config.json``, as written.

    Raises:
        ConfigError: no such file, not JSON, or not a configuration.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([Problem(str(file), "no such file (write one with: stork init)")]) from None
    except OSError as error:
        raise ConfigError([Problem(str(file), f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(str(file), "is not UTF-8")]) from None
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(f"{file}, line {error.lineno}", f"not JSON: {error.msg}")]) from None
    workers = config.get("workers", []) if isinstance(config, dict) else None
    if (
        not isinstance(config, dict)
        or not isinstance(workers, list)
        or not all(isinstance(worker, dict) for worker in workers)
    ):
        raise ConfigError([Problem(str(file), 'not a configuration of Crossbar (want {"version": 2, "workers": […]})')])
    return config


def _with_paths(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for w, worker in enumerate(config.get("workers", [])):
        for c, component in enumerate(worker.get("components", [])):
            yield f"workers[{w}].components[{c}]", component


def _components(workers: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for worker in workers:
        yield from worker.get("components", [])


def _is_publish_server(worker: Mapping[str, Any]) -> bool:
    return worker.get("type") == "guest" and list(worker.get("arguments", []))[:1] == ["publish-server"]


def _make_absolute(worker: dict[str, Any], folder: Path) -> None:
    """Make the paths that a worker reads absolute. Unix sockets are written, and stay where Crossbar writes."""
    options = worker.get("options", {})
    if "pythonpath" in options:
        options["pythonpath"] = [str(folder / entry) for entry in options["pythonpath"]]
    for component in worker.get("components", []):
        if component.get("classname") == HTTP_API:
            component["extra"] = _with_absolute_key_files(component["extra"], folder)
    for transport in worker.get("transports", []):
        tls = transport.get("endpoint", {}).get("tls", {})
        for key in _TLS_FILES & tls.keys():
            tls[key] = (
                [str(folder / file) for file in tls[key]] if isinstance(tls[key], list) else str(folder / tls[key])
            )
        _make_directories_absolute(transport.get("paths", {}), folder)


def _with_absolute_key_files(extra: dict[str, Any], folder: Path) -> dict[str, Any]:
    keys = extra.get("keys")
    if not isinstance(keys, list):
        return extra
    return {
        **extra,
        "keys": [
            {**key, "key_file": str(folder / key["key_file"])}
            if isinstance(key, dict) and isinstance(key.get("key_file"), str) and key["key_file"]
            else key
            for key in keys
        ],
    }


def _make_directories_absolute(services: Any, folder: Path) -> None:
    """Make the folders of web services absolute: those in ``extra``, Crossbar's own, and nested ones."""
    if isinstance(services, dict):
        for key, value in services.items():
            if key == "directory" and isinstance(value, str):
                services[key] = str(folder / value)
            else:
                _make_directories_absolute(value, folder)


def _tell_pages(transport: Mapping[str, Any]) -> None:
    """Tell each page where its WebSocket is, relative to itself."""
    websocket = _websocket_path(transport)
    for path, service in transport.get("paths", {}).items():
        if websocket is not None and service.get("classname") == PAGE:
            service["extra"] = {"websocket": _relative(websocket, path), **(service.get("extra") or {})}


def _relative(target: str, page: str) -> str:
    """A relative address of one path of a transport for a page at another, which ends with ``/``."""
    up = "../" * len([part for part in page.split("/") if part])
    return f"{up}{target.strip('/')}" or "./"


def _transports(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for w, worker in enumerate(config.get("workers", [])):
        for t, transport in enumerate(worker.get("transports", [])):
            yield f"workers[{w}].transports[{t}]", transport


def _listener(path: str, transport: Mapping[str, Any]) -> Listener:
    endpoint = transport["endpoint"]
    return Listener(
        path, endpoint.get("interface", ""), endpoint["port"], "tls" in endpoint, _websocket_path(transport)
    )


def _websocket_path(transport: Mapping[str, Any]) -> str | None:
    if transport.get("type") in ("websocket", "universal"):
        return "/"
    paths = transport.get("paths", {})
    return next((path for path, service in paths.items() if service.get("type") == "websocket"), None)
