"""
The relay, in the router process: follows the bus of the publish server, and publishes each push to this node's topics.
"""

import json
from dataclasses import dataclass
from typing import Any

import zmq
from autobahn.wamp.types import CloseDetails, PublishOptions
from twisted.internet import defer, reactor, task

from stork_components.broadcaster import Broadcaster
from stork_components.component import Component
from stork_components.zmq_reader import ZmqReader
from stork_node import bus, curve, uris
from stork_node.errors import InvalidFrame
from stork_node.positions import Position
from stork_node.settings import endpoint, seconds, setting, text
from stork_node.sockets import prepare_socket

# Messages that wait in the socket while the reactor is busy; what does not fit waits with the publish server, which has
# no mark.
_HIGH_WATER_MARK = 100_000
_RECONNECT_MS = (100, 1_000)
_PROBE_S = 1.0


@dataclass(frozen=True)
class RelaySettings:
    """
    ``extra`` of the relay.

    ``bus`` is the publish server's PUB endpoint, ``secret`` STORK_BUS_SECRET or empty. The node waits ``first_frame_s``
    for a sign of the publish server before it opens its ports, and opens them without one after that.
    """

    bus: str = setting(endpoint, "tcp://127.0.0.1:5556")
    secret: str = setting(text, "")
    first_frame_s: float = setting(seconds, 3.0)


class Relay(Component):
    Settings = RelaySettings
    settings: RelaySettings

    async def start(self) -> None:
        self._last: Position | None = None
        self._broadcaster = Broadcaster(self, reactor)
        self._turn: list[bus.PushFrame] = []
        self._refused = 0
        self.heard_at = self.probed_at = reactor.seconds()
        await self.subscribe(self._probed, uris.PROBE)
        self._probing = task.LoopingCall(self._probe)
        self._probing.start(_PROBE_S)
        self._first_frame: defer.Deferred[None] = defer.Deferred()
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        prepare_socket(socket, self.settings.bus)
        socket.rcvhwm = _HIGH_WATER_MARK
        socket.reconnect_ivl, socket.reconnect_ivl_max = _RECONNECT_MS
        socket.subscribe(bus.PREFIX)
        if self.settings.secret:
            curve.secure_client(socket, curve.ClientKeys.from_secret(self.settings.secret, "follow"))
        socket.connect(self.settings.bus)
        self._reader = ZmqReader(reactor, socket, self._received)
        await self._wait_for_first_frame()

    async def _wait_for_first_frame(self) -> None:
        timer = reactor.callLater(self.settings.first_frame_s, self._stop_waiting)
        await self._first_frame
        if timer.active():
            timer.cancel()

    def _stop_waiting(self) -> None:
        if not self._first_frame.called:
            self.log.warn("nothing heard from the publish server at {bus} yet", bus=self.settings.bus)
            self._first_frame.callback(None)

    def onLeave(self, details: CloseDetails) -> None:
        self._probing.stop()
        self._reader.close()
        super().onLeave(details)

    @property
    def epoch(self) -> str:
        """The epoch that is followed; empty where no push and no heartbeat has come yet."""
        return self._last.epoch if self._last else ""

    def _probe(self) -> None:
        self.publish(uris.PROBE, options=PublishOptions(exclude_me=False))

    def _probed(self) -> None:
        """The router has delivered what this component published: it still can."""
        self.probed_at = reactor.seconds()

    def _received(self, frames: list[bytes]) -> None:
        try:
            frame = _decode(frames)
            event = _decode_event(frame) if isinstance(frame, bus.PushFrame) else None
        except InvalidFrame as error:
            self._refuse(error)
            return
        self.heard_at = reactor.seconds()
        if not self._first_frame.called:
            self._first_frame.callback(None)
        if self._is_new(frame) and isinstance(frame, bus.PushFrame):
            self._deliver(frame, event)

    def _refuse(self, error: InvalidFrame) -> None:
        self._refused += 1
        if self._refused == 1:
            self.log.warn("a frame from {bus} is refused: {error}", bus=self.settings.bus, error=error)

    def _is_new(self, frame: bus.Frame) -> bool:
        """Whether ``frame`` tells of anything after the last one; says what was missed between them."""
        position, last = frame.position, self._last
        if last is None or last.epoch != position.epoch:
            self.log.info("following {bus} from {position}", bus=self.settings.bus, position=position)
            missed = position.sequence - (not isinstance(frame, bus.Heartbeat)) if last else 0
        elif position <= last:
            return False
        else:
            # A push is one of those after the last; a heartbeat only tells of them.
            missed = position.sequence - last.sequence - (not isinstance(frame, bus.Heartbeat))
        if missed:
            self.log.warn("{missed} pushes were missed before {position}", missed=missed, position=position)
        self._last = position
        return True

    def _deliver(self, push: bus.PushFrame, event: Any) -> None:
        if not self._turn:
            reactor.callLater(0, self._flush)
        self._turn.append(push)

    def _flush(self) -> None:
        pushes, self._turn = self._turn, []
        self._broadcaster.deliver(pushes)


def _decode(frames: list[bytes]) -> bus.Frame:
    if len(frames) != 1:
        raise InvalidFrame(f"{len(frames)} frames where one is expected")
    return bus.decode_frame(frames[0])


def _decode_event(push: bus.PushFrame) -> Any:
    try:
        return json.loads(push.event)
    except ValueError as error:
        raise InvalidFrame(f"its event is not JSON: {error}") from None
