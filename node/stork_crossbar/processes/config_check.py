"""
``stork check``: finds all errors that can be known before the start, at once.

It imports Crossbar, the components and the application. A process that must not import them runs it in another process
(``preflight``).
"""

import copy
import errno
import importlib
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from stork_crossbar.internals.crossbar_check import refuse_other_versions
from stork_crossbar.internals.deferred_imports import deferred
from stork_node.application.summary import Summary
from stork_node.config import configuration, old_components
from stork_node.config.configuration import Configuration, is_stork_component
from stork_node.errors import ConfigError, Problem
from stork_node.gate.reading import SERIALIZERS
from stork_node.http.origins import AllowedOrigin, origins
from stork_node.nodes.names import node_name
from stork_node.transport.endpoints import Endpoint, names_other_host

Ports = Literal["none", "node", "all"]

# docs/delivery.md#crossbar-settings.
_SMALLEST_CHUNK = 1_000_000
_LARGEST_EVENT_BYTES = 1024 * 1024 + 4 * 1024
_EVERY_HOST = {"", "*", "0.0.0.0", "::"}  # noqa: S104  # compared


def check(folder: Path, environ: Mapping[str, str], ports: Ports = "none") -> Summary:
    """
    Check ``folder``/config.json, what it names, and which of its ports are free: none, the node's, or all of them.

    Returns:
        What the application declares.

    Raises:
        ConfigError: all problems; or the installed Crossbar is not as expected.
    """
    with deferred():
        refuse_other_versions()
    config = configuration.load(folder, environ)
    problems = [
        Problem(f"{config.file}: {problem.path}" if problem.path else str(config.file), problem.text)
        for problem in (
            *_crossbars_own(config),
            *_delivery_settings(config),
            *_component_settings(config),
            *_page_settings(config),
            *old_components.problems(config.crossbar.get("workers", [])),
            *_publish_server(config, environ, ports),
            *_shared_ports(config, environ),
        )
    ]
    problems += _node_name(environ)
    application = Summary()
    if not problems:
        for each in _applications(config):
            if isinstance(each, Problem):
                problems.append(each)
            else:
                application = application.merged(each)
        problems += _busy_ports(config) if ports != "none" else ()
    if problems:
        raise ConfigError(problems)
    return application


def _node_name(environ: Mapping[str, str]) -> Iterator[Problem]:
    try:
        node_name(environ, "")
    except ConfigError as error:
        yield from error.problems


