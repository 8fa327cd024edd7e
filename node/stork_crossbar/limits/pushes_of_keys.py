"""How many pushes a second the keys of an HTTP API may make."""

from twisted.internet import reactor

from stork_crossbar.limits import client_limits
from stork_node.api.pushes import MAX_DOCUMENTS
from stork_node.limits.allowance import Allowance


class PushesOfKeys:
    """``limits.pushes_per_second``, for each key of its own."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._allowances: dict[str, Allowance] = {}

    def may_push(self, key: str, pushes: int) -> bool:
        """Whether a key may push so many now; a refusal is counted and said."""
        now: float = reactor.seconds()
        if key not in self._allowances:
            self._allowances[key] = Allowance(self._per_second, MAX_DOCUMENTS, now)
        if self._allowances[key].take(pushes, now):
            return True
        client_limits.note_other("pushes_per_second", f"the key {key}", self._per_second)
        return False
