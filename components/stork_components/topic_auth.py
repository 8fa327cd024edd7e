"""topic_auth, in the application process: asks the application who may subscribe to what, and call what."""

from typing import Any

from autobahn.wamp.types import RegisterOptions

from stork_components.application import ApplicationSettings, run_application
from stork_components.batches import register_batch
from stork_components.component import Component
from stork_node import uris


class TopicAuth(Component):
    """
    Registers ``io.virge.stork.app.topic_auth(session, uri, action, options, within_s)`` and ``….batch``, for the guard.
    """

    Settings = ApplicationSettings
    settings: ApplicationSettings
    can_be_interrupted = True

    async def start(self) -> None:
        self._application = await run_application(self.settings)
        await self.subscribe(self._application.forget, uris.APP_GONE)
        await register_batch(self, self._authorize, uris.APP_TOPIC_AUTH_BATCH)
        await self.register(self._authorize, uris.APP_TOPIC_AUTH, RegisterOptions(invoke="last"))

    def _authorize(
        self,
        session: dict[str, Any],
        uri: str,
        action: str,
        options: dict[str, Any],
        within_s: float | None = None,
    ) -> Any:
        return self._application.authorize(session, uri, action, options, within_s)
