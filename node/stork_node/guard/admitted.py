"""
The admitted sessions, as the application knows them: from the ticket to the leave.

The ticket is answered before the session joins, and some sessions never join. Their entries are dropped after
``pending_s``.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass

from stork_node.application.grants import NO_GRANTS, Grants
from stork_node.application.values import ClientSession
from stork_node.nodes.session_marks import Opening


@dataclass(frozen=True, slots=True)
class Admission:
    """
    A session that may join, until ``expires_at`` (Unix time in seconds). ``grants``: the topics of its ticket.
    ``issued_at``: the time of the ticket, if it is a token that says so. ``opening`` is when it was taken.
    ``presence``: JSON of what others see of its user.
    """

    session: ClientSession
    expires_at: float | None = None
    grants: Grants = NO_GRANTS
    issued_at: float | None = None
    opening: Opening | None = None
    presence: bytes = b"null"


@dataclass
class _Entry:
    admission: Admission
    since: float


class Admitted:
    def __init__(self, pending_s: float = 60.0) -> None:
        self._pending_s = pending_s
        self._pending: OrderedDict[int, _Entry] = OrderedDict()
        self._joined: dict[int, Admission] = {}
        self._of_user: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._joined)

    def expect(self, admission: Admission, now: float) -> None:
        """A ticket was accepted: its session is about to join."""
        self._drop_old(now)
        self.leave(admission.session.id)
        self._pending[admission.session.id] = _Entry(admission, now)
        self._of_user[admission.session.authid] += 1

    def count(self, authid: str, now: float) -> int:
        """How many sessions this user has, with those that are about to join."""
        self._drop_old(now)
        return self._of_user[authid]

    def join(self, session_id: int) -> Admission | None:
        """The session has joined. None if the guard has not let it in (a backend, a component)."""
        entry = self._pending.pop(session_id, None)
        if entry is None:
            return None
        self._joined[session_id] = entry.admission
        return entry.admission

    def leave(self, session_id: int) -> Admission | None:
        """The session is gone, or its client left before it joined."""
        entry = self._pending.pop(session_id, None)
        admission = entry.admission if entry else self._joined.pop(session_id, None)
        if admission:
            self._forget_user(admission)
        return admission

    def get(self, session_id: int) -> ClientSession | None:
        """The session of this id, from its ticket on."""
        admission = self._admission(session_id)
        return admission.session if admission else None

    def grants(self, session_id: int) -> Grants:
        """The topics that the ticket of this session permits."""
        admission = self._admission(session_id)
        return admission.grants if admission else NO_GRANTS

    def _drop_old(self, now: float) -> None:
        while self._pending and next(iter(self._pending.values())).since < now - self._pending_s:
            self._forget_user(self._pending.popitem(last=False)[1].admission)

    def _forget_user(self, admission: Admission) -> None:
        authid = admission.session.authid
        self._of_user[authid] -= 1
        if not self._of_user[authid]:
            del self._of_user[authid]

    def _admission(self, session_id: int) -> Admission | None:
        entry = self._pending.get(session_id)
        return entry.admission if entry else self._joined.get(session_id)
