"""The sessions with open requests to the application, and those of them that have left meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

from stork_components.asking.application_client import CallerLeft, NotAsked


class WaitingSessions:
    def __init__(self) -> None:
        self._questions: dict[int, int] = {}
        self._left: set[int] = set()

    @contextmanager
    def asking_for(self, session_id: int) -> Iterator[None]:
        """
        Within this block, the session has one more open request.

        Raises:
            CallerLeft: in place of ``NotAsked``, if the session has left.
        """
        self._questions[session_id] = self._questions.get(session_id, 0) + 1
        try:
            yield
        except NotAsked as error:
            if session_id in self._left:
                raise CallerLeft(str(error)) from None
            raise
        finally:
            self._questions[session_id] -= 1
            if not self._questions[session_id]:
                del self._questions[session_id]
                self._left.discard(session_id)

    def leave(self, session_id: int) -> bool:
        """The session is gone. Returns whether it has an open request."""
        is_waiting = session_id in self._questions
        if is_waiting:
            self._left.add(session_id)
        return is_waiting
