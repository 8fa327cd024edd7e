"""The log on Redis, as one of several publish servers sees it."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from stork_node.engines.consumers import Consumers
from stork_node.engines.interface import Appended, Failed, Known
from stork_node.engines.redis.address import RedisAddress, place_text
from stork_node.engines.redis.bodies import rows_of, without_topic
from stork_node.engines.redis.connection import ScriptConnection
from stork_node.engines.redis.consumers import RedisConsumers
from stork_node.engines.redis.errors import EngineAway, EngineFull
from stork_node.engines.redis.followed import Followed as FollowedLog
from stork_node.engines.redis.watching import Watcher
from stork_node.errors import ConfigError, Problem
from stork_node.nodes.log_state import LogState
from stork_node.protocol.commands.leases import Lease, decode_node_request, encode_node_request
from stork_node.protocol.positions import Position, new_epoch, new_run
from stork_node.protocol.replay import PAGE_BYTES
from stork_node.push_log.entries import PUSH, Addition, Followed
from stork_node.push_log.errors import BeyondLog, StorageFailed
from stork_node.push_log.segment_files.reading import Page

log = logging.getLogger("stork_node.engine")

FOLLOW_S, PULSE_S, SAVE_S = 0.1, 1.0, 5.0
DOUBT_S = 3.0
"""After so long without a confirmed write, a publish server does not know whether its master is still one."""
_WAIT_MS, _DOUBTED_WAIT_MS = 700, 300
_MOST_UNCONFIRMED = 10_000
_START_LOG_S = 5.0
_MOST_PAGES = 8
_ERASE_BYTES = 4 << 20
_encode_rows = msgspec.msgpack.Encoder().encode


class RedisEngine:
    """
    See ``Engine``. Opens at once; waits for a Redis that cannot be reached.

    Args:
        deployment: who may use the keys; empty: the first one makes up a name.
        clock: seconds that never go back.

    Raises:
        ConfigError: a Redis that only its operator can make usable.
    """

    continues = False

    def __init__(
        self,
        address: RedisAddress,
        *,
        deployment: str = "",
        retention_s: float = 3600.0,
        retention_bytes: int = 1 << 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address, self._deployment, self._clock = address, deployment, clock
        self._retention = (int(retention_s * 1000), retention_bytes)
        self.place = f"{address} ({address.prefix})"
        self.run = ""
        self._followed = FollowedLog()
        self._connection: ScriptConnection | None = None
        self._committed = self._saved = self._floor = self._needed = 0
        self._is_confirming = True
        self._trouble = ""
        self._confirmed_at = clock()
        self._next_follow = self._next_pulse = self._next_save = 0.0
        self._own_leases: dict[str, Lease] = {}
        self._seen_leases: dict[str, int] = {}
        self._heard: list[Lease] = []
        self._closed = False
        self.consumers: Consumers | None = RedisConsumers(self._ask)
        self._watcher = Watcher(address)
        self._watcher.want("it was not looked for yet")
        try:
            self._open()
        except BaseException:
            self._watcher.close()
            raise
        self.wake: int | None = self._watcher.news.fileno

    # -- what is known -------------------------------------------------------------------------------------------------

    @property
    def state(self) -> LogState:
        return self._followed.state

    @property
    def tail(self) -> Position:
        return self._followed.tail

    @property
    def floor(self) -> int:
        return min(self._floor, self.tail.sequence)

    @property
    def epochs(self) -> set[str]:
        return {self.tail.epoch}

    @property
    def trouble(self) -> str:
        return self._trouble

    def is_current(self, now: float) -> bool:
        return self._connection is not None and now - self._confirmed_at < DOUBT_S

    def prove(self, sequence: int) -> str:
        return ""

    def has_given(self, position: Position, run: str, proof: str) -> bool:
        return False

    def figures(self, now: float) -> dict[str, float]:
        return {
            "log_bytes": 0,
            "log_segments": 0,
            "log_nodes": len(self.state.nodes),
            "log_pushes": self.tail.sequence - self.floor,
            "log_oldest_age_s": 0.0,
            "log_trouble": int(self._trouble != ""),
            "engine_unconfirmed_s": round(max(0.0, now - self._confirmed_at), 3),
        }

    # -- appending -----------------------------------------------------------------------------------------------------

    def advance(self, awake: float) -> None:
        """Ids are kept by the time of Redis."""

    def catch_up(self, sequence: int) -> bool:
        if sequence <= self.tail.sequence:
            return True
        if self._connection is None:
            return False
        try:
            self._read_on(until=sequence)
        except (EngineAway, EngineFull) as error:
            self._lose(error.reason)
            return False
        return True

    def append(self, additions: Sequence[Addition]) -> list[Appended]:
        if not additions:
            return []
        connection = self._connection
        if connection is None or not self._is_confirming:
            return [Failed(self._trouble, is_away=True)] * len(additions)
        given = list(additions)
        rows = rows_of(given, self.run)
        contents = _encode_rows([row.content for row in rows])
        args = (*self._head(), *self._retention, _MOST_UNCONFIRMED, contents, *(row.body for row in rows))
        try:
            answer, replicas = connection.call_and_wait("append", args, self._needed, _WAIT_MS)
        except EngineFull as error:
            return [Failed(error.reason)] * len(given)
        except EngineAway as error:
            self._lose(error.reason)
            return [Failed(error.reason, is_unknown=error.may_be_stored, is_away=True)] * len(given)
        epoch, last, needed, results = answer[0].decode(), int(answer[1]), int(answer[4]), answer[5]
        if needed > replicas and needed > self._needed:  # a replica was seen for the first time
            replicas = self._wait(connection, needed)
        try:
            if not self._note(answer):
                return self._results(results, epoch)
            if needed and replicas >= needed:
                self._note(connection.call("commit", *self._head(), epoch, last))
            elif needed:
                self._note_unconfirmed()
            own = [result for result in results if isinstance(result, int)]
            if len(own) == len(rows) and own[0] == self.tail.sequence + 1 and self._committed >= own[-1]:
                self._followed.take_own(own, rows)
            else:
                self._read_on(until=own[-1] if own else 0)
        except (EngineAway, EngineFull) as error:
            self._lose(error.reason)
            return [Failed(error.reason, is_unknown=True, is_away=True)] * len(given)
        return self._results(results, epoch)

    def _wait(self, connection: ScriptConnection, needed: int) -> int:
        try:
            return int(connection.ask("WAIT", needed, _WAIT_MS))
        except (EngineAway, EngineFull):
            return 0

    def _results(self, results: list[Any], epoch: str) -> list[Appended]:
        return [self._result(result, epoch) for result in results]

    def _result(self, result: Any, epoch: str) -> Appended:
        if isinstance(result, int):
            if epoch == self.tail.epoch and result <= self._committed:
                return Position(epoch, result)
            return Failed(self._trouble or "a new epoch of the log has begun", is_unknown=True)
        what, _, where = result.decode().partition(" ")
        if what == "no":
            return Failed("the state of nodes does not accept it")
        position = Position.parse(where)
        if position.epoch == self.tail.epoch and position.sequence > self._committed:
            return Failed(self._trouble or "it is not committed yet", is_unknown=True)
        return Known(position, what == "reused")

    # -- reading -------------------------------------------------------------------------------------------------------

    def follow(self, after: int) -> Followed:
        followed = self._followed.after(after)
        if followed is not None:
            return followed
        page = self.read(after, PAGE_BYTES)
        return Followed([frame for frame in page.frames if frame], Position(self.tail.epoch, page.last))

    def read(self, after: int, max_bytes: int) -> Page:
        tail = self.tail
        if not self.floor <= after <= tail.sequence:
            raise BeyondLog(after, self.floor, tail.sequence)
        if after == tail.sequence:
            return Page(after, [])
        answer = self._ask("read", after, max_bytes)
        if self.tail.epoch != tail.epoch or after < self.floor:
            raise BeyondLog(after, self.floor, self.tail.sequence)
        frames = dict(self._followed.frames(tail.epoch, answer[5]))
        last = min(int(answer[6]), tail.sequence)
        return Page(after, [frames.get(number) or None for number in range(after + 1, last + 1)])

    def place_before(self, keep_s: float, keep_bytes: int) -> int:
        answer = self._ask("place", int(min(keep_s, 1e9) * 1000), keep_bytes)
        return min(max(int(answer[5]), self.floor), self.tail.sequence)

    def erase(self, topic: str) -> Iterator[int]:
        after, epoch, until = self.floor, self.tail.epoch, self.tail.sequence
        while after < until:
            answer = self._ask("read", after, _ERASE_BYTES)
            if self.tail.epoch != epoch:
                raise StorageFailed("a new epoch of the log has begun")
            changes: list[Any] = []
            for number, kind, body in zip(answer[5][::3], answer[5][1::3], answer[5][2::3], strict=True):
                left = without_topic(body, topic) if kind == PUSH else None
                if left is not None:
                    changes += [number, left]
            if changes:
                self._ask("erase", epoch, *changes)
            after = max(int(answer[6]), after + 1)
            yield len(changes) // 2

    def begin_new_epoch(self) -> Position:
        """One lineage has one epoch: a relay that has seen more is not of it."""
        return self.tail

    def _ask(self, name: str, *args: Any) -> Any:
        connection = self._connection
        if connection is None:
            raise StorageFailed(self._trouble)
        try:
            answer = connection.call(name, *self._head(), *args)
            self._note(answer)
        except EngineAway as error:
            self._lose(error.reason)
            raise StorageFailed(error.reason) from None
        except EngineFull as error:
            raise StorageFailed(error.reason) from None
        return answer

    # -- leases --------------------------------------------------------------------------------------------------------

    def share_lease(self, lease: Lease) -> None:
        self._own_leases[lease.incarnation] = lease

    def take_leases(self) -> list[Lease]:
        heard, self._heard = self._heard, []
        return heard

    def _hear(self, said: list[bytes]) -> None:
        for frame in said:
            lease = decode_node_request(b"lease", frame)
            if isinstance(lease, Lease) and lease.number != self._seen_leases.get(lease.incarnation):
                self._seen_leases[lease.incarnation] = lease.number
                self._heard.append(lease)
        if len(self._seen_leases) > 10_000:
            self._seen_leases.clear()

    # -- time ----------------------------------------------------------------------------------------------------------

    def due(self, now: float) -> float:
        return max(0.0, min(self._next_follow, self._next_pulse) - now)

    def tick(self, now: float) -> None:
        has_news = self._watcher.news.drain()
        if self._connection is None:
            self._next_follow = now + FOLLOW_S
            self._connect()
        if self._connection is None:
            self._next_pulse = now + FOLLOW_S
            self._tell()
            return
        if self._watcher.has_moved():
            self._lose("Sentinels name another master")
            return
        try:
            if now >= self._next_pulse:
                self._pulse(now)
            if has_news or now >= self._next_follow or self._committed > self.tail.sequence:
                self._next_follow = now + FOLLOW_S
                self._read_on()
            if now >= self._next_save and self._connection:
                self._save(now)
        except EngineAway as error:
            self._lose(error.reason)
        except EngineFull as error:
            self._trouble = error.reason

    def _pulse(self, now: float) -> None:
        """A write of one's own, which shows that the master is one."""
        connection = self._connection
        assert connection is not None  # noqa: S101
        self._next_pulse = now + (PULSE_S if self._is_confirming else PULSE_S / 2)
        said: list[bytes] = []
        for lease in self._own_leases.values():
            bare = msgspec.structs.replace(lease, reports=())
            said += [lease.incarnation.encode(), encode_node_request(bare).split(b" ", 3)[3]]
        self._own_leases.clear()
        wait_ms = _WAIT_MS if self._is_confirming else _DOUBTED_WAIT_MS
        answer, replicas = connection.call_and_wait(
            "pulse", (*self._head(), *self._retention, *said), self._needed, wait_ms
        )
        needed = int(answer[4])
        if needed > replicas and needed > self._needed:
            replicas = self._wait(connection, needed)
        if not self._note(answer):
            return
        self._hear(answer[5])
        self._saved = int(answer[6])
        if replicas < needed:
            self._note_unconfirmed()
            return
        if needed:
            self._note(connection.call("commit", *self._head(), answer[0], answer[1]))
        self._confirmed_at = self._clock()
        self._is_confirming, self._trouble = True, ""
        self._watcher.doubt(False)
        self._tell()

    def _save(self, now: float) -> None:
        self._next_save = now + SAVE_S
        tail = self.tail
        if tail.sequence <= self._saved or self._connection is None:
            return
        self.state.position = tail
        answer = self._connection.call("save", *self._head(), tail.epoch, tail.sequence, self.state.encode())
        self._note(answer)
        self._saved = int(answer[5])

    def _read_on(self, until: int = 0) -> None:
        """Read what others have appended, too."""
        pages = 0
        while self._connection and (pages < _MOST_PAGES or self.tail.sequence < min(until, self._committed)):
            pages += 1
            tail = self.tail
            answer = self._connection.call("read", *self._head(), tail.sequence, PAGE_BYTES)
            if not self._note(answer) or self.tail.epoch != tail.epoch:
                return
            if self._floor > tail.sequence:
                self._load()
                return
            self._followed.take(answer[5], int(answer[6]))
            if self.tail.sequence >= self._committed:
                return

    # -- the connection ------------------------------------------------------------------------------------------------

    def _head(self) -> tuple[str, str, str]:
        """What each script is told: who asks, and the names for what may have to begin."""
        return self._deployment, new_epoch(), new_run()

    def _open(self) -> None:
        told_at = self._clock()
        while True:
            try:
                self._connection = self._watcher.take()
                if self._connection:
                    self._load()
                    self._confirmed_at = self._clock()
                    return
                reason, is_lasting = self._watcher.trouble, self._watcher.is_lasting
            except EngineAway as error:
                reason, is_lasting = error.reason, error.is_lasting
                self._lose(reason)
            except EngineFull as error:
                raise ConfigError([Problem("engine", error.reason)]) from None
            if is_lasting:
                raise ConfigError([Problem("engine", reason)])
            if self._clock() - told_at > _START_LOG_S:
                told_at = self._clock()
                log.warning("waiting for the engine %s: %s", self._address, reason)
            time.sleep(0.02)

    def _connect(self) -> None:
        connection = self._watcher.take()
        if connection is None:
            self._trouble = self._watcher.trouble or self._trouble
            return
        self._connection = connection
        try:
            self._load()
            self._next_pulse = 0.0
        except (EngineAway, EngineFull) as error:
            self._lose(error.reason)

    def _load(self) -> None:
        assert self._connection is not None  # noqa: S101
        answer = self._connection.call("load", *self._head())
        epoch, floor = answer[0].decode(), int(answer[3])
        self._deployment = answer[6].decode()
        self.run = self._deployment
        self._committed, self._floor, self._needed = int(answer[2]), floor, int(answer[4])
        before = self._followed.tail
        self._followed.load(epoch, floor, self._committed, answer[5])
        if before.epoch and before.epoch != epoch:
            log.warning(
                "a new epoch of the log has begun, %s after %s: its Redis is another one, or was started anew, "
                "and may lack pushes",
                self.tail,
                before,
            )
        self._saved = self._followed.tail.sequence
        self._read_on(until=self._committed)

    def _note(self, answer: list[Any]) -> bool:
        """Take what each script says first; returns whether the epoch goes on."""
        if answer[0].decode() != self.tail.epoch:
            self._load()
            return False
        self._committed = max(self._committed, int(answer[2]))
        self._floor, self._needed = int(answer[3]), int(answer[4])
        return True

    def _note_unconfirmed(self) -> None:
        self._is_confirming = False
        place = self._connection.place if self._connection else ("", 0)
        self._trouble = f"Redis at {place_text(place)} has stored what no replica has confirmed in time"
        self._watcher.doubt(True)
        self._tell()

    def _lose(self, reason: str) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
            self._trouble = reason
            self._watcher.doubt(False)
            self._tell()
        self._is_confirming = True
        self._watcher.want(reason)

    def _tell(self) -> None:
        if self._trouble != self._told:
            if self._trouble:
                log.error("the engine is away, and pushes are not confirmed: %s", self._trouble)
            else:
                log.info("the engine confirms again, at %s", self.tail)
            self._told = self._trouble

    _told = ""

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._save(self._clock())
        except (EngineAway, EngineFull) as error:
            log.warning("the state of nodes is not saved: %s", error)
        self._watcher.close()
        if self._connection:
            self._connection.close()
