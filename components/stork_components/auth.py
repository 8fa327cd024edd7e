"""The application's authenticator, and its figures, as WAMP procedures."""

import os
from typing import Any

from autobahn.wamp.types import RegisterOptions

from stork_components.application_process import ApplicationProcess
from stork_components.asking.batches import register_batch
from stork_components.old_names import OldComponent
from stork_crossbar.component import Component
from stork_node.protocol import uris


async def serve_tickets(session: Component, application: ApplicationProcess) -> None:
    """
    Hand the application's rules for tokens over to the guard. Then register ``io.virge.stork.app.auth(realm, authid,
    details, within_s)`` and ``….batch``, for the guard, ``io.virge.stork.app.figures()``, for ``/metrics``, and
    ``….summary()``, for the page.

    Without an authenticator the first two are left out: joins wait for a backend, and the node is not ready until there
    is one.
    """

    def tell_figures() -> dict[str, Any]:
        return {"pid": os.getpid(), "user_code_seconds": application.figures.as_json()}

    await session.call(uris.GUARD_RULES, application.rules)
    # A new process takes over from one that is still there, and gives back if it leaves.
    await session.register(tell_figures, uris.APP_FIGURES, RegisterOptions(invoke="last"))
    await session.register(application.summary.as_json, uris.APP_SUMMARY, RegisterOptions(invoke="last"))
    if not application.stork.declared.decides_joins:
        session.log.info(
            "the application has no authenticator: a backend decides who may join ({uri})", uri=uris.BACKEND_AUTH
        )
        return
    await register_batch(session, application.authenticate, uris.APP_AUTH_BATCH)
    await session.register(application.authenticate, uris.APP_AUTH, RegisterOptions(invoke="last"))


class Auth(OldComponent):
    async def serve(self, application: ApplicationProcess) -> None:
        await serve_tickets(self, application)
