"""``jwt`` in the ``extra`` of the application: the keys that sign tickets, and the claims that they must have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stork_node.config.settings import http_url, interval, name, read, seconds, section, setting, several, text
from stork_node.errors import ConfigError, Problem
from stork_node.tokens.claims import ClaimRules
from stork_node.tokens.keys import ALGORITHMS, VerifyingKey, read_jwks

_SOURCES = ("key", "key_file", "jwks_file", "jwks_url")
_MOST_BYTES = 1 << 20


def _algorithm(value: Any) -> str:
    if value not in ALGORITHMS:
        raise ValueError(f"{value!r} is not an algorithm for tokens here (want one of {', '.join(ALGORITHMS)})")
    return str(value)


@dataclass(frozen=True)
class KeySettings:
    """
    One of ``key`` (HS256 as text or ``base64:…``, or a public key in PEM), ``key_file``, ``jwks_file``, ``jwks_url``.

    ``alg`` may say what the key is for, and ``kid`` which tokens name it. An empty ``key`` is no key: its variable is
    not set.
    """

    key: str = setting(text, "")
    key_file: str = setting(name, "")
    jwks_file: str = setting(name, "")
    jwks_url: str = setting(http_url, "")
    alg: str = setting(_algorithm, "")
    kid: str = setting(name, "")

    def __repr__(self) -> str:
        return "<KeySettings>"  # the key is a secret


def _key(value: Any) -> KeySettings:
    if not isinstance(value, Mapping) or len(set(_SOURCES) & set(value)) != 1:
        raise ValueError(f"is not one key (want an object with one of {', '.join(_SOURCES)})")
    key = read(KeySettings, value, {})
    if key.jwks_file or key.jwks_url:
        for own in ("alg", "kid"):
            if getattr(key, own):
                raise ConfigError([Problem(own, "belongs to a single key, and the keys of a set have their own")])
    if key.key:
        _read_key(key, key.key, "key")
    return key


def _read_key(settings: KeySettings, material: str, setting_name: str) -> VerifyingKey:
    try:
        key = VerifyingKey.read(material, settings.kid or None)
    except ValueError as error:
        raise ConfigError([Problem(setting_name, str(error))]) from None
    if settings.alg and settings.alg != key.alg:
        raise ConfigError([Problem("alg", f"{settings.alg} does not fit this key, which is for {key.alg}")])
    return key


def _audiences(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise ValueError(f'{value!r} is not an audience (want "stork", or a list of such)')
    return tuple(filter(None, listed))


@dataclass(frozen=True)
class ClaimNames:
    """The claims for the user, the topics, and what others see of the user. A dot leads into an object."""

    sub: str = setting(name, ClaimRules.sub)
    topics: str = setting(name, ClaimRules.topics)
    presence: str = setting(name, ClaimRules.presence)


@dataclass(frozen=True)
class JwtSettings:
    """
    ``keys`` verify the tokens; without any, no ticket counts as a token. ``issuer`` and ``audience`` may be empty.
    ``leeway_s`` is for clocks that differ, ``refresh_s`` the time between two fetches of a key set.
    """

    keys: tuple[KeySettings, ...] = setting(several(_key), ())
    issuer: str = setting(text, "")
    audience: tuple[str, ...] = setting(_audiences, ())
    leeway_s: float = setting(seconds, 30.0)
    refresh_s: float = setting(interval, 600.0)
    claims: ClaimNames = setting(section(ClaimNames), ClaimNames())


@dataclass(frozen=True)
class TokenRules:
    """
    What the guard needs to check tokens: the keys themselves, key sets by path and URL, and the rules for claims.
    """

    claims: ClaimRules
    keys: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    jwks_files: tuple[str, ...] = ()
    jwks_urls: tuple[str, ...] = ()
    refresh_s: float = 600.0

    def to_wire(self) -> dict[str, Any]:
        """JSON values; ``from_wire`` reads them in the guard."""
        rules = self.claims
        return {
            "claims": [rules.issuer, list(rules.audiences), rules.leeway_s, rules.sub, rules.topics, rules.presence],
            "keys": [list(each) for each in self.keys],
            "jwks_files": list(self.jwks_files),
            "jwks_urls": list(self.jwks_urls),
            "refresh_s": self.refresh_s,
        }

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> "TokenRules":
        """Read what ``to_wire`` wrote."""
        issuer, audiences, leeway_s, sub, topics, presence = wire["claims"]
        return cls(
            ClaimRules(issuer, tuple(audiences), leeway_s, sub, topics, presence),
            tuple((text, kid) for text, kid in wire["keys"]),
            tuple(wire["jwks_files"]),
            tuple(wire["jwks_urls"]),
            wire["refresh_s"],
        )

    def verifying_keys(self) -> tuple[VerifyingKey, ...]:
        return tuple(VerifyingKey.read(text, kid or None) for text, kid in self.keys)


def token_rules(settings: JwtSettings, folder: Path) -> TokenRules | None:
    """
    Read the files that the settings name, and give the guard's form; None if there is no key.

    Args:
        settings: ``jwt`` of the configuration.
        folder: for relative paths of files.

    Raises:
        ConfigError: files that cannot be read, or hold no keys; the paths begin with ``keys[0]``.
    """
    keys: list[tuple[str, str]] = []
    files, problems = [], []
    for number, each in enumerate(settings.keys):
        try:
            if each.key_file:
                material = _read_file(folder / each.key_file, "key_file").decode().rstrip("\r\n")
                _read_key(each, material, "key_file")
                keys.append((material, each.kid))
            elif each.jwks_file:
                read_jwks(_read_file(folder / each.jwks_file, "jwks_file"), symmetric=True)
                files.append(str(folder / each.jwks_file))
            elif each.key:
                keys.append((each.key, each.kid))
        except ConfigError as error:
            problems += [Problem(f"keys[{number}].{problem.path}", problem.text) for problem in error.problems]
        except ValueError as error:
            source = "key_file" if each.key_file else "jwks_file"
            problems.append(
                Problem(f"keys[{number}].{source}", f"{folder / (each.key_file or each.jwks_file)}: {error}")
            )
    if problems:
        raise ConfigError(problems)
    urls = tuple(each.jwks_url for each in settings.keys if each.jwks_url)
    if not (keys or files or urls):
        return None
    names = settings.claims
    claims = ClaimRules(settings.issuer, settings.audience, settings.leeway_s, names.sub, names.topics, names.presence)
    return TokenRules(claims, tuple(keys), tuple(files), urls, settings.refresh_s)


def _read_file(path: Path, setting_name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigError([Problem(setting_name, f"{path} cannot be read: {error.strerror}")]) from None
