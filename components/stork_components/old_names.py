"""
auth, topic_auth, rpc and meta: four components that do what ``stork_components.application.Application`` does.

Configurations that name them work for one more release; the log and ``stork check`` say what to write.
"""

from stork_components import application_process
from stork_components.application_process import ApplicationProcess, ApplicationSettings
from stork_crossbar.interruptions import InterruptibleComponent
from stork_node.config.old_components import SENTENCE


class OldComponent(InterruptibleComponent):
    """The base of these four components."""

    Settings = ApplicationSettings
    settings: ApplicationSettings

    async def start(self) -> None:
        is_first = not application_process.is_started()
        if is_first:
            self.log.warn("{sentence}", sentence=SENTENCE)
        application = await application_process.run_application(self.settings)
        if is_first:
            await application_process.follow_leavers(self, application)
        await self.serve(application)

    async def serve(self, application: ApplicationProcess) -> None:
        """Serve this component's part of the application."""
        raise NotImplementedError
