"""The WAMP URIs of Stork node, and the errors for clients in each case of a refusal."""

import re

from stork_node.errors import InvalidTopic

# Asked first, if a backend has registered them: Virge::Stork's own URIs, which existing PHP applications register.
BACKEND_AUTH = "io.virge.stork.auth"
BACKEND_TOPIC_AUTH = "io.virge.stork.topic_auth"

# Registered by the application process.
APP_AUTH = "io.virge.stork.app.auth"
APP_TOPIC_AUTH = "io.virge.stork.app.topic_auth"
# For many requests at once.
APP_AUTH_BATCH = "io.virge.stork.app.auth.batch"
APP_TOPIC_AUTH_BATCH = "io.virge.stork.app.topic_auth.batch"
APP_FIGURES = "io.virge.stork.app.figures"
APP_SUMMARY = "io.virge.stork.app.summary"
APP_PRESENCE = "io.virge.stork.app.presence"
# An event for the application: these sessions have left, and wait for no answers.
APP_GONE = "io.virge.stork.app.gone"
# The application's error if a handler was not called, because its caller no longer waited.
NOT_BEGUN = "io.virge.stork.error.not_begun"

# The application's error if it leaves a decision to a backend.
UNDECIDED = "io.virge.stork.error.undecided"

# The guard's procedures: config.json names them as authenticators and authorizer, they describe a session, or take the
# rules of the application (which tickets are tokens, and their keys).
GUARD_AUTH = "io.virge.stork.guard.auth"
GUARD_TOPIC_AUTH = "io.virge.stork.guard.topic_auth"
GUARD_BACKEND = "io.virge.stork.guard.backend"
GUARD_SESSION = "io.virge.stork.guard.session"
GUARD_RULES = "io.virge.stork.guard.rules"

RECOVER = "io.virge.stork.recover"
BEAT = "io.virge.stork.beat"
PROBE = "io.virge.stork.relay.probe"
NOT_READY = "io.virge.stork.not_ready"

# Who is online in a topic, and what comes before a topic in the name of the topic of its changes.
ONLINE = "io.virge.stork.online"
PRESENCE = "io.virge.stork.presence."
NO_PRESENCE = "io.virge.stork.no_presence"

# Requests that every session may make, whatever the application says.
OPEN_TO_ALL = frozenset({("call", RECOVER), ("call", ONLINE), ("subscribe", BEAT)})

# No application may declare a procedure with these prefixes.
RESERVED = ("wamp.", "crossbar.", "io.virge.stork.")

# No feed may have these prefixes: its patterns would reach meta events of the router and the node.
RESERVED_TOPICS = ("wamp.", "crossbar.", "io.virge.")

UNAVAILABLE = "io.virge.stork.unavailable"

# The reason of the GOODBYE of a session that a backend has ended, and of an UNSUBSCRIBED without a reason of its own.
DISCONNECTED = "io.virge.stork.disconnected"
UNSUBSCRIBED = "io.virge.stork.unsubscribed"

# The error for a request above a limit of its session.
LIMIT = "io.virge.stork.limit"

# By case, as the log names it: the error's URI, and the client's sentence, which tells no more than a client may know.
REFUSALS = {
    "denied": ("io.virge.stork.denied", "the ticket was refused"),
    "no_backend": ("io.virge.stork.denied", "not a backend of this node"),
    "expired": ("io.virge.stork.expired", "the ticket has expired"),
    "unavailable": (UNAVAILABLE, "try again later"),
    "limit": (UNAVAILABLE, "try again later"),
}

_COMPONENT = r"[^\s.#]+"
_URIS = {
    "exact": re.compile(rf"({_COMPONENT}\.)*{_COMPONENT}"),
    "prefix": re.compile(rf"({_COMPONENT}\.)*({_COMPONENT})?"),
    "wildcard": re.compile(r"[^\s#]*"),
}


def is_uri(text: str) -> bool:
    """Whether a client accepts ``text`` as the reason of a message."""
    return _URIS["exact"].fullmatch(text) is not None


def check_uri(uri: str, match: str) -> None:
    """
    Check that a router accepts ``uri`` in a SUBSCRIBE; for others it would close the whole connection.

    Raises:
        InvalidTopic: white space, ``#``, or an empty part that ``match`` does not allow.
    """
    if not _URIS[match].fullmatch(uri):
        raise InvalidTopic(uri, "a part is empty, or has a space or #")
