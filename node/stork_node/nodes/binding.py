"""Whom and what a command names: sessions, subscriptions, and answers that a guard remembers."""

from stork_node.protocol.commands.documents import Command


def names_session(command: Command, session_id: int, authid: str, role: str) -> bool:
    """
    Whether a command names a session by what it is.

    ``disconnect`` by a topic names those who are subscribed, which is not known here: False. ``forget`` names nobody.
    """
    if command.kind == "forget":
        return False
    if command.authid is not None:
        return command.authid == authid
    if command.session is not None:
        return command.session == session_id
    if command.role is not None:
        return command.role == role
    return command.kind == "unsubscribe"


def names_subscription(command: Command, uri: str, match: str) -> bool:
    """Whether a subscription could get what the command's ``topic`` or ``feed`` names; True without one of them."""
    if command.topic is not None:
        return gets_topic(uri, match, command.topic)
    return command.feed is None or _gets_feed(uri, match, command.feed)


def names_answer(
    command: Command, authids: frozenset[str], action: str, uri: str, match: str, by: tuple[str, str]
) -> bool:
    """
    Whether a guard has to forget an answer because of a command.

    Args:
        authids: the users of the session that the command names, if it names one that is here.
        by: authid and role of who asked.
    """
    authid, role = by
    if command.authid is not None and command.authid != authid:
        return False
    if command.session is not None and authid not in authids:
        return False
    if command.role is not None and command.role != role:
        return False
    if command.topic is None and command.feed is None:
        return True
    return action in ("subscribe", "presence") and names_subscription(command, uri, match)


def gets_topic(uri: str, match: str, topic: str) -> bool:
    if match == "prefix":
        return topic.startswith(uri)
    return _matches_parts(uri, topic.split(".")) if match == "wildcard" else uri == topic


def _gets_feed(uri: str, match: str, feed: str) -> bool:
    """Whether there can be a topic ``feed.<id>`` that the subscription gets."""
    start = f"{feed}."
    if match == "prefix":
        is_within = uri.startswith(start) and "." not in uri[len(start) :]
        return is_within or start.startswith(uri)
    if match == "wildcard":
        parts = uri.split(".")
        return len(parts) == 3 and _matches_parts(".".join(parts[:2]), feed.split("."))
    return uri.startswith(start) and "." not in uri[len(start) :]


def _matches_parts(pattern: str, parts: list[str]) -> bool:
    """An empty part of a wildcard pattern matches any part."""
    wanted = pattern.split(".")
    return len(wanted) == len(parts) and all(want in ("", part) for want, part in zip(wanted, parts, strict=True))
