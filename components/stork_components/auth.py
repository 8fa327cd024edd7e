"""auth, in the application process: asks the application's authenticator about a ticket."""

import os
from typing import Any

from autobahn.wamp.types import RegisterOptions

from stork_components.application import ApplicationSettings, run_application
from stork_components.batches import register_batch
from stork_components.component import Component
from stork_node import uris


class Auth(Component):
    """
    Registers ``io.virge.stork.app.auth(realm, authid, details, within_s)`` and ``….batch``, for the guard, and
    ``io.virge.stork.app.figures()``, for ``/metrics``.
    """

    Settings = ApplicationSettings
    settings: ApplicationSettings
    can_be_interrupted = True

    async def start(self) -> None:
        self._application = await run_application(self.settings)
        # The process that comes up while another one is still there takes over from it, and gives back if it leaves.
        await self.register(self._figures, uris.APP_FIGURES, RegisterOptions(invoke="last"))
        await self.subscribe(self._application.forget, uris.APP_GONE)
        await register_batch(self, self._authenticate, uris.APP_AUTH_BATCH)
        await self.register(self._authenticate, uris.APP_AUTH, RegisterOptions(invoke="last"))

    def _authenticate(
        self, realm: str, authid: str | None, details: dict[str, Any], within_s: float | None = None
    ) -> Any:
        return self._application.authenticate(realm, authid, details, within_s)

    def _figures(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "user_code_seconds": self._application.figures.as_json()}
