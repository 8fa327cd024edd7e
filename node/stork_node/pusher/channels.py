"""
Channels of Pusher, and their topics.

A channel ``private-chat.42`` of an app with the version ``pusher`` is the topic ``pusher.private-chat.42``. The map is
injective, and ``channel_of`` is its exact inverse. Case matters in both.
"""

import re
from dataclasses import dataclass

from stork_node.errors import InvalidTopic
from stork_node.protocol.topics import MAX_TOPIC_LENGTH, Topic
from stork_node.pusher.errors import InvalidChannel

MAX_NAME_CHARACTERS = 200
MAX_USER_CHARACTERS = 128
USER_PREFIX = "#server-to-user-"

# The first that fits: so longer ones come first.
_PREFIXES = (
    "private-encrypted-cache-",
    "private-encrypted-",
    "private-cache-",
    "presence-cache-",
    "cache-",
    "private-",
    "presence-",
)
CACHE_PREFIXES = tuple(prefix for prefix in _PREFIXES if prefix.endswith("cache-"))
_NAME = re.compile(r"[-A-Za-z0-9_=@,.;]+")
_ESCAPED = re.compile(r"[^A-Za-z0-9_@-]")
_ESCAPE = re.compile(r"(?:~[0-9a-f]{2})+")
_PLAIN = "~"
_USER_FEED = "~user"


@dataclass(frozen=True, slots=True)
class Channel:
    """
    A channel's name, and its prefix of ``_PREFIXES`` or ``USER_PREFIX``; a public one has none.

    It is made by ``Channel.parse`` only.
    """

    name: str
    prefix: str

    @classmethod
    def parse(cls, name: str) -> "Channel":
        """
        Raises:
            InvalidChannel: it is empty, too long, or has other characters.
        """
        if not name:
            raise InvalidChannel(name, "the name of a channel has at least one character")
        if len(name) > MAX_NAME_CHARACTERS:
            reason = f"it has {len(name):,} characters, at most {MAX_NAME_CHARACTERS} are allowed"
            raise InvalidChannel(name, reason, is_too_long=True)
        if name.startswith(USER_PREFIX):
            return cls(_checked_user_channel(name), USER_PREFIX)
        if not _NAME.fullmatch(name):
            raise InvalidChannel(name, "only letters, digits and - _ = @ , . ; are allowed")
        return cls(name, next((prefix for prefix in _PREFIXES if name.startswith(prefix)), ""))

    @property
    def needs_signature(self) -> bool:
        return self.prefix.startswith(("private-", "presence-"))

    @property
    def is_presence(self) -> bool:
        return self.prefix.startswith("presence-")

    @property
    def is_cache(self) -> bool:
        return self.prefix.endswith("cache-")

    @property
    def user(self) -> str | None:
        """The user of ``#server-to-user-ID``; None for any other channel."""
        return self.name[len(USER_PREFIX) :] if self.prefix == USER_PREFIX else None

    def topic(self, version: str) -> str:
        """
        The topic of this channel in the app with this version.

        Raises:
            InvalidChannel: the topic is too long.
        """
        if self.user is not None:
            topic = f"{version}.{_USER_FEED}.{_escape(self.user)}"
        else:
            rest = self.name[len(self.prefix) :]
            head, _, tail = rest.partition(".")
            if head and tail:
                topic = f"{version}.{self.prefix}{_escape(head)}.{_escape(tail)}"
            else:
                topic = f"{version}.{self.prefix}{_PLAIN}.{_escape(rest) or _PLAIN}"
        if len(topic) > MAX_TOPIC_LENGTH:
            reason = f"its topic has {len(topic):,} characters, at most {MAX_TOPIC_LENGTH} are allowed"
            raise InvalidChannel(self.name, reason, is_too_long=True)
        return topic


def channel_of(topic: str, version: str) -> Channel | None:
    """The channel whose topic this is; None if there is none."""
    try:
        parsed = Topic.parse(topic)
        channel = Channel.parse(_name_of(parsed)) if parsed.version == version else None
        return channel if channel and channel.topic(version) == topic else None
    except (InvalidTopic, InvalidChannel, UnicodeDecodeError):
        return None


def _name_of(topic: Topic) -> str:
    if topic.feed == _USER_FEED:
        return USER_PREFIX + _unescape(topic.feed_id)
    prefix = next((prefix for prefix in _PREFIXES if topic.feed.startswith(prefix)), "")
    head, tail = topic.feed[len(prefix) :], topic.feed_id
    if head == _PLAIN:
        return prefix + ("" if tail == _PLAIN else _unescape(tail))
    return f"{prefix}{_unescape(head)}.{_unescape(tail)}"


def _checked_user_channel(name: str) -> str:
    user = name[len(USER_PREFIX) :]
    if not 1 <= len(user) <= MAX_USER_CHARACTERS:
        raise InvalidChannel(name, f"a user's id has 1 to {MAX_USER_CHARACTERS} characters")
    try:
        user.encode()
    except UnicodeEncodeError:
        raise InvalidChannel(repr(name), "half of a character (a lone surrogate) is no text") from None
    return name


def _escape(text: str) -> str:
    """Each byte of UTF-8 that a topic's part cannot hold becomes ``~`` and two lower-case hexadecimal digits."""
    return _ESCAPED.sub(lambda found: "".join(f"~{byte:02x}" for byte in found[0].encode()), text)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[0].replace("~", "")).decode(), text)
