"""Asking the application: which of its procedures answers just now, how long to wait for it, and when to ask again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

from stork_components.asking.batches import Batches
from stork_components.asking.registrations import Registrations
from stork_crossbar.internals.deadlines import Deadlines
from stork_node.errors import StorkError

# A callee that leaves fails the calls to it one reactor turn before its registration is gone.
_SETTLE_S = 0.05
_NOT_THERE = (ApplicationError.NO_SUCH_PROCEDURE, ApplicationError.CANCELED)


class Unavailable(StorkError):
    """No answer: no application in time, one that raised, or one that took too long. The client may try again."""


@dataclass(frozen=True)
class Question:
    """
    One question in its two forms: a backend's procedure is asked where it is registered, the application's otherwise.

    ``backend_uri`` is empty for a question that only the application process can answer.
    """

    app_uri: str
    app_args: Sequence[Any]
    backend_uri: str = ""
    backend_args: Sequence[Any] = ()


class Asker:
    """
    Calls whoever answers, waits for one that is starting, and never longer than its two time-outs (seconds).

    ``batches`` names, for procedures that have one, the other that takes many questions at once.
    """

    def __init__(
        self,
        session: Any,
        registrations: Registrations,
        reactor: IReactorTime,
        *,
        application_timeout_s: float,
        starting_timeout_s: float,
        batches: Mapping[str, str] | None = None,
    ) -> None:
        self._session, self._registrations, self._reactor = session, registrations, reactor
        self._application_timeout_s, self._starting_timeout_s = application_timeout_s, starting_timeout_s
        self._deadlines = Deadlines(reactor, application_timeout_s)
        self._batch_uris, self._batches = batches or {}, Batches(session, reactor)

    async def ask(self, question: Question) -> tuple[str, Any]:
        """
        Returns:
            The URI that answered, and its answer as it came.

        Raises:
            Unavailable: nobody answered in time, or whoever did raised an error; the text says which.
        """
        give_up_at = self._reactor.seconds() + self._starting_timeout_s
        while True:
            uri = self._callee(question)
            if uri:
                args = question.backend_args if uri == question.backend_uri else question.app_args
                try:
                    return uri, await self._call(uri, args)
                except ApplicationError as error:
                    if error.error not in _NOT_THERE:
                        raise Unavailable(f"{uri} raised {error.error}") from None
                await self._registrations.changed(_SETTLE_S)
            remaining_s = give_up_at - self._reactor.seconds()
            if remaining_s <= 0 or (not self._callee(question) and not await self._registrations.changed(remaining_s)):
                raise Unavailable(f"nobody registered {question.app_uri} within {self._starting_timeout_s:g} s")

    def _callee(self, question: Question) -> str | None:
        for uri in (question.backend_uri, question.app_uri):
            if uri and self._registrations.has(uri):
                return uri
        return None

    def _begin(self, uri: str, args: Sequence[Any]) -> "defer.Deferred[Any]":
        batch_uri = self._batch_uris.get(uri)
        if batch_uri and self._registrations.has(batch_uri):
            return self._batches.call(uri, batch_uri, args)
        call: defer.Deferred[Any] = self._session.call(uri, *args)
        return call

    async def _call(self, uri: str, args: Sequence[Any]) -> Any:
        call = self._begin(uri, args)
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            call.cancel()

        deadline = self._deadlines.set(give_up)
        try:
            return await call
        except Exception as error:
            # What a cancelled call fails with depends on the callee, so the clock says whether it was ours.
            if late:
                raise Unavailable(f"{uri} took longer than {self._application_timeout_s:g} s") from None
            if not isinstance(error, ApplicationError):
                raise Unavailable(f"{uri} cannot be called: {error}") from error
            raise
        finally:
            self._deadlines.cancel(deadline)
