"""What Redis refuses, in one sentence each."""

import re

import redis.exceptions as raised

from stork_node.errors import StorkError


class EngineAway(StorkError):
    """
    Redis cannot be used now.

    Attributes:
        is_lasting: whether only an operator can change that.
        may_be_stored: whether what was sent last may have been done.
    """

    def __init__(self, reason: str, *, is_lasting: bool = False, may_be_stored: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_lasting, self.may_be_stored = reason, is_lasting, may_be_stored


class EngineFull(StorkError):
    """Redis has taken nothing of a batch, and can be used for all else."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# By how the error begins: what is to be said of the Redis, and whether it lasts.
_SENTENCES: tuple[tuple[str, str, bool], ...] = (
    ("STORK-REPLICA", "is a replica: name its master, or Sentinels with redis+sentinel://", False),
    ("READONLY", "is a replica: name its master, or Sentinels with redis+sentinel://", False),
    ("STORK-DEPLOYMENT", "has another deployment under this prefix ({rest}): choose another ?prefix=", True),
    ("STORK-TYPE", "has a key that is not ours ({rest}): choose another ?prefix=", True),
    ("WRONGTYPE", "has a key that is not ours: choose another ?prefix=", True),
    ("WRONGPASS", "refuses the user name or the password", True),
    ("NOAUTH", "wants a password: redis://:PASSWORD@HOST", True),
    ("NOPERM", "does not allow a command to this user: {rest}", True),
    ("MOVED", "is a node of a cluster, and another one has the keys: name that one", True),
    ("CLUSTERDOWN", "is a node of a cluster that is down", False),
    ("LOADING", "is loading its data", False),
    ("BUSY", "is busy with a script", False),
    ("MISCONF", "cannot write to its disk, and takes nothing", False),
    ("NOREPLICAS", "has fewer replicas than its min-replicas-to-write", False),
    ("MASTERDOWN", "is a replica that has lost its master", False),
)
# Redis 6.2 puts this before what a command of a script has answered.
_IN_SCRIPT = re.compile(r"^Error running script \(call to \w+\): (@user_script: ?\d+: )+-?")
_NO_RIGHTS = ("can't run this command", "can't access", "No permissions", "no permissions", "script tried accessing")
_FULL = (
    ("OOM", "has no memory left (maxmemory)"),
    ("STORK-BEHIND", "has {rest} entries that no replica has confirmed"),
)


def explain(place: str, error: Exception, *, is_sent: bool) -> EngineAway | EngineFull:
    """
    What an error of redis-py means.

    Args:
        place: the Redis, as a person knows it.
        is_sent: whether the command may have reached it.
    """
    text = _IN_SCRIPT.sub("", str(error))
    if isinstance(error, raised.ConnectionError | raised.TimeoutError | OSError) and not _is_answer(error):
        what = "does not answer" if isinstance(error, raised.TimeoutError | TimeoutError) else "cannot be reached"
        return EngineAway(f"{place} {what} ({_short(text)})", may_be_stored=is_sent)
    code, _, rest = text.partition(" ")
    code = _CODES.get(type(error), code)
    if any(part in text for part in _NO_RIGHTS):
        code, rest = "NOPERM", text
    for known, sentence in _FULL:
        if code == known or known in text[:80]:
            return EngineFull(f"{place} {sentence.format(rest=_short(rest))}")
    for known, sentence, is_lasting in _SENTENCES:
        if code == known or known in text[:80]:
            return EngineAway(f"{place} {sentence.format(rest=_short(rest))}", is_lasting=is_lasting)
    return EngineAway(f"{place} refuses: {_short(text)}", is_lasting=True)


_CODES: dict[type[Exception], str] = {
    raised.AuthenticationWrongNumberOfArgsError: "WRONGPASS",
    raised.NoPermissionError: "NOPERM",
    raised.ReadOnlyError: "READONLY",
    raised.OutOfMemoryError: "OOM",
    raised.BusyLoadingError: "LOADING",
    raised.AuthenticationError: "WRONGPASS",
    raised.ClusterDownError: "CLUSTERDOWN",
    raised.MovedError: "MOVED",
}


def _is_answer(error: Exception) -> bool:
    """redis-py tells some answers of Redis as lost connections."""
    return isinstance(error, raised.AuthenticationError | raised.AuthorizationError | raised.BusyLoadingError)


def _short(text: str) -> str:
    return text.rstrip(".")[:200]
