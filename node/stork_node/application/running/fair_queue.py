"""A queue that serves users round-robin, and each user's sessions too: a user with many jobs does not come first."""

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class Job(Protocol):
    """A waiting job: its user, and that user's session."""

    @property
    def user(self) -> Hashable: ...

    @property
    def session(self) -> Hashable: ...


J = TypeVar("J", bound=Job)


class FairQueue(Generic[J]):
    """
    Waiting jobs, and the number of each user's running jobs.

    Args:
        share: maximum of one user's running jobs. Jobs with user None have no maximum.

    It is not thread-safe: its owner holds a lock.
    """

    def __init__(self, share: int) -> None:
        self._share = share
        # For each user its sessions, and for each session its jobs, all in the order of service.
        self._waiting: dict[Hashable, dict[Hashable, dict[J, None]]] = {}
        self._turns: dict[Hashable, None] = {}
        self._running: dict[Hashable, int] = {}
        self._of_session: dict[Hashable, dict[J, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        """The number of waiting jobs."""
        return self._count

    @property
    def has_next(self) -> bool:
        """Whether ``take`` returns a job: a waiting job's user may have its maximum already."""
        return bool(self._turns)

    def put(self, job: J) -> None:
        self._waiting.setdefault(job.user, {}).setdefault(job.session, {})[job] = None
        self._of_session.setdefault(job.session, {})[job] = None
        self._count += 1
        self._give_turn(job.user)

    def take(self) -> J | None:
        """The next job. It counts as running until ``end``."""
        if not self._turns:
            return None
        user = next(iter(self._turns))
        del self._turns[user]
        sessions = self._waiting[user]
        session = next(iter(sessions))
        jobs = sessions.pop(session)
        job = next(iter(jobs))
        del jobs[job]
        self._forget(job)
        if jobs:
            sessions[session] = jobs  # after the user's other sessions
        elif not sessions:
            del self._waiting[user]
        self._running[user] = self._running.get(user, 0) + 1
        self._give_turn(user)
        return job

    def end(self, user: Hashable) -> None:
        """One running job of ``user`` has ended."""
        left = self._running[user] - 1
        if left:
            self._running[user] = left
        else:
            del self._running[user]
        self._give_turn(user)

    def remove(self, job: J) -> bool:
        """Remove a waiting job. False if it does not wait."""
        sessions = self._waiting.get(job.user, {})
        jobs = sessions.get(job.session, {})
        if job not in jobs:
            return False
        del jobs[job]
        self._forget(job)
        if not jobs:
            del sessions[job.session]
        if not sessions:
            del self._waiting[job.user]
            self._turns.pop(job.user, None)
        return True

    def of_session(self, session: Hashable) -> list[J]:
        """The waiting jobs of one session."""
        return list(self._of_session.get(session, ()))

    def find(self, wanted: Callable[[J], bool]) -> list[J]:
        """The waiting jobs that are ``wanted``."""
        return [job for jobs in self._of_session.values() for job in jobs if wanted(job)]

    def held_up(self) -> list[Hashable]:
        """The users whose jobs wait because they have their maximum."""
        return [user for user in self._waiting if user not in self._turns]

    def _forget(self, job: J) -> None:
        self._count -= 1
        others = self._of_session[job.session]
        del others[job]
        if not others:
            del self._of_session[job.session]

    def _give_turn(self, user: Hashable) -> None:
        has_share = user is None or self._running.get(user, 0) < self._share
        if has_share and user in self._waiting and user not in self._turns:
            self._turns[user] = None
