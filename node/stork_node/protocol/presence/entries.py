"""
Entries of the log about who is online: what a node says of its own users, and what the publish server adds.

    stork 1 presence {…,"content":{"incarnation":"…","batch":1,"at_ms":…,"topics":[{"topic":"v1.room.7",…}]}}
    stork 1 absent {…,"content":{"at_ms":…,"absences":[["v1.room.7","ann",14]]}}
    stork 1 settled {…,"content":{"at_ms":…}}

A node says the first session of a user in a topic, and when the last one is gone. It says nothing of those between.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from stork_node.errors import InvalidFrame, InvalidTopic
from stork_node.protocol.positions import MAX_SEQUENCE
from stork_node.protocol.presence.limits import (
    LONGEST_ABSENCE_S,
    MAX_INFO_BYTES,
    MOST_ABSENCES,
    MOST_AUTHID_CHARACTERS,
    MOST_CHANGES,
)
from stork_node.protocol.topics import MAX_TOPIC_LENGTH, Topic

_Incarnation = Annotated[str, Meta(pattern=r"\A[0-9A-Za-z_-]{1,64}\Z")]
_Authid = Annotated[str, Meta(min_length=1, max_length=MOST_AUTHID_CHARACTERS)]
_Authids = Annotated[tuple[_Authid, ...], Meta(max_length=MOST_CHANGES)]
_Topic = Annotated[str, Meta(max_length=MAX_TOPIC_LENGTH)]
_Sequence = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
_TimeMs = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]


class TopicChanges(Struct, frozen=True, omit_defaults=True):
    """
    What has changed in one topic, on one node.

    Attributes:
        wait_ms: how long a user of this topic may be away before it counts as offline.
        on: users who are here now.
        info: JSON of what the application says of some of ``on``.
        off: users who are here no more, and may come back.
        left: users who are here no more, and have said so: nobody waits for them.
    """

    topic: _Topic
    wait_ms: Annotated[int, Meta(ge=0, le=int(LONGEST_ABSENCE_S * 1000))] = 3_000
    on: _Authids = ()
    info: Annotated[dict[_Authid, Raw], Meta(max_length=MOST_CHANGES)] = {}
    off: _Authids = ()
    left: _Authids = ()


Topics = Annotated[tuple[TopicChanges, ...], Meta(max_length=MOST_CHANGES)]
BatchNumber = Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]


class PresenceBatch(Struct, frozen=True):
    """What a node says at once. It numbers its batches 1, 2, … for each incarnation; no number is left out."""

    batch: BatchNumber
    topics: Topics


class PresenceChanges(Struct, frozen=True):
    """A batch that has its number; ``at_ms`` is the publish server's time in ms since 1970."""

    incarnation: _Incarnation
    batch: BatchNumber
    topics: Topics
    at_ms: _TimeMs


class AbsencesOver(Struct, frozen=True):
    """
    Users who were away for too long: topic, user, and the number of the entry since which nobody is there.

    A user who has come back meanwhile stays.
    """

    absences: Annotated[tuple[tuple[_Topic, _Authid, _Sequence], ...], Meta(max_length=MOST_ABSENCES)]
    at_ms: _TimeMs


class PresenceSettled(Struct, frozen=True):
    """In a new epoch, every node has had the time to report its users."""

    at_ms: _TimeMs


PresenceEntry = PresenceChanges | AbsencesOver | PresenceSettled


def check_topics(topics: tuple[TopicChanges, ...]) -> None:
    """
    Check what their types do not say.

    Raises:
        InvalidFrame: no topic, or a text about a user that is too long or of more than one line.
    """
    for each in topics:
        try:
            Topic.parse(each.topic)
        except InvalidTopic as error:
            raise InvalidFrame(f"its presence: {error}") from None
        for info in map(bytes, each.info.values()):
            if len(info) > MAX_INFO_BYTES or b"\n" in info:
                raise InvalidFrame("its presence: what is said of a user is one line of at most 4 KiB")
