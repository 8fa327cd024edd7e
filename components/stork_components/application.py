"""The application, as config.json names it: its tickets, topics, procedures and sessions, by one WAMP session."""

from stork_components.application_process import ApplicationSettings, follow_leavers, run_application
from stork_components.auth import serve_tickets
from stork_components.meta import Visitors
from stork_components.rpc import Procedures
from stork_components.topic_auth import serve_topics
from stork_crossbar.interruptions import InterruptibleComponent

__all__ = ["Application", "ApplicationSettings"]


class Application(InterruptibleComponent):
    """Joins are asked about last: whoever joins finds procedures that are registered, and is told of."""

    Settings = ApplicationSettings
    settings: ApplicationSettings

    async def start(self) -> None:
        application = await run_application(self.settings)
        await Procedures(self, application).register()
        await Visitors(self, application).follow()
        await follow_leavers(self, application)
        await serve_topics(self, application)
        await serve_tickets(self, application)
