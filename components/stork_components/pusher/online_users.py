"""Users who have signed in, on the table of presence that all nodes have; and those who watch them."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from stork_components.presence import Presence
from stork_crossbar.pusher.socket import PusherSocket
from stork_node.pusher.members import Member
from stork_node.pusher.users.watchlists import Watchlists, online_topic, watchlist_events


class SignedInUsers:
    """
    A user of an app is online while one connection at least is signed in, and for ``leave_after_s`` of the app after
    the last one has ended.

    Args:
        find_presence: returns the table of presence; None before the node knows who is online.
    """

    def __init__(self, find_presence: Callable[[], Presence | None]) -> None:
        self._find_presence = find_presence
        self._lists: defaultdict[str, Watchlists] = defaultdict(Watchlists)
        self._joined: set[PusherSocket] = set()
        self._waiting: dict[PusherSocket, Member] = {}

    def signed_in(self, socket: PusherSocket, user: Member) -> None:
        """A user has signed in on a connection, perhaps once more with another watch list."""
        presence = self._find_presence()
        if presence is None:
            self._waiting[socket] = user
            return
        topic = online_topic(socket.version)
        if socket not in self._joined:
            self._joined.add(socket)
            presence.join(topic, user.user_id, int(socket.connection.app.leave_after_s * 1000))
        self._lists[topic].watch(socket, user.watchlist)
        online = presence.users(topic)
        # Who has signed in here is online, though the table learns it a moment later.
        is_online = {each: each in online or each == user.user_id for each in user.watchlist}
        on, off = ([each for each, is_on in is_online.items() if is_on is wanted] for wanted in (True, False))
        if frame := watchlist_events(on, off):
            socket.send(frame)

    def catch_up(self) -> None:
        """Take who has signed in before this node knew who is online."""
        if self._waiting and self._find_presence() is not None:
            waiting, self._waiting = self._waiting, {}
            for socket, user in waiting.items():
                self.signed_in(socket, user)

    def signed_out(self, socket: PusherSocket, user: Member, has_left: bool) -> None:
        """The connection is closed; ``has_left``: nobody waits for it to come back."""
        self._waiting.pop(socket, None)
        if socket not in self._joined:
            return
        self._joined.discard(socket)
        topic = online_topic(socket.version)
        self._lists[topic].forget(socket)
        if not self._lists[topic]:
            del self._lists[topic]
        presence = self._find_presence()
        if presence is not None:
            presence.leave(topic, user.user_id, has_left)

    def changed(self, topic: str, online: Sequence[str], offline: Sequence[str]) -> None:
        """Take a change of the table."""
        if topic in self._lists:
            for socket, (on, off) in self._lists[topic].told(online, offline).items():
                own = {socket.connection.user.user_id} if socket.connection.user else set()
                if frame := watchlist_events([each for each in on if each not in own], off):
                    socket.send(frame)
