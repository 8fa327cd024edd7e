"""topic_auth, in the application process: asks the application who may subscribe to what, and call what."""

from typing import Any

from autobahn.wamp.types import RegisterOptions

from stork_components.application import ApplicationSettings, run_application
from stork_components.asking.batches import register_batch
from stork_crossbar.component import Component
from stork_node.protocol import uris


class TopicAuth(Component):
    """Registers ``io.virge.stork.app.topic_auth(session, uri, action, options)`` and ``….batch``, for the guard."""

    Settings = ApplicationSettings
    settings: ApplicationSettings

    async def start(self) -> None:
        self._application = await run_application(self.settings)
        await register_batch(self, self._authorize, uris.APP_TOPIC_AUTH_BATCH)
        await self.register(self._authorize, uris.APP_TOPIC_AUTH, RegisterOptions(invoke="last"))

    def _authorize(self, session: dict[str, Any], uri: str, action: str, options: dict[str, Any]) -> Any:
        return self._application.authorize(session, uri, action, options)
