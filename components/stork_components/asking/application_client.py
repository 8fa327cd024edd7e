"""
Calls the application: chooses the procedure that answers now, limits the waiting time, and repeats a call if its callee
leaves.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet import defer
from twisted.internet.interfaces import IReactorTime

from stork_components.asking.batches import Batches
from stork_components.asking.late_answers import LateAnswers
from stork_components.asking.registrations import Registrations
from stork_components.asking.silent_callees import SilentCallees
from stork_crossbar.internals.deadlines import Deadlines
from stork_node.errors import StorkError
from stork_node.protocol import uris

# If a callee leaves, calls to it fail one turn of the reactor before its registration is gone.
_SETTLE_S = 0.05
# Of a request whose late answer is kept: 10,000 strangers with large tickets must not fill the memory.
_LATE_CHARACTERS = 8 << 10
_NOT_THERE = (ApplicationError.NO_SUCH_PROCEDURE, ApplicationError.CANCELED)


class Unavailable(StorkError):
    """There is no answer: the application was missing, raised an error, or took too long. The client may try again."""


class NotAsked(Unavailable):
    """The application did not begin with the request: its caller was gone, or had waited for too long."""


class _PassedOver(Unavailable):
    """A backend took too long, and somebody else may be asked."""


class CallerLeft(NotAsked):
    """The request was dropped, because its session is gone. Other sessions may ask the same for themselves."""


@dataclass(frozen=True)
class Request:
    """
    One request in two forms: for a backend's procedure, if it is registered, and for the application's.

    ``backend_uri`` is empty if only the application can answer, ``app_uri`` if only a backend can. An answer of the
    application that comes too late serves the next request with an equal ``repeats``; None: no other request.
    """

    app_uri: str
    app_args: Sequence[Any]
    backend_uri: str = ""
    backend_args: Sequence[Any] = ()
    repeats: Hashable = None


class ApplicationClient:
    """
    Calls a backend or the application, waits for an application that is starting, and keeps two time-outs (seconds).

    ``batches`` maps a procedure to the procedure that takes many of its requests at once.
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
        self._late = LateAnswers(reactor)
        self._silent = SilentCallees(reactor)
        self._batch_uris, self._batches = batches or {}, Batches(session, reactor)

    async def ask(self, question: Request) -> tuple[str, Any]:
        """
        Returns:
            The URI that answered, and its answer as it came.

        A backend that takes too long is passed over from then on, until it answers, or one registers.

        Raises:
            NotAsked: the application did not begin with it.
            Unavailable: there was no answer in time, or the callee raised an error; the text says which.
        """
        give_up_at = self._reactor.seconds() + self._starting_timeout_s
        while True:
            if self.passes_over(question.backend_uri):
                self._silent.probe(
                    question.backend_uri, partial(self._begin, question.backend_uri, question.backend_args)
                )
            uri = self._callee(question)
            if uri:
                is_app = uri == question.app_uri
                try:
                    if is_app:
                        return uri, await self._call(uri, question.app_args, question.repeats)
                    return uri, await self._call_backend(uri, question)
                except _PassedOver:
                    continue
                except ApplicationError as error:
                    if is_app and error.error == uris.NOT_BEGUN:
                        raise NotAsked(f"{uri} was not asked: nobody waited any more") from None
                    if is_app and error.error == uris.UNDECIDED:
                        remaining_s = give_up_at - self._reactor.seconds()
                        if self._registrations.has(question.backend_uri) or await self._registrations.changed(
                            remaining_s
                        ):
                            continue
                        raise self._nobody(question.backend_uri) from None
                    if error.error not in _NOT_THERE:
                        raise Unavailable(f"{uri} raised {error.error}") from None
                # It answered that it is not there: what is known of it may be wrong.
                await self._registrations.compare()
                if self._callee(question) == uri:
                    await self._registrations.changed(_SETTLE_S)
            if self.passes_over(question.backend_uri) and not question.app_uri:
                raise Unavailable(f"the backend of {question.backend_uri} does not answer")
            remaining_s = give_up_at - self._reactor.seconds()
            if remaining_s <= 0 or (not self._callee(question) and not await self._registrations.changed(remaining_s)):
                raise self._nobody(question.app_uri or question.backend_uri)

    def _nobody(self, uri: str) -> Unavailable:
        return Unavailable(f"nobody registered {uri} within {self._starting_timeout_s:g} s")

    def _callee(self, question: Request) -> str | None:
        for uri in (question.backend_uri, question.app_uri):
            if uri and self._registrations.has(uri) and not self._silent.is_silent(uri):
                return uri
        return None

    def passes_over(self, uri: str) -> bool:
        """Whether a backend has registered this procedure, and does not answer."""
        return self._silent.is_silent(uri) and self._registrations.has(uri)

    def callees_changed(self) -> None:
        """Somebody has registered one of the procedures."""
        self._silent.forget()
        self.forget()

    async def _call_backend(self, uri: str, question: Request) -> Any:
        asked_at = self._reactor.seconds()
        try:
            answer = await self._call(uri, question.backend_args, None, partial(self._silent.late, uri, asked_at))
        except ApplicationError:
            self._silent.heard(uri)
            raise
        except Unavailable as error:
            if self._silent.is_silent(uri):
                raise _PassedOver(str(error)) from None
            raise
        self._silent.heard(uri)
        return answer

    def _begin(self, uri: str, args: Sequence[Any]) -> "defer.Deferred[Any]":
        batch_uri = self._batch_uris.get(uri)
        if batch_uri and self._registrations.has(batch_uri):
            return self._batches.call(uri, batch_uri, args)
        call: defer.Deferred[Any] = self._session.call(uri, *args)
        return call

    def forget(self) -> None:
        """Requests from now on do not get answers to earlier requests."""
        self._late.forget()

    async def _call(
        self,
        uri: str,
        args: Sequence[Any],
        repeats: Hashable,
        keeps: "Callable[[defer.Deferred[Any]], bool]" = lambda call: False,
    ) -> Any:
        """``keeps``: whether somebody takes a late call, which is then not cancelled."""
        question = (uri, repeats)
        call = self._late.take(question) or self._begin(uri, args)
        answer: defer.Deferred[Any] = defer.Deferred()
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            if keeps(call):
                answer.cancel()
            elif repeats is None or len(repr(args)) > _LATE_CHARACTERS:
                call.cancel()
            else:
                answer.cancel()
                self._late.keep(question, call)

        def hand_on(result: Any) -> Any:
            if answer.called:
                return result
            answer.callback(result)
            return None

        deadline = self._deadlines.set(give_up)
        call.addBoth(hand_on)
        try:
            return await answer
        except Exception as error:
            # The error of a cancelled call depends on the callee, so the clock says whether the time-out cancelled it.
            if late:
                raise Unavailable(f"{uri} took longer than {self._application_timeout_s:g} s") from None
            if not isinstance(error, ApplicationError):
                raise Unavailable(f"{uri} cannot be called: {error}") from error
            raise
        finally:
            self._deadlines.cancel(deadline)
