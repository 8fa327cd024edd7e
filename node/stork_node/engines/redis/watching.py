"""A thread that finds the master, and hears when another publish server has committed something."""

import logging
import threading

import redis.exceptions as raised

from stork_node.engines.redis.address import RedisAddress, place_text
from stork_node.engines.redis.checks import read_info, unusable
from stork_node.engines.redis.connection import ScriptConnection, find_master, keys_of, open_connection
from stork_node.engines.redis.errors import EngineAway, EngineFull
from stork_node.wakeup import Wakeup

log = logging.getLogger("stork_node.engine")

_RETRY_S = 0.2
_LISTEN_S = 0.25
_LOOK_S = 0.5


class Watcher:
    """
    Attributes:
        news: wakes the loop that has this engine.
        trouble: why there is no connection; empty where there is one.
        is_lasting: whether only an operator can change that.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._channel = keys_of(address.prefix)[0]
        self.news = Wakeup()
        self.trouble, self.is_lasting = "", False
        self._lock = threading.Lock()
        self._found: ScriptConnection | None = None
        self._is_wanted = threading.Event()
        self._is_doubted = False
        self._moved_from = ("", 0)
        self._current = ("", 0)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stork-engine", daemon=True)
        self._thread.start()

    def want(self, reason: str) -> None:
        """There is no connection any more: find one."""
        self.trouble, self.is_lasting = reason, False
        self._is_wanted.set()

    def take(self) -> ScriptConnection | None:
        """The connection that was found since ``want``."""
        with self._lock:
            found, self._found = self._found, None
        if found:
            self._current = found.place
        return found

    def doubt(self, is_doubted: bool) -> None:
        """Whether the master confirms nothing, so that it may be an old one: Sentinels are asked then."""
        self._is_doubted = is_doubted

    def has_moved(self) -> bool:
        """Whether Sentinels name another master than the one that is doubted."""
        return self._is_doubted and self._moved_from == self._current != ("", 0)

    def close(self) -> None:
        self._closed.set()
        self._is_wanted.set()
        self._thread.join()
        if found := self.take():
            found.close()
        self.news.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                if self._is_wanted.is_set():
                    self._find()
                else:
                    self._listen()
            except (EngineAway, EngineFull) as error:
                if self._is_wanted.is_set():
                    self.trouble, self.is_lasting = error.reason, isinstance(error, EngineAway) and error.is_lasting
                self._closed.wait(_RETRY_S)
            except (raised.RedisError, OSError):
                self._closed.wait(_RETRY_S)

    def _find(self) -> None:
        place = find_master(self._address)
        connection = ScriptConnection(self._address, place)
        info = read_info(connection)
        if sentence := next(unusable(f"Redis at {place_text(place)}", info), None):
            connection.close()
            raise EngineAway(sentence, is_lasting=True)
        if info.get("role") != "master":
            connection.close()
            raise EngineAway(
                f"Redis at {place_text(place)} is a replica: name its master, or Sentinels with redis+sentinel://"
            )
        with self._lock:
            self._found = connection
        self._is_wanted.clear()
        self.news.wake()

    def _listen(self) -> None:
        place = self._current
        if place == ("", 0):
            self._closed.wait(0.02)
            return
        connection = open_connection(self._address, place)
        try:
            connection.send_command("SUBSCRIBE", self._channel, check_health=False)
            waited_s = 0.0
            while not self._closed.is_set() and not self._is_wanted.is_set() and place == self._current:
                if connection.can_read(_LISTEN_S):
                    connection.read_response()
                    self.news.wake()
                    continue
                waited_s += _LISTEN_S
                if self._is_doubted and self._address.master and waited_s >= _LOOK_S:
                    waited_s = 0.0
                    self._moved_from = place if find_master(self._address) != place else ("", 0)
                    if self._moved_from == place:
                        self.news.wake()
        finally:
            connection.disconnect()
