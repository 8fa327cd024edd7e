"""
Settings: the ``extra`` of a component, or the flags of a command, as one frozen dataclass.

Each field has a parser for its value. ``read`` reports all errors at once, each with its path.

    @dataclass(frozen=True)
    class GuardSettings:
        application_timeout_s: float = setting(seconds, 5.0)

    settings = read(GuardSettings, extra, os.environ, "workers[0].components[0].extra")
"""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from stork_node.config.expansion import expand
from stork_node.errors import ConfigError, Problem
from stork_node.transport.endpoints import Endpoint, parse_endpoints

S = TypeVar("S")

_SHORTEST_INTERVAL_S = 0.01
_LONGEST_REQUEST_S = 60.0


def setting(parse: Callable[[Any], Any], default: Any) -> Any:
    """A field of a settings class: ``parse`` takes the JSON value, or raises ``ValueError`` with one sentence."""
    make: dict[str, Any] = {"default_factory": lambda: default} if default.__hash__ is None else {"default": default}
    return dataclasses.field(metadata={"parse": parse}, **make)


def read(settings_class: type[S], values: Mapping[str, Any] | None, environ: Mapping[str, str], path: str = "") -> S:
    """
    Build ``settings_class`` from JSON values. Any value may have ``${NAME}``.

    Raises:
        ConfigError: unknown keys (with the nearest known one), references without a value, values that do not parse.
    """
    problems: list[Problem] = []
    known = {field.name: field for field in dataclasses.fields(settings_class)}  # type: ignore[arg-type]  # a dataclass by contract
    parsed: dict[str, Any] = {}
    for key, raw in (values or {}).items():
        where = f"{path}.{key}" if path else key
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)) or 'none'}"
            problems.append(Problem(where, f"unknown setting, {hint}"))
            continue
        unresolved = len(problems)
        value = expand(raw, environ, where, problems)
        if len(problems) > unresolved:
            continue
        try:
            parsed[key] = known[key].metadata["parse"](value)
        except ConfigError as error:
            problems += [Problem(below(where, problem.path), problem.text) for problem in error.problems]
        except ValueError as error:
            problems.append(Problem(where, str(error)))
    if problems:
        raise ConfigError(problems)
    return settings_class(**parsed)


def section(settings_class: type[S]) -> Callable[[Any], S]:
    """Settings within settings: a parser for an object with the keys of ``settings_class``."""

    def parse(value: Any) -> S:
        if not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is not a group of settings (want {{…}})")
        return read(settings_class, value, {})

    return parse


def several(parse: Callable[[Any], S]) -> Callable[[Any], tuple[S, ...]]:
    """A parser for a list, each entry of which ``parse`` takes."""

    def parse_all(value: Any) -> tuple[S, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is not a list (want […])")
        return parse_each((f"[{number}]", partial(parse, entry)) for number, entry in enumerate(value))

    return parse_all


def parse_each(parsers: Iterable[tuple[str, Callable[[], S]]]) -> tuple[S, ...]:
    """
    What the parsers return, in order; each with the path of its value.

    Raises:
        ConfigError: the problems of all of them.
    """
    parsed: list[S] = []
    problems: list[Problem] = []
    for path, parse in parsers:
        try:
            parsed.append(parse())
        except ConfigError as error:
            problems += [Problem(below(path, problem.path), problem.text) for problem in error.problems]
        except ValueError as error:
            problems.append(Problem(path, str(error)))
    if problems:
        raise ConfigError(problems)
    return tuple(parsed)


def below(path: str, rest: str) -> str:
    """The path of a value within the value at ``path``; a list's begins with a bracket."""
    return f"{path}{rest}" if not path or not rest or rest.startswith("[") else f"{path}.{rest}"


def text(value: Any) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not a text (want "…")')
    return value


def name(value: Any) -> str:
    """A string that is not empty."""
    if not text(value):
        raise ValueError("is empty, and must not be")
    return str(value)


def endpoint(value: Any) -> str:
    """A ZMQ endpoint ``tcp://HOST:PORT``. An IPv6 address may come without brackets, and is returned with them."""
    return str(Endpoint.parse(value))


def endpoints(value: Any) -> tuple[str, ...]:
    """One ZMQ endpoint, or several with commas between them: ``tcp://HOST1,HOST2:PORT``."""
    return parse_endpoints(value)


def servers(value: Any) -> str:
    """Endpoints as ``endpoints``, with commas between them."""
    return ",".join(parse_endpoints(value))


def _number(value: Any, want: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        number = float(value)
        if not 0 <= number < float("inf"):
            raise ValueError
    except ValueError:
        raise ValueError(f"{value!r} is not {want}") from None
    return number


def seconds(value: Any) -> float:
    """A time in seconds, zero or more."""
    return _number(value, "a time in seconds (want 5 or 0.5)")


def interval(value: Any) -> float:
    """A time between two repetitions, in seconds: not zero, which would leave no pause."""
    if (time_s := seconds(value)) < _SHORTEST_INTERVAL_S:
        raise ValueError(f"{value!r} is not a time between two repetitions (want 1 or 0.5)")
    return time_s


def count(value: Any) -> int:
    """A whole number, zero or more."""
    number = _number(value, "a whole number (want 1000)")
    if number != int(number):
        raise ValueError(f"{value!r} is not a whole number (want 1000)")
    return int(number)


def names(value: Any) -> tuple[str, ...]:
    """A list of strings that are not empty, or one string with commas."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) and item.strip() for item in items):
        raise ValueError(f'{value!r} is not a list of names (want ["frontend"])')
    return tuple(item.strip() for item in items)


def http_url(value: Any) -> str:
    """An address ``https://HOST/PATH``; plain ``http`` is for a private network."""
    try:
        url = urlsplit(text(value))
        is_good = url.scheme in ("http", "https") and bool(url.hostname) and not url.username and url.port != 0
    except ValueError:
        is_good = False
    if not is_good or not value.isascii() or any(c.isspace() for c in value):
        raise ValueError(f"{value!r} is not an address (want https://www.example.com/path)")
    return str(value)


def optional_url(value: Any) -> str:
    """As ``http_url``, or an empty text."""
    return "" if value == "" else http_url(value)


def time_out(value: Any) -> float:
    """The whole time for one HTTP request, in seconds."""
    time_s = seconds(value)
    if not 0 < time_s <= _LONGEST_REQUEST_S:
        raise ValueError(f"{value!r} is not a time to wait for an answer (want 0.1 to {_LONGEST_REQUEST_S:g})")
    return time_s
