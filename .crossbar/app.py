"""
The application: which users may join, which topics they may see, and which procedures they may call.

This one is for trials. Change it, and run `stork reload`. The page docs/application.md of the book, in the folder node/
of Stork node, has everything that an application can do.
"""

import hmac
import os

from stork_node import CallError, Deny, Principal, Stork

stork = Stork()


# Called for every client that joins. If STORK_TICKET is not set, `stork up` makes a ticket; without a ticket no client
# gets in. A real application looks the ticket up, and never accepts the user name that a client sends.
@stork.authenticator
def check_ticket(request):
    expected = os.environ.get("STORK_TICKET", "")
    if expected and hmac.compare_digest(request.ticket.encode(), expected.encode()):
        return Principal(authid=request.authid or "guest")
    return Deny("wrong ticket")


# Topics are version.feed.id. A feed without a verifier is open to all joined clients: v1.test.1, v1.test.hello, …
stork.feed("v1", "test")

# A verifier decides about a subscription. Here each user may see only their own topic: alice sees v1.user.alice.
# A feed with patterns=("prefix",) lets clients subscribe to many topics at once. Its verifiers need patterns=True, and
# read topic.match as well: topic.feed_id is then the beginning of all ids that the client wants.
users = stork.feed("v1", "user")


@users.verify
def is_own_topic(session, topic):
    return topic.feed_id == session.authid


# Clients see who is online in a topic of this feed: client.presence("v1.room.lobby", {onchange}).
stork.feed("v1", "room", presence=True)


# A procedure that browsers may call (allow=True), with foo(name="x") or foo({"name": "x"}).
@stork.rpc("virge.stork.example.foo", allow=True)
def foo(call):
    match call.args, call.kwargs:
        case ([{"name": name}], _) | ([], {"name": name}):
            return {"bar": name}
    raise CallError("wamp.error.invalid_argument", 'foo wants {"name": …}')
