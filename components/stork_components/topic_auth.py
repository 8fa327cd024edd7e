"""The application's verifiers, as WAMP procedures: they decide on subscriptions and calls."""

from autobahn.wamp.types import RegisterOptions

from stork_components.application_process import ApplicationProcess
from stork_components.asking.batches import register_batch
from stork_components.old_names import OldComponent
from stork_crossbar.component import Component
from stork_node.protocol import uris


async def serve_topics(session: Component, application: ApplicationProcess) -> None:
    """
    Register ``io.virge.stork.app.topic_auth(session, uri, action, options, within_s)`` and ``….batch``, for the guard.
    """
    await register_batch(session, application.authorize, uris.APP_TOPIC_AUTH_BATCH)
    await session.register(application.authorize, uris.APP_TOPIC_AUTH, RegisterOptions(invoke="last"))


class TopicAuth(OldComponent):
    async def serve(self, application: ApplicationProcess) -> None:
        await serve_topics(self, application)
