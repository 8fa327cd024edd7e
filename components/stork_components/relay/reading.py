"""What clients and operators read of a node: recovery, histories, and who is online."""

from collections.abc import Collection, Iterator
from typing import Any

from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallDetails
from twisted.logger import Logger

from stork_components.broadcaster import Broadcaster
from stork_components.presence import Presence, answering
from stork_components.questions.why import note_recoveries
from stork_components.relay.waiters import Waiters
from stork_crossbar.connections.answering import Answering
from stork_node.errors import CallError
from stork_node.protocol import uris
from stork_node.protocol.positions import Position
from stork_node.relay.history_page import history_page
from stork_node.relay.missed import MissedPushes
from stork_node.relay.recovery import AHEAD_S, Recovery, read_request
from stork_node.relay.stream import NodeStream
from stork_node.why.recent import RecentEvents


class Reading:
    """Who asks about a position that the node has not reached yet waits for it, for ``AHEAD_S`` at most."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        stream: NodeStream,
        broadcaster: Broadcaster,
        presence: Presence,
        recent: RecentEvents,
        waiters: Waiters,
    ) -> None:
        self._reactor, self._stream, self._presence = reactor, stream, presence
        self._recent, self._waiters = recent, waiters
        self._answering = Answering(reactor, broadcaster.waiting_bytes)
        self._recovery = Recovery(stream, broadcaster.receives)

    async def recover(self, session_id: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """
        Answer a call of ``io.virge.stork.recover``.

        Raises:
            ApplicationError: the question is wrong, or this node cannot answer it now.
        """
        give_up_at = self._reactor.seconds() + AHEAD_S
        try:
            request = read_request(args, kwargs)
            await self._answering.turn(session_id)
            while goal := self._recovery.lacks(session_id, request):
                await self._wait(goal, give_up_at)
                await self._answering.turn(session_id)
            answers = self._recovery.answer(session_id, request)
            note_recoveries(self._recent, session_id, request, answers)
            return answers
        except CallError as error:
            raise ApplicationError(error.uri, error.message) from None
        except Exception:
            self.log.failure("recover failed for session {session_id}", session_id=session_id)
            raise ApplicationError(*uris.REFUSALS["unavailable"]) from None

    async def answer_online(
        self, details: CallDetails, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """
        Answer a call of ``io.virge.stork.online``.

        Raises:
            ApplicationError: it is not for this caller, or this node cannot answer it now.
        """
        try:
            topic, has_users = answering.read_question(args, kwargs)
            await answering.check_permission(details, topic)
            # 1,000 users with their information have 4 MiB.
            await self._answering.turn(details.caller or 0)
            return self.online(topic, has_users)
        except CallError as error:
            raise ApplicationError(error.uri, error.message) from None

    def online(self, topic: str, has_users: bool = True) -> dict[str, Any]:
        """
        Who is online in a topic: ``{"users": [{"authid", "info", "since"}], "count", "position"}``.

        Raises:
            CallError: this node cannot say it now.
        """
        return answering.answer(self._presence, topic, has_users, self._stream.position, self._reactor.seconds())

    async def online_at(self, topic: str, has_users: bool, at: Position | None) -> dict[str, Any]:
        """
        As ``online``, once this node has come to a position.

        Raises:
            CallError: it cannot say it, or has not come so far.
        """
        answering.check_topic(topic)
        if at is not None:
            await self._reach(at)
        return self.online(topic, has_users)

    def newest_first(self, topic: str) -> Iterator[tuple[bytes, str]]:
        """The events of a topic that this node keeps, with their positions."""
        here = self._stream.position
        if here is None:
            return
        for each in reversed(self._stream.histories.after(topic, 0)):
            yield each.event, f"{here.epoch}:{each.sequence}"

    async def history(self, topic: str, since: Position | None, limit: int) -> bytes:
        """
        A page of a topic's history (``relay.history_page``).

        Raises:
            CallError: this node has not caught up, or has not come to ``since``.
        """
        await self._reach(since)
        here = self._stream.position
        assert here is not None  # noqa: S101  # or it would be behind
        return history_page(self._stream.histories, here, topic, since, limit)

    async def missed(self, topic: str, since: Position | None, ids: Collection[int]) -> MissedPushes:
        """
        What a client missed in a topic; see ``MissedPushes``.

        Raises:
            CallError: this node has not caught up, or has not come to ``since``.
        """
        await self._reach(since)
        return MissedPushes(self._stream, topic, since, ids)

    async def _reach(self, since: Position | None) -> None:
        give_up_at = self._reactor.seconds() + AHEAD_S
        while goal := self._recovery.is_behind(since):
            await self._wait(goal, give_up_at)

    async def _wait(self, goal: Position, give_up_at: float) -> None:
        if not await self._waiters.until(goal, give_up_at - self._reactor.seconds()):
            raise self._recovery.not_ready()
