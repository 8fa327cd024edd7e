"""One connection to the master, over which scripts run; it is never made anew in silence."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import redis.exceptions as raised
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.retry import Retry

from stork_node.engines.redis.address import Place, RedisAddress, place_text
from stork_node.engines.redis.errors import EngineAway, explain

CONNECT_S, ANSWER_S = 1.0, 1.5
"""How long a connection, and an answer, may take."""
_KEYS = (
    "meta",
    "log",
    "brief",
    "state:nodes",
    "state:gone",
    "marks",
    "state:leases",
    "ends",
    "state:snapshot",
    "changed",
    "consumers",
    "ids:",
)


@cache
def script(name: str) -> bytes:
    """The text of a script, with what each begins with."""
    folder = files(__package__)
    return (folder / "begin.lua").read_bytes() + (folder / f"{name}.lua").read_bytes()


def keys_of(prefix: str) -> tuple[str, ...]:
    """The keys of a deployment, in the order of ``begin.lua``; the braces keep them on one node of a cluster."""
    return tuple(f"{{{prefix}}}:{name}" for name in _KEYS)


def open_connection(address: RedisAddress, place: Place, *, is_sentinel: bool = False) -> "Connection | SSLConnection":
    """
    Connect.

    Raises:
        EngineAway: nobody is there, or wants another password.
    """
    options: dict[str, Any] = {
        "host": place[0],
        "port": place[1],
        "db": 0 if is_sentinel else address.db,
        "username": (address.sentinel_username if is_sentinel else address.username) or None,
        "password": (address.sentinel_password if is_sentinel else address.password) or None,
        "socket_connect_timeout": CONNECT_S,
        "socket_timeout": ANSWER_S,
        # An unknown outcome is the publish server's to repeat, with its ids.
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "socket_keepalive": True,
        "protocol": 2,
    }
    connection = SSLConnection(**options, ssl_ca_certs=address.ca or None) if address.tls else Connection(**options)
    try:
        connection.connect()
    except (raised.RedisError, OSError) as error:
        connection.disconnect()
        raise explain(f"Redis at {place_text(place)}", error, is_sent=False) from None
    return connection


class ScriptConnection:
    """
    Runs scripts, one after the other.

    Attributes:
        place: of the Redis at its other end.
    """

    def __init__(self, address: RedisAddress, place: Place) -> None:
        self.place = place
        self._name = f"Redis at {place_text(place)}"
        self._keys = keys_of(address.prefix)
        self._connection = open_connection(address, place)
        self._digests: dict[str, bytes] = {}

    def call(self, name: str, *args: Any) -> Any:
        """
        Run a script.

        Raises:
            EngineAway: it has failed, and nothing was written unless ``may_be_stored``.
            EngineFull: nothing was written.
        """
        return self.call_and_wait(name, args, 0, 0)[0]

    def call_and_wait(self, name: str, args: Sequence[Any], replicas: int, timeout_ms: int) -> tuple[Any, int]:
        """
        Run a script, and then wait for ``replicas`` to have all that was written.

        Returns:
            The answer, and how many replicas have it.

        Raises:
            EngineAway, EngineFull: as ``call``.
        """
        try:
            return self._run(name, args, replicas, timeout_ms)
        except raised.NoScriptError:  # it was not run
            self._digests.pop(name, None)
        except (raised.RedisError, OSError) as error:
            raise self._explained(error) from None
        try:
            return self._run(name, args, replicas, timeout_ms)
        except (raised.RedisError, OSError) as error:
            raise self._explained(error) from None

    def _run(self, name: str, args: Sequence[Any], replicas: int, timeout_ms: int) -> tuple[Any, int]:
        digest = self._digests.get(name)
        if digest is None:
            digest = self._digests[name] = self.command("SCRIPT LOAD", script(name))
        commands = [("EVALSHA", digest, len(self._keys), *self._keys, *args)]
        if replicas:
            commands.append(("WAIT", replicas, timeout_ms))
        connection = self._connection
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        answers: list[Any] = []
        for _ in commands:  # both are read, whatever the first one says
            try:
                answers.append(connection.read_response())
            except raised.ResponseError as error:
                answers.append(error)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers[0], int(answers[1]) if replicas else 0

    def command(self, *args: Any) -> Any:
        """
        Run any command.

        Raises:
            redis.RedisError, OSError: it has failed.
        """
        self._connection.send_command(*args, check_health=False)
        return self._connection.read_response()

    def ask(self, *args: Any) -> Any:
        """
        As ``command``.

        Raises:
            EngineAway, EngineFull: it has failed.
        """
        try:
            return self.command(*args)
        except (raised.RedisError, OSError) as error:
            raise self._explained(error) from None

    @property
    def meta(self) -> str:
        """The key of the epoch and the numbers."""
        return self._keys[0]

    def close(self) -> None:
        self._connection.disconnect()

    def _explained(self, error: Exception) -> Exception:
        found = explain(self._name, error, is_sent=True)
        # An answer leaves the connection as it was.
        if not isinstance(error, raised.ResponseError):
            self.close()
        return found


def find_master(address: RedisAddress) -> Place:
    """
    Where the master is; Sentinels say so, if there are some.

    Raises:
        EngineAway: no Sentinel can be reached, or none knows it.
    """
    if not address.master:
        return address.places[0]
    reasons = []
    for place in address.places:
        try:
            connection = open_connection(address, place, is_sentinel=True)
        except EngineAway as error:
            reasons.append(error.reason)
            continue
        try:
            connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.master, check_health=False)
            found = connection.read_response()
        except (raised.RedisError, OSError) as error:
            reasons.append(str(explain(f"the Sentinel at {place_text(place)}", error, is_sent=False)))
            continue
        finally:
            connection.disconnect()
        if found:
            return found[0].decode(), int(found[1])
        reasons.append(f"the Sentinel at {place_text(place)} knows no master {address.master!r}")
    raise EngineAway("; ".join(reasons))
