"""Serves on_online and on_offline handlers in the application's process."""

from autobahn.wamp.types import RegisterOptions

from stork_components.application_process import ApplicationProcess
from stork_crossbar.component import Component
from stork_node.protocol import uris


async def serve_presence(session: Component, application: ApplicationProcess) -> None:
    """
    Register ``io.virge.stork.app.presence(events, within_s)``, for the relay, if there are such handlers.

    Of several processes the first one is called, as long as it is there.
    """
    if application.stork.follows_presence:
        await session.register(application.tell_presence, uris.APP_PRESENCE, RegisterOptions(invoke="first"))
