"""
The application: who may join, what they may see, and what they may call.

This one is for trying things out. Change it, and start the node again. All that an application can say is on the
page docs/application.md of the book, in the folder node/ of Stork node.
"""

import hmac
import os

from stork_node import CallError, Deny, Principal, Stork

stork = Stork()


# Asked for every client that connects. `stork up` makes a ticket up where STORK_TICKET is not set; without one, nobody
# gets in. A real application looks the ticket up, and never believes a client who it says it is.
@stork.authenticator
def check_ticket(request):
    expected = os.environ.get("STORK_TICKET", "")
    if expected and hmac.compare_digest(request.ticket.encode(), expected.encode()):
        return Principal(authid=request.authid or "guest")
    return Deny("wrong ticket")


# Topics are version.feed.id. A feed without a verifier is open to everybody who got in: v1.test.1, v1.test.hello, …
stork.feed("v1", "test")

# A verifier says who may subscribe to which id. Here each user to their own topic only: alice to v1.user.alice.
# A feed with patterns=("prefix",) lets clients subscribe to many topics at once; its verifiers say patterns=True, and
# look at topic.match as well: topic.feed_id is then the beginning of all the ids that the client wants.
users = stork.feed("v1", "user")


@users.verify
def is_own_topic(session, topic):
    return topic.feed_id == session.authid


# A procedure that browsers may call (allow=True), with foo(name="x") or foo({"name": "x"}).
@stork.rpc("virge.stork.example.foo", allow=True)
def foo(call):
    match call.args, call.kwargs:
        case ([{"name": name}], _) | ([], {"name": name}):
            return {"bar": name}
    raise CallError("wamp.error.invalid_argument", 'foo wants {"name": …}')