def explain_origins(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """A sentence for each WebSocket origin of a checked configuration."""
    config = configuration.load(folder, environ)
    named: list[AllowedOrigin] = []
    for _, component in config.components():
        if is_stork_component(component):
            named += getattr(_settings(component, ""), "origins", ())
    for _, service in _websockets(config):
        named += origins(service.get("options", {}).get("allowed_origins", []))
    return list(dict.fromkeys(origin.sentence for origin in named))


def explain_old_names(folder: Path) -> list[str]:
    """The new lines for components whose old names work in this release for the last time."""
    return list(old_components.explain(configuration.read_file(folder).get("workers", [])))


def _crossbars_own(config: Configuration) -> Iterator[Problem]:
    with deferred():
        from crossbar.common.checkconfig import InvalidConfigException

        from stork_crossbar.personality import Personality

    try:
        Personality.check_config(Personality, copy.deepcopy(config.crossbar))
    except InvalidConfigException as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        yield Problem("", " ".join(lines[:2]))


def _delivery_settings(whole: Configuration) -> Iterator[Problem]:
    config = whole.crossbar
    if whole.public is None:
        yield Problem("", "no transport here has a WebSocket on a TCP port that browsers could come to")
    for w, worker in enumerate(config.get("workers", [])):
        for r, realm in enumerate(worker.get("realms", [])):
            chunk = realm.get("options", {}).get("event_dispatching_chunk_size", 100)
            if chunk < _SMALLEST_CHUNK:
                yield Problem(
                    f"workers[{w}].realms[{r}].options.event_dispatching_chunk_size",
                    f"{chunk}, and chunks reorder events (want {_SMALLEST_CHUNK} or more)",
                )
    for path, service in _websockets(whole):
        yield from _websocket_settings(f"{path}.options", service.get("options", {}))
        for name in service.get("serializers", []):
            if name not in SERIALIZERS:
                yield Problem(
                    f"{path}.serializers", f"{name!r} is not offered to clients (want some of {', '.join(SERIALIZERS)})"
                )


def _websockets(whole: Configuration) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The options of each WebSocket in config.json, with its path."""
    for w, worker in enumerate(whole.crossbar.get("workers", [])):
        for t, transport in enumerate(worker.get("transports", [])):
            path = f"workers[{w}].transports[{t}]"
            if transport.get("type") == "websocket":
                yield path, transport
            for name, service in transport.get("websocket", {}).items():
                yield f"{path}.websocket.{name}", service
            for name, service in transport.get("paths", {}).items():
                if service.get("type") == "websocket":
                    yield f"{path}.paths.{name}", service


def _websocket_settings(path: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    size = options.get("max_message_size", 0)
    if 0 < size <= _LARGEST_EVENT_BYTES:
        yield Problem(
            f"{path}.max_message_size",
            f"{size}, and larger events would be dropped (want 0, or more than {_LARGEST_EVENT_BYTES} bytes)",
        )
    try:
        origins(options.get("allowed_origins", []))
    except ValueError as error:
        yield Problem(f"{path}.allowed_origins", str(error))
    if options.get("compression"):
        yield Problem(f"{path}.compression", "has no effect: no event is compressed (take it out)")
    if options.get("fail_by_drop") is not True:
        yield Problem(f"{path}.fail_by_drop", "not set, and connections that fail would linger (want true)")


def _component_settings(config: Configuration) -> Iterator[Problem]:
    for path, component in config.components():
        if not is_stork_component(component):
            continue
        try:
            _settings(component, f"{path}.extra")
        except (ImportError, AttributeError) as error:
            yield Problem(f"{path}.classname", f"{component['classname']} cannot be imported: {error}")
        except ConfigError as error:
            yield from error.problems


def _page_settings(config: Configuration) -> Iterator[Problem]:
    for w, worker in enumerate(config.crossbar.get("workers", [])):
        for t, transport in enumerate(worker.get("transports", [])):
            for name, service in transport.get("paths", {}).items():
                if service.get("classname") == configuration.PAGE:
                    path = f"workers[{w}].transports[{t}].paths.{name}.extra"
                    try:
                        _settings(service, path)
                    except ConfigError as error:
                        yield from error.problems


def _settings(component: Mapping[str, Any], path: str) -> Any:
    module, _, name = component["classname"].rpartition(".")
    return getattr(importlib.import_module(module), name).read_settings(component.get("extra"), path)


def _publish_server(config: Configuration, environ: Mapping[str, str], ports: Ports) -> Iterator[Problem]:
    try:
        endpoints = _publish_server_endpoints(config, environ)
    except ConfigError as error:
        for problem in error.problems:
            path = problem.path.removeprefix(f"{config.file}: ")  # of webhooks
            yield Problem(path if path != problem.path else f"publish-server {path}", problem.text)
        return
    if ports == "all":
        for flag, endpoint in endpoints.items():
            if fault := _endpoint_fault(endpoint):
                yield Problem(f"publish-server --{flag}", f"{endpoint} {fault}")


def _publish_server_endpoints(config: Configuration, environ: Mapping[str, str]) -> dict[str, str]:
    """
    The endpoints that the publish server of this node binds, by their flags; none if it has none.

    Raises:
        ConfigError: wrong arguments.
    """
    if config.publish_server is None:
        return {}
    from stork_node.cli.publish_server import parse_arguments

    settings = parse_arguments(list(config.publish_server[1:]), environ)
    return {flag: getattr(settings, flag) for flag in ("pull", "router", "pub", "replay")}


def _applications(config: Configuration) -> Iterator[Problem | Summary]:
    """The applications that the components name: the problems of each, or what it declares."""
    from stork_node.access.composing import compose

    checked = set()
    for w, worker in enumerate(config.crossbar.get("workers", [])):
        search_path = [*worker.get("options", {}).get("pythonpath", []), *sys.path]
        for c, component in enumerate(worker.get("components", [])):
            access = getattr(_settings(component, ""), "access", None) if is_stork_component(component) else None
            if access is None or access in checked:
                continue
            checked.add(access)
            try:
                application = compose(access, search_path, f"{config.file}: workers[{w}].components[{c}].extra")
                yield from _foreign_versions(config, application.stork.declared.feeds)
                yield application.summary()
            except ConfigError as error:
                yield from error.problems


def _foreign_versions(config: Configuration, feeds: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    """Apps of Pusher's protocol whose channels would be topics of the application's feeds, without their verifiers."""
    for path, component in config.components():
        apps = getattr(_settings(component, path), "apps", ()) if is_stork_component(component) else ()
        for app in apps:
            for version, name in feeds:
                if version == app.version and not app.meets_feeds:
                    yield Problem(
                        f"{config.file}: {path}.extra.apps",
                        f"the app {app.id!r} has the version of the feed {version}.{name}, which its clients would get "
                        'without its verifiers (want another version, or "shared": true)',
                    )


def _busy_ports(config: Configuration) -> Iterator[Problem]:
    for listener in config.listeners:
        if fault := _bind_fault(listener.interface, listener.port):
            yield Problem(f"{config.file}: {listener.path}.endpoint.port", f"{listener.port} {fault}")
    for path, listen in _own_listeners(config):
        if fault := _endpoint_fault(listen):
            yield Problem(f"{config.file}: {path}", f"{listen} {fault}")


def _own_listeners(config: Configuration) -> Iterator[tuple[str, str]]:
    """Path and endpoint of each setting ``listen`` of a component."""
    for path, component in config.components():
        listen = getattr(_settings(component, path), "listen", None) if is_stork_component(component) else None
        if listen:
            yield f"{path}.extra.listen", listen


def _shared_ports(config: Configuration, environ: Mapping[str, str]) -> Iterator[Problem]:
    """The ports that two settings name: only one of them could be bound."""
    named: list[tuple[str, str, int]] = []
    for path, host, port in _bound_here(config, environ):
        for earlier, other_host, other_port in named:
            if port == other_port and (host == other_host or _EVERY_HOST & {host, other_host}):
                yield Problem(path, f"{port} is the port of {earlier}, too")
        named.append((path, host, port))


def _bound_here(config: Configuration, environ: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    """Path, host and port of each setting that names a port of this host; other checks tell what is wrong in them."""
    for listener in config.listeners:
        yield f"{listener.path}.endpoint.port", listener.interface, listener.port
    with suppress(ConfigError, ImportError, AttributeError):
        for path, listen in _own_listeners(config):
            at = Endpoint.parse(listen)
            yield path, at.host, at.port
    if names_other_host(environ, os.uname().nodename):
        return
    with suppress(ConfigError):
        for flag, endpoint in _publish_server_endpoints(config, environ).items():
            at = Endpoint.parse(endpoint)
            if at.port:
                yield f"publish-server --{flag}", at.host, at.port


def _bind_fault(interface: str, port: int) -> str | None:
    """Why this port cannot be bound; None if it can."""
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((interface, port))
        except OSError as error:
            in_use = "is in use already: stop what uses it, or choose another one here"
            return in_use if error.errno == errno.EADDRINUSE else f"cannot be bound: {error.strerror}"
    return None


def _endpoint_fault(endpoint: str) -> str | None:
    """Why this ``tcp://HOST:PORT`` cannot be bound; None if it can."""
    at = Endpoint.parse(endpoint)
    return _bind_fault(at.host.replace("*", ""), at.port) if at.port else None
