"""What deciding about joins and about permissions have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stork_components.asking.application_client import ApplicationClient
from stork_components.asking.registrations import Registrations
from stork_components.asking.waiting_sessions import WaitingSessions
from stork_components.guard.settings import GuardSettings
from stork_components.tickets.token_gate import TokenGate
from stork_node.guard.admitted import Admitted
from stork_node.guard.counters import GuardCounters
from stork_node.guard.deciders import Deciders


@dataclass
class Parts:
    """
    Attributes:
        log: the component's.
        realm: returns the realm of this node.
        application: is asked, or a backend.
        callees: who can be asked now.
        deciders: who decides about what.
        tokens: decides about tickets that are tokens.
        admitted: whom the guard has let in.
        waiting: the sessions for which somebody is being asked.
    """

    settings: GuardSettings
    counters: GuardCounters
    log: Any
    realm: Callable[[], Any]
    application: ApplicationClient
    callees: Registrations
    deciders: Deciders
    tokens: TokenGate
    admitted: Admitted
    waiting: WaitingSessions
