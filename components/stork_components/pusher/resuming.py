"""Recovery for Pusher clients: what a client has missed in a channel, and then its live events, in one sequence."""

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from stork_crossbar.component import in_turn
from stork_crossbar.connections.answering import LITTLE_BYTES, Answering
from stork_node.errors import CallError
from stork_node.pusher import codes
from stork_node.pusher.channel_table import ChannelTable
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import Resumption
from stork_node.pusher.recovery.missed_frames import MissedFrames


class Resuming:
    """
    A channel becomes live in the turn in which the last of what was missed is written. What is pushed until then is
    read from the history as well. If the history loses any of it, the connection is closed: the client comes back, and
    is told. The close has a code, as pusher-js gives up a transport that breaks twice within seconds.

    Args:
        find_relay: returns the ``Relay`` of this process; None before there is one.
    """

    log = Logger()

    def __init__(self, reactor: Any, table: ChannelTable, find_relay: Callable[[], Any]) -> None:
        self._table, self._find_relay = table, find_relay
        self._answering = Answering(reactor, self._waiting_bytes)

    def _waiting_bytes(self, number: int) -> int:
        socket = self._table.sockets.get(number)
        return socket.waiting_bytes() if socket else 0

    def begin(self, socket: Any, number: int, channel: Channel, topic: str, resumption: Resumption) -> None:
        in_turn(self._try(socket, number, channel, topic, resumption))

    async def _try(self, socket: Any, *args: Any) -> None:
        try:
            await self._resume(socket, *args)
        except Exception:
            # The client comes back, and asks again.
            self.log.failure("a Pusher client could not be told what it missed")
            socket.close(codes.OVER_CAPACITY, "this node could not tell what was missed")
        finally:
            socket.end_request()

    async def _resume(self, socket: Any, number: int, channel: Channel, topic: str, resumption: Resumption) -> None:
        missed = await self._missed(socket, number, topic, resumption)
        if missed is None:
            return
        begins_at = missed.at
        pages = MissedFrames(channel.name, missed, LITTLE_BYTES)
        frames = pages.next()
        if frames is None:
            missed.is_recovered, frames = False, []
        told = {"recovered": missed.is_recovered, "position": str(begins_at if pages.has_any else missed.at)}
        members = socket.succeed(channel, topic, has_more=pages.has_any, **told)
        if channel.is_cache and not missed.is_recovered:
            socket.send_last(channel, topic)
        while True:
            for frame in frames:
                socket.send(frame)
            if pages.is_over:
                if missed.is_recovered and resumption.since:
                    socket.recovered(topic, resumption.since.sequence, missed.at.sequence)
                socket.resumed(channel, topic)
                socket.tell_changes(channel, topic, members)
                return
            await self._answering.turn(number)
            if not socket.is_resuming(topic, resumption):
                return
            frames = pages.next()
            if frames is None:
                socket.close(codes.RECONNECT, "pushes were missed")
                return

    async def _missed(self, socket: Any, number: int, topic: str, resumption: Resumption) -> Any:
        """None if the client does not wait for it any more."""
        while True:
            await self._answering.turn(number)
            relay = self._find_relay()
            if not socket.is_resuming(topic, resumption):
                return None
            try:
                missed = await relay.reading.missed(topic, resumption.since, resumption.sockets | {number})
            except CallError:
                # Another node may be further than this one. None is, before this one has caught up.
                if relay.is_ready:
                    socket.close(codes.OVER_CAPACITY, "this node is behind")
                    return None
                continue
            return missed if socket.is_resuming(topic, resumption) else None
