"""Watch lists: which clients of one node are told that a user comes online or goes offline."""

from collections.abc import Iterable
from typing import Any

from stork_node.pusher.server_frames import encode_frame

# The shell's own objects: hashable, and nothing else is known of them here.
Socket = Any


def online_topic(version: str) -> str:
    """The topic in the table of presence whose users are those who have signed in at an app. No channel has it."""
    return f"{version}.~online.~"


def watchlist_events(online: Iterable[str], offline: Iterable[str]) -> bytes:
    """The frame that tells who of a watch list is online or offline; empty if there is nobody to tell of."""
    named = (("online", list(online)), ("offline", list(offline)))
    events = [{"name": name, "user_ids": ids} for name, ids in named if ids]
    return encode_frame("pusher_internal:watchlist_events", {"events": events}) if events else b""


class Watchlists:
    """By the users of one app."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Socket]] = {}
        self._watched: dict[Socket, tuple[str, ...]] = {}

    def __len__(self) -> int:
        """The number of users whom somebody watches."""
        return len(self._watchers)

    def watch(self, socket: Socket, users: Iterable[str]) -> None:
        """These are the users whom a client watches from now on, and no others."""
        self.forget(socket)
        if watched := tuple(users):
            self._watched[socket] = watched
            for user in watched:
                self._watchers.setdefault(user, set()).add(socket)

    def forget(self, socket: Socket) -> None:
        for user in self._watched.pop(socket, ()):
            self._watchers[user].discard(socket)
            if not self._watchers[user]:
                del self._watchers[user]

    def told(self, online: Iterable[str], offline: Iterable[str]) -> dict[Socket, tuple[list[str], list[str]]]:
        """Who is to be told of a change: by client, the users that it watches and that came or went."""
        found: dict[Socket, tuple[list[str], list[str]]] = {}
        for number, users in enumerate((online, offline)):
            for user in users:
                for socket in self._watchers.get(user, ()):
                    found.setdefault(socket, ([], []))[number].append(user)
        return found
