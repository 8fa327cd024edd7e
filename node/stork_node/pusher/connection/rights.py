"""Who may subscribe to a channel, as far as signatures say it."""

from collections.abc import Mapping

from stork_node.pusher import codes
from stork_node.pusher.channels import Channel
from stork_node.pusher.client_frames import Subscribe
from stork_node.pusher.errors import InvalidChannel, InvalidMember
from stork_node.pusher.members import Member, read_channel_data
from stork_node.pusher.signatures import channel_text, is_authorized


class Refused(Exception):
    """A subscription that the client does not get."""

    def __init__(self, kind: str, reason: str, status: int) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.status = kind, reason, status


def unauthorized(reason: str) -> Refused:
    return Refused(codes.AUTH_ERROR, reason, codes.UNAUTHORIZED_STATUS)


def read_channel(name: str, version: str) -> tuple[Channel, str]:
    """
    A channel and its topic.

    Raises:
        Refused: it has none.
    """
    try:
        channel = Channel.parse(name)
        return channel, channel.topic(version)
    except InvalidChannel as error:
        if error.is_too_long:
            raise Refused(codes.LIMIT_REACHED, error.reason, codes.LIMIT_STATUS) from None
        raise Refused(codes.INVALID_CHANNEL, error.reason, codes.INVALID_STATUS) from None


def check_signature(
    channel: Channel, asked: Subscribe, secrets: Mapping[str, str], socket_id: str, user: Member | None
) -> None:
    """
    Args:
        secrets: by the keys of the app.
        user: who has signed in on this connection.

    Raises:
        Refused: the channel needs a signature, and this one is none; or it is the channel of another user.
    """
    if channel.user is not None:
        if user is None or channel.user != user.user_id:
            raise unauthorized("this connection is not signed in as that user")
    elif channel.needs_signature:
        data = asked.channel_data if channel.is_presence else None
        if asked.auth is None:
            raise unauthorized("a signature is missing: auth")
        if not is_authorized(secrets, asked.auth, channel_text(socket_id, channel.name, data)):
            raise unauthorized("the signature is not one of this app for this socket and channel")


def member_of(asked: Subscribe, user: Member | None) -> Member:
    """
    Who joins a presence channel: as its data says, or else the user who has signed in.

    Raises:
        Refused: nobody, or somebody with too much information.
    """
    member = user
    try:
        if asked.channel_data is not None:
            member = read_channel_data(asked.channel_data)
        if member is None:
            raise unauthorized("channel_data is missing, and nobody has signed in on this connection")
        member.check_info()
    except InvalidMember as error:
        if error.is_too_large:
            raise Refused(codes.LIMIT_REACHED, error.reason, codes.LIMIT_STATUS) from None
        raise unauthorized(error.reason) from None
    return member
