"""The WAMP URIs of Stork node, and what a client is told in each case of a refusal."""

import re

from stork_node.errors import InvalidTopic

# Asked first, wherever a backend has registered them: Virge::Stork's own, which existing PHP applications register.
BACKEND_AUTH = "io.virge.stork.auth"
BACKEND_TOPIC_AUTH = "io.virge.stork.topic_auth"

# The application process.
APP_AUTH = "io.virge.stork.app.auth"
APP_TOPIC_AUTH = "io.virge.stork.app.topic_auth"
# Where many questions go at once.
APP_AUTH_BATCH = "io.virge.stork.app.auth.batch"
APP_TOPIC_AUTH_BATCH = "io.virge.stork.app.topic_auth.batch"
APP_FIGURES = "io.virge.stork.app.figures"
# An event for it: these sessions have left, and wait for no answers.
APP_GONE = "io.virge.stork.app.gone"
# Its error, where a handler was not called since nobody waited any more.
NOT_BEGUN = "io.virge.stork.error.not_begun"

# The guard: what config.json names as authenticators and authorizer, and who a session is.
GUARD_AUTH = "io.virge.stork.guard.auth"
GUARD_TOPIC_AUTH = "io.virge.stork.guard.topic_auth"
GUARD_BACKEND = "io.virge.stork.guard.backend"
GUARD_SESSION = "io.virge.stork.guard.session"

RECOVER = "io.virge.stork.recover"
BEAT = "io.virge.stork.beat"
PROBE = "io.virge.stork.relay.probe"
NOT_READY = "io.virge.stork.not_ready"

# What every session may do, whatever the application says.
OPEN_TO_ALL = frozenset({("call", RECOVER), ("subscribe", BEAT)})

# No application may declare a procedure under these.
RESERVED = ("wamp.", "crossbar.", "io.virge.stork.")

# What no feed may be of: its patterns would reach the router's meta events, and the node's own.
RESERVED_TOPICS = ("wamp.", "crossbar.", "io.virge.")

UNAVAILABLE = "io.virge.stork.unavailable"

# A request above one of a session's limits.
LIMIT = "io.virge.stork.limit"

# The case, as the log names it: the error's URI, and the sentence for the client, which says no more than it may know.
REFUSALS = {
    "denied": ("io.virge.stork.denied", "the ticket was refused"),
    "no_backend": ("io.virge.stork.denied", "not a backend of this node"),
    "expired": ("io.virge.stork.expired", "the ticket has expired"),
    "unavailable": (UNAVAILABLE, "try again later"),
}

_COMPONENT = r"[^\s.#]+"
_URIS = {
    "exact": re.compile(rf"({_COMPONENT}\.)*{_COMPONENT}"),
    "prefix": re.compile(rf"({_COMPONENT}\.)*({_COMPONENT})?"),
    "wildcard": re.compile(r"[^\s#]*"),
}


def check_uri(uri: str, match: str) -> None:
    """
    Check that a router takes ``uri`` in a SUBSCRIBE; over another it would close the whole connection.

    Raises:
        InvalidTopic: white space or ``#``, or an empty part where ``match`` has none.
    """
    if not _URIS[match].fullmatch(uri):
        raise InvalidTopic(uri, "a part is empty, or has a space or #")
