"""The original's auth client as a component in a container: both URIs, for stock Crossbar."""

import hmac
import os

from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp.types import RegisterOptions


class StockAuth(ApplicationSession):
    async def onJoin(self, details):  # noqa: N802 - autobahn's spelling
        last = RegisterOptions(invoke="last")
        await self.register(self.authenticate, "io.virge.stork.auth", last)
        await self.register(self.authorize, "io.virge.stork.topic_auth", last)
        self.log.warn("the auth client has registered")  # at the level that is shown

    def authenticate(self, realm, authid, details):
        if hmac.compare_digest(details["ticket"].encode(), os.environ["STORK_TICKET"].encode()):
            return {"authid": authid, "role": "frontend"}
        return []

    def authorize(self, session, uri, action, options=None):
        allow = action == "subscribe" and uri.startswith("v1.bench.") and session["authid"].startswith("user-")
        return {"allow": allow, "cache": False}
