"""The application of the benchmark: asked for each join and each subscription, as a real one is."""

import hmac
import os

from stork_node import Deny, Principal, Stork

stork = Stork()


@stork.authenticator
def check_ticket(request):
    if hmac.compare_digest(request.ticket.encode(), os.environ["STORK_TICKET"].encode()):
        return Principal(authid=request.authid)
    return Deny("wrong ticket")


bench = stork.feed("v1", "bench")


@bench.verify
def may_see(session, topic):
    return session.authid.startswith("user-")
