"""``STORK_ENGINE``: where a Redis is, and how to reach it."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

_SCHEMES = {"redis": False, "rediss": True, "redis+sentinel": False, "rediss+sentinel": True}
_OPTIONS = {"prefix", "ca", "sentinel_username", "sentinel_password"}
_WANT = "want redis://HOST:6379, rediss://…, or redis+sentinel://HOST1,HOST2,HOST3/MASTER"
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_REDIS_PORT, _SENTINEL_PORT = 6379, 26379

Place = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class RedisAddress:
    """
    Attributes:
        places: the Redis, or the Sentinels.
        master: the name by which Sentinels know the master; empty without Sentinels.
        ca: a file with the certificates that are trusted; empty for those of the system.
        prefix: the keys begin with ``{prefix}:``.
    """

    places: tuple[Place, ...]
    master: str = ""
    username: str = ""
    password: str = ""
    db: int = 0
    tls: bool = False
    ca: str = ""
    prefix: str = "stork"
    sentinel_username: str = ""
    sentinel_password: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """
        Read a URL.

        Raises:
            ValueError: anything else, in one sentence, which does not have the password.
        """
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or "://" not in url:
            raise ValueError(f"{_without_password(url)!r} is not an engine ({_WANT})")
        try:
            return cls._parse(url)
        except ValueError as error:
            raise ValueError(f"{_without_password(url)!r} is not an engine: {error} ({_WANT})") from None

    @classmethod
    def _parse(cls, url: str) -> Self:
        parts = urlsplit(url)
        has_sentinels = parts.scheme.endswith("+sentinel")
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        if unknown := options.keys() - _OPTIONS:
            raise ValueError(f"there is no option {min(unknown)!r}, those are {', '.join(sorted(_OPTIONS))}")
        path = [part for part in parts.path.split("/") if part]
        master = path.pop(0) if has_sentinels and path else ""
        if has_sentinels and not master:
            raise ValueError("it has no name of a master")
        if len(path) > 1 or (path and not re.fullmatch(r"[0-9]{1,4}", path[0])) or parts.fragment:
            raise ValueError("its database is not a number")
        prefix = options.get("prefix", "stork")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"{prefix!r} is not a prefix")
        names = hosts.split(",")
        if len(names) > 1 and not has_sentinels:
            raise ValueError("several hosts are Sentinels: redis+sentinel://")
        return cls(
            tuple(_place(name, _SENTINEL_PORT if has_sentinels else _REDIS_PORT) for name in names),
            master,
            unquote(username),
            unquote(password),
            int(path[0]) if path else 0,
            _SCHEMES[parts.scheme],
            options.get("ca", ""),
            prefix,
            options.get("sentinel_username", ""),
            options.get("sentinel_password", ""),
        )

    def __str__(self) -> str:
        scheme = ("rediss" if self.tls else "redis") + ("+sentinel" if self.master else "")
        places = ",".join(place_text(place) for place in self.places)
        return f"{scheme}://{places}{f'/{self.master}' if self.master else ''}"

    __repr__ = __str__


def place_text(place: Place) -> str:
    """``HOST:PORT``, with brackets around an IPv6 address."""
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _place(text: str, default_port: int) -> Place:
    found = re.fullmatch(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?", text)
    port = int(found["port"] or default_port) if found else 0
    if not found or not 0 < port <= 65535:
        raise ValueError(f"{text!r} is not a host")
    return found["v6"] or found["name"], port


def _without_password(url: str) -> str:
    return re.sub(r"//[^@/]*@", "//…@", re.sub(r"(password=)[^&]*", r"\1…", url))
