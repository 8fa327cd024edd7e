"""The application of the chaos tests: everybody gets in, and sees everything of one feed."""

from stork_node import Principal, Stork

stork = Stork()


@stork.authenticator
def let_in(request):
    return Principal(authid=request.authid or "guest")


stork.feed("v1", "room", presence=True, leave_after_s=2)
chaos = stork.feed("v1", "chaos")


@chaos.verify
async def sees_it(session, topic):
    return True
