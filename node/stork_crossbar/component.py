"""The base of all components: settings, a start whose failure ends the process, and no INTERRUPT."""

import contextlib
import copy
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, NoReturn

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.exception import ApplicationError, TransportLost
from autobahn.wamp.message import Error, Invocation
from autobahn.wamp.role import DEFAULT_CLIENT_ROLES
from autobahn.wamp.types import CloseDetails, ComponentConfig, SessionDetails
from twisted.internet import defer, reactor
from twisted.logger import Logger

from stork_crossbar import registry
from stork_node.config import settings
from stork_node.errors import ConfigError, StorkError
from stork_node.logs.process_log import flush_log
from stork_node.recursion import limit_recursion

# A component that loses its session is useless, and cannot get another one. At the end of the process it also loses its
# session, just before the reactor says that it stops.
_ENDING_S = 1.0
# Crossbar adds this to the ``extra`` of every component in a router worker.
_CROSSBARS_OWN = "cbdir"


class Component(ApplicationSession):
    """
    A WAMP component with a ``settings`` dataclass, read from ``extra``.

    A subclass names its ``Settings`` and overrides ``start``. If ``start`` fails, the worker process ends with one
    sentence. Crossbar alone would go on, with a node that looks healthy and does nothing.
    """

    Settings: ClassVar[type[Any]]
    can_be_interrupted: ClassVar[bool] = False
    """Whether the router may tell this component that a caller has given up a call."""

    @classmethod
    def read_settings(cls, extra: Mapping[str, Any] | None, path: str = "extra") -> Any:
        own = {key: value for key, value in (extra or {}).items() if key != _CROSSBARS_OWN}
        return settings.read(cls.Settings, own, os.environ, path)

    @classmethod
    def check_config(cls, _personality: Any, extra: Mapping[str, Any]) -> None:
        """
        Crossbar's hook: called before the component is made.

        Raises:
            ConfigError: every setting that is wrong.
        """
        cls.read_settings(extra)

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        limit_recursion()  # here as well, for stock Crossbar
        # autobahn's own logger is silent below Crossbar's level (see personality/logs.py).
        self.log = Logger(namespace=type(self).__module__)
        try:
            self.settings = self.read_settings(config.extra)
        except ConfigError as error:
            end_worker(f"{type(self).__name__}: {error}")
        self._process_is_ending = False
        reactor.addSystemEventTrigger("before", "shutdown", self._note_end)
        self._session_roles: dict[str, Any] = copy.deepcopy(DEFAULT_CLIENT_ROLES)

    def onConnect(self) -> None:
        # A router session of an embedded component cannot take an INTERRUPT. Sending one breaks the detach of the
        # caller, which leaves the caller's session and registrations behind. So no such component announces the
        # feature.
        is_embedded = hasattr(self._transport, "_router")
        self._session_roles["callee"].call_canceling = self.can_be_interrupted and not is_embedded
        super().onConnect()

    async def start(self) -> None:
        """Register and subscribe. Called once, when the session has joined."""
        raise NotImplementedError

    def onJoin(self, details: SessionDetails) -> "defer.Deferred[None]":
        return defer.ensureDeferred(self._start())

    async def _start(self) -> None:
        try:
            await self.start()
            registry.announce(self)
        except Exception as error:
            if not isinstance(error, StorkError | ApplicationError):
                self.log.failure("{name} failed to start", name=type(self).__name__)
            end_worker(f"{type(self).__name__} failed to start: {_sentence(error)}")

    def register(self, endpoint: Any, *args: Any, **kwargs: Any) -> Any:
        return super().register(_spread(endpoint), *args, **kwargs)

    def onMessage(self, msg: Any) -> None:
        if not isinstance(msg, Invocation):
            super().onMessage(msg)
            return
        # The caller chooses the names of keyword arguments. autobahn and Twisted would take some names for their own
        # parameters (``fun``, ``f``, ``self``), and the error would end this session. So all keyword arguments pass as
        # one value.
        msg.args, msg.kwargs = [msg.args or [], msg.kwargs or {}], None
        try:
            super().onMessage(msg)
        except Exception:
            self.log.failure("a call could not be taken")
            if self._transport is not None:
                self._transport.send(Error(Invocation.MESSAGE_TYPE, msg.request, ApplicationError.RUNTIME_ERROR))

    async def retire(self) -> None:
        """Take no more calls and events; finish and answer those that have begun."""
        self._process_is_ending = True
        for one in (*self._registrations.values(), *self._subscriptions.values()):
            # The router may be going away as well, and its registrations with it.
            with contextlib.suppress(ApplicationError, TransportLost):
                await _undo(one)

    def onLeave(self, details: CloseDetails) -> None:
        self.disconnect()
        reactor.callLater(_ENDING_S, self._end_unless_ending)

    def _end_unless_ending(self) -> None:
        if not self._process_is_ending:
            end_worker(f"{type(self).__name__} has lost its session with the router")

    def _note_end(self) -> None:
        self._process_is_ending = True

    def onUserError(self, failure: Any, message: str) -> None:
        """
        An ``ApplicationError`` is for the caller. Handlers that still run at the end of the process are cancelled. Any
        other error is a bug of this code, and is logged.
        """
        if not failure.check(ApplicationError, defer.CancelledError):
            self.log.failure("{message}", failure, message=message)


def _spread(endpoint: Any) -> Any:
    """Call ``endpoint`` with its arguments as a list and a dict; autobahn adds its own values as keywords."""

    def call(args: list[Any], kwargs: dict[str, Any], /, **details: Any) -> Any:
        return endpoint(*args, **(kwargs | details))

    return call


async def _undo(one: Any) -> None:
    """Undo a registration, or the handlers that autobahn keeps for one subscription."""
    if isinstance(one, list):
        for subscription in list(one):
            await subscription.unsubscribe()
    else:
        await one.unregister()


def _sentence(error: Exception) -> str:
    return error.error_message() if isinstance(error, ApplicationError) else str(error)


def end_worker(sentence: str) -> NoReturn:
    """
    End this worker process: log the reason, and exit at once with status 1.

    The controller ends the node if an indispensable worker has ended. (The reactor would catch ``sys.exit``. Crossbar
    undoes ``reactor.stop``, because it goes on after a failed start.)
    """
    Logger().critical("{sentence}", sentence=sentence)
    flush_log()
    os._exit(1)


def or_end(what: str, function: Callable[..., None], *args: Any) -> None:
    """Call ``function``; after an error, end this worker process: ``what`` must not go on with a step left out."""
    try:
        function(*args)
    except Exception as error:
        Logger().failure("{what} failed", what=what)
        end_worker(f"{what} failed: {error!r}")


def in_turn(awaitable: Awaitable[Any]) -> "defer.Deferred[Any]":
    """A coroutine as a Deferred, for autobahn's procedures and handlers."""
    return defer.ensureDeferred(awaitable)
