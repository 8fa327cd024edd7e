"""A component whose calls can be interrupted: the code that runs a handler decides how."""

from typing import Any, ClassVar

from autobahn.wamp.message import Interrupt, Invocation
from autobahn.wamp.types import ComponentConfig

from stork_crossbar.component import Component
from stork_node.application.running.thread_switching import Interruption


class InterruptibleComponent(Component):
    can_be_interrupted: ClassVar[bool] = True

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self._invocation = 0
        self._interruptions: dict[int, Interruption] = {}

    def onMessage(self, msg: Any) -> None:
        if isinstance(msg, Interrupt) and (interruption := self._interruptions.get(msg.request)):
            # autobahn would answer at once, and the router would no longer count a call whose handler still runs.
            interruption.ask()
            return
        if isinstance(msg, Invocation):
            self._invocation = msg.request
        super().onMessage(msg)

    def begin_invocation(self) -> tuple[int, Interruption]:
        """
        The invocation that is being taken, to be called within its endpoint.

        Returns:
            Its id, for ``end_invocation``, and the ``Interruption`` that says that the caller has given up.
        """
        interruption = self._interruptions[self._invocation] = Interruption()
        return self._invocation, interruption

    def end_invocation(self, invocation: int) -> None:
        self._interruptions.pop(invocation, None)
