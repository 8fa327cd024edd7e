"""The application as one component of config.json: its authenticator, topics, procedures and session handlers."""

from stork_components.application_process import ApplicationSettings, follow_leavers, run_application
from stork_components.auth import serve_tickets
from stork_components.meta import Visitors
from stork_components.presence.serving import serve_presence
from stork_components.rpc import Procedures
from stork_components.topic_auth import serve_topics
from stork_crossbar.interruptions import InterruptibleComponent

__all__ = ["Application", "ApplicationSettings"]


class Application(InterruptibleComponent):
    """
    Registers procedures first and the authenticator last, so a new client finds all procedures and ``on_join`` is
    called for it.
    """

    Settings = ApplicationSettings
    settings: ApplicationSettings

    async def start(self) -> None:
        application = await run_application(self.settings)
        await Procedures(self, application).register()
        await Visitors(self, application).follow()
        await follow_leavers(self, application)
        await serve_topics(self, application)
        await serve_presence(self, application)
        await serve_tickets(self, application)
