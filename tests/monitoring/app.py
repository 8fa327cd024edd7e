"""The application of the scene: whoever has the right ticket gets in, and sees everything of one feed."""

import asyncio

from stork_node import Deny, Principal, Stork

stork = Stork()


@stork.authenticator
async def let_in(request):
    await asyncio.sleep(0.003)  # a look at a database
    return Principal(authid=request.authid) if request.ticket == "right" else Deny("a wrong ticket")


chaos = stork.feed("v1", "chaos")


@chaos.verify(cache_s=600)
async def sees_it(session, topic):
    await asyncio.sleep(0.002)
    return True
