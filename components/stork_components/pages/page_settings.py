"""``extra`` of the page in config.json."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stork_node.config import settings
from stork_node.config.settings import name, setting, text

DEFAULT_HEADERS = {
    # Pages bring policies of their own, as the shipped one does. Only a header can forbid frames.
    "content-security-policy": "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # Browsers revalidate files at each visit: they are small, and a release may change them.
    "cache-control": "no-cache",
}
_OF_THE_ANSWER = frozenset({"connection", "content-length", "content-type", "date", "transfer-encoding"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


def headers(value: Any) -> Mapping[str, str]:
    """
    Headers of answers, added to the default ones: an object of texts. An empty one leaves a default header out.

    Raises:
        ValueError: not headers, or one that belongs to the answer itself.
    """
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise ValueError(f'{value!r} is not a group of headers (want {{"content-security-policy": "…"}})')
    for key, said in value.items():
        if not _NAME.fullmatch(key) or not _VALUE.fullmatch(said):
            raise ValueError(f"{key!r}: {said!r} is not a header")
        if key.lower() in _OF_THE_ANSWER:
            raise ValueError(f"{key!r} is made for each answer, and is no setting")
    return {key.lower(): said for key, said in value.items()}


@dataclass(frozen=True)
class PageSettings:
    """
    ``directory`` has the files, relative to the folder of config.json. ``headers`` are added to each answer.
    ``websocket`` is the address of the WebSocket, relative to the page; empty: where config.json has it.
    """

    directory: str = setting(name, "web")
    headers: Mapping[str, str] = setting(headers, {})
    websocket: str = setting(text, "")

    @property
    def all_headers(self) -> dict[str, str]:
        return {name: value for name, value in (DEFAULT_HEADERS | dict(self.headers)).items() if value}


def read_settings(extra: Mapping[str, Any] | None, path: str = "extra") -> PageSettings:
    """
    Raises:
        ConfigError: every setting that is wrong.
    """
    return settings.read(PageSettings, extra, os.environ, path)
