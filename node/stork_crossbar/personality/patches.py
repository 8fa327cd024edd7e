"""
Patches that remove needless work of Crossbar for each client and each message.

A join takes some 2 ms of a core with stock Crossbar, which limits how fast 10,000 clients come back. Of these 2 ms:

- a fifth makes log lines that nobody reads: values are coloured, and thirty options of every connection are
  pretty-printed, before the logger finds that the level is off;
- a tenth makes meta events (``wamp.session.on_join``, ``wamp.subscription.on_subscribe``, …) without a subscriber;
- a third makes WAMP calls between parts of one process: Crossbar calls the guard by its dealer (``direct_guard``).

All patches touch private names, and each lists its own. A patch that does not find them as expected is left out, and
Crossbar's own code does the work.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pprint import pformat
from types import ModuleType
from typing import Any

import autobahn.util
import autobahn.wamp.protocol as sessions
import autobahn.wamp.serializer as serializer
import crossbar._util
from crossbar.router.service import RouterServiceAgent
from crossbar.router.wildcard import WildcardTrieMatcher
from twisted.internet import reactor
from twisted.logger import Logger

from stork_crossbar.compat import Incompatible, require_signature
from stork_crossbar.connections.connection_memory import share_options
from stork_crossbar.internals import private_names
from stork_crossbar.internals.private_names import missing
from stork_crossbar.internals.short_turns import take_short_turns
from stork_crossbar.personality.direct_guard import call_guard


@dataclass(frozen=True)
class Patch:
    """
    ``apply`` raises ``Incompatible`` (or AttributeError, ImportError) before it changes anything; ``part`` names its
    private names.
    """

    saves: str
    apply: Callable[[], None]
    part: str = ""


def apply_patches(patches: "Iterable[Patch]") -> list[str]:
    """Apply all patches that fit; returns a sentence for each of the others: its benefit, and why it does not fit."""
    refused = []
    for patch in patches:
        try:
            if absent := missing([patch.part]):
                raise Incompatible(f"there is no {absent[0]}")
            patch.apply()
        except (Incompatible, AttributeError, ImportError) as error:
            refused.append(f"{patch.saves} ({error})")
    if refused:
        Logger().warn("Crossbar is not as it is known here; joins are slower: {refused}", refused="; ".join(refused))
    return refused


# -- log lines ---------------------------------------------------------------------------------------------------------

_TALKATIVE = (
    "autobahn.twisted.websocket",
    "autobahn.wamp.websocket",
    "autobahn.websocket.protocol",
    "crossbar.router.auth.pending",
    "crossbar.router.auth.wampcra",
    "crossbar.router.broker",
    "crossbar.router.dealer",
    "crossbar.router.protocol",
    "crossbar.router.role",
    "crossbar.router.router",
    "crossbar.router.service",
    "crossbar.router.session",
)
_DRESSERS = ("hl", "hlid", "hltype", "hlval", "hlflag")


def _plain(value: Any, *_: Any, **__: Any) -> Any:
    """The form of ``value`` in a log line."""
    return value


def leave_values_plain(modules: Iterable[ModuleType | str] = _TALKATIVE) -> None:
    known = {getattr(util, name, None) for util in (autobahn.util, crossbar._util) for name in _DRESSERS} | {pformat}
    found = []
    for each in modules:
        module = import_module(each) if isinstance(each, str) else each
        names = [name for name in (*_DRESSERS, "pformat") if getattr(module, name, None) in known - {None}]
        if not names:
            raise Incompatible(f"{module.__name__} dresses its log in another way")
        found += [(module, name) for name in names]
    for module, name in found:
        setattr(module, name, _plain)


def share_loggers() -> None:
    """One logger for each class of sessions, not for each session."""
    ordinary = sessions.txaio.make_logger
    loggers: dict[type, Any] = {}
    require_signature(sessions.BaseSession.__init__, "self")

    def make_logger() -> Any:
        self = sys._getframe(1).f_locals["self"]  # txaio takes the logger's name from a variable of this name
        if type(self) not in loggers:
            loggers[type(self)] = ordinary()
        return loggers[type(self)]

    txaio_of_ours = ModuleType("txaio")
    vars(txaio_of_ours).update(vars(sessions.txaio), make_logger=make_logger)
    sessions.txaio = txaio_of_ours


# -- meta events -------------------------------------------------------------------------------------------------------


def publish_to_somebody() -> None:
    """Make the router's own session publish only if there is a subscriber."""
    ordinary = RouterServiceAgent.publish
    require_signature(ordinary, "self", "topic", "args", "kwargs")

    def publish(agent: Any, topic: str, *args: Any, **kwargs: Any) -> Any:
        if len(agent._expose_on_sessions) == 1:
            broker = agent._transport._router._broker
            if not broker._subscription_map.match_observations(topic) and not _wants_answer(kwargs):
                return None
        return ordinary(agent, topic, *args, **kwargs)

    RouterServiceAgent.publish = publish


def _wants_answer(kwargs: dict[str, Any]) -> bool:
    options = kwargs.get("options")
    return options is not None and bool(options.acknowledge)


# -- patterns ----------------------------------------------------------------------------------------------------------


def match_patterns_level_by_level() -> None:
    """
    Look wildcard patterns up without a recursive closure: each look-up would leave one as a cycle for the garbage
    collector, and a join makes three.
    """
    require_signature(WildcardTrieMatcher.iter_matches, "self", "key")
    if WildcardTrieMatcher()._root != {}:
        raise Incompatible("wildcard patterns are kept in another way")
    WildcardTrieMatcher.iter_matches = _matches


def _matches(self: Any, key: str) -> Iterator[Any]:
    nodes = [self._root] if self._root else []
    for part in key.split(".") if nodes else ():
        nodes = [child for node in nodes for child in (node.get(part), node.get("")) if child is not None]
    return iter([node.value for node in nodes if hasattr(node, "value")])


# -- JSON --------------------------------------------------------------------------------------------------------------


def keep_json_encoder() -> None:
    """Use one encoder for all messages; autobahn makes one for each."""
    ordinary = serializer._dumps
    require_signature(ordinary, "obj", "use_binary_hex_encoding")
    encode = serializer._WAMPJsonEncoder(separators=(",", ":"), ensure_ascii=False).encode
    sample = [1, b"hi", {"a b": "\u00e4", "c": [1.5, None, True]}]
    if encode(sample) != ordinary(sample):
        raise Incompatible("JSON is written in another way")

    def dumps(value: Any, use_binary_hex_encoding: bool = False) -> Any:
        return ordinary(value, use_binary_hex_encoding=True) if use_binary_hex_encoding else encode(value)

    serializer._dumps = dumps


PATCHES = (
    Patch("log lines that nobody reads are made", leave_values_plain),
    Patch("each session makes a logger of its own", share_loggers),
    Patch("meta events are published to nobody", publish_to_somebody, private_names.META_EVENTS),
    Patch("each look-up of patterns leaves a cycle behind", match_patterns_level_by_level, private_names.PATTERNS),
    Patch("each message makes a JSON encoder of its own", keep_json_encoder, private_names.JSON),
    Patch("the guard is called by WAMP", call_guard, private_names.DIRECT_GUARD),
    Patch("what is the same on every connection is kept on each", share_options, private_names.CONNECTION_MEMORY),
    Patch("many who join at once hold up events", lambda: take_short_turns(reactor), private_names.SHORT_TURNS),
)
