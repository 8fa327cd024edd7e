"""Members of presence channels: who a client says it is. The application has signed it."""

from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from stork_node.protocol.push import is_data
from stork_node.pusher.channels import MAX_USER_CHARACTERS
from stork_node.pusher.errors import InvalidMember

MAX_INFO_BYTES = 1024
MOST_WATCHED = 100


@dataclass(frozen=True, slots=True)
class Member:
    """
    ``info`` is JSON on one line, shown to the other members; it is not checked before ``check_info``. ``watchlist``:
    the users about whom a user who has signed in is told.
    """

    user_id: str
    info: bytes = b"null"
    watchlist: tuple[str, ...] = ()

    def check_info(self) -> None:
        """
        Raises:
            InvalidMember: the other members cannot be shown so much.
        """
        if len(self.info) > MAX_INFO_BYTES:
            raise InvalidMember(f"user_info has at most {MAX_INFO_BYTES:,} bytes", is_too_large=True)
        if not is_data(self.info):
            raise InvalidMember("user_info has numbers, a depth or texts beyond the bounds of a push")


class _ChannelData(Struct, gc=False):
    user_id: str | int
    user_info: Raw = Raw(b"null")


class _UserData(Struct, gc=False):
    id: str
    user_info: Raw = Raw(b"null")
    watchlist: list[str] | None = None


_decode_channel_data = msgspec.json.Decoder(_ChannelData).decode
_decode_user_data = msgspec.json.Decoder(_UserData).decode


def read_channel_data(text: str) -> Member:
    """
    Read ``channel_data`` of a subscription; a number as ``user_id`` becomes its text.

    Raises:
        InvalidMember: it has no id.
    """
    try:
        data = _decode_channel_data(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise InvalidMember("channel_data is an object with a user_id, a text or a whole number") from None
    return _member(str(data.user_id), bytes(data.user_info))


def read_user_data(text: str) -> Member:
    """
    Read ``user_data`` of a sign-in. The same user is a member of presence channels without ``channel_data``.

    Raises:
        InvalidMember: it has no id.
    """
    try:
        data = _decode_user_data(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise InvalidMember("user_data is an object with an id, a text; its watchlist is a list of ids") from None
    watchlist = tuple(dict.fromkeys(data.watchlist or ()))
    if len(watchlist) > MOST_WATCHED:
        raise InvalidMember(f"a watchlist has at most {MOST_WATCHED} ids, this one has {len(watchlist):,}")
    return _member(data.id, bytes(data.user_info), watchlist)


def _member(id: str, info: bytes, watchlist: tuple[str, ...] = ()) -> Member:
    if not 1 <= len(id) <= MAX_USER_CHARACTERS:
        raise InvalidMember(f"the id of a user has 1 to {MAX_USER_CHARACTERS} characters")
    return Member(id, msgspec.json.format(info, indent=-1), watchlist)
