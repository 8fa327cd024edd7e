"""``POST users/{id}/terminate_connections``: a command for all nodes."""

from stork_node.api.pushes import ApiPush
from stork_node.protocol.commands.documents import encode_command
from stork_node.protocol.commands.results import CommandResult
from stork_node.pusher.apps import App
from stork_node.pusher.channels import USER_PREFIX, Channel
from stork_node.pusher.errors import HttpRefusal, InvalidChannel

_REASON = "this user's connections were ended"
# The link gives up after its own time: by then the answer is there, complete or not.
_TIMEOUT_MS = 3_000


class UserCommand(ApiPush):
    """
    Ends the connections of one user of one app. The user's own topic names them: WAMP sessions, and users of other apps
    with the same id, are not meant.

    Raises:
        HttpRefusal: nobody can have this id.
    """

    __slots__ = ()

    def __init__(self, app: App, user_id: str, id: str) -> None:
        try:
            topic = Channel.parse(USER_PREFIX + user_id).topic(app.version)
        except InvalidChannel as error:
            raise HttpRefusal(400, error.reason) from None
        frame = encode_command("disconnect", topic=topic, reason=_REASON, timeout_ms=_TIMEOUT_MS, id=id)
        super().__init__(id, None, frame)

    def take_outcome(self) -> None:
        # A node that has not obeyed yet delivers nothing later before it does.
        if isinstance(self.outcome, CommandResult):
            self.settle(b"{}")
        else:
            super().take_outcome()
