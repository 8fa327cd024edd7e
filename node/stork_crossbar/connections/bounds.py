"""
No client delays the others: reading is round-robin, the number of open requests is bounded, and connections end for
good.
"""

from typing import Any

from crossbar.router.dealer import Dealer
from crossbar.router.observation import UriObservationMap

from stork_crossbar.compat import Incompatible, require_signature
from stork_crossbar.component import end_worker
from stork_crossbar.connections.endings import end_for_good
from stork_crossbar.connections.frame_reading import read_round_robin
from stork_crossbar.connections.round_robin import RoundRobinReader
from stork_crossbar.limits.client_limits import limits, note
from stork_crossbar.limits.session_limits import call_when_released, held_by


def keep_in_bounds(reactor: Any) -> None:
    """Set the bounds for all clients of this router process; if that is impossible, the process ends."""
    reader = RoundRobinReader(reactor, held_by, note, lambda: limits().messages_a_turn)
    try:
        _expect_dealer()
        end_for_good(reactor)
        read_round_robin(reader)
    except (Incompatible, AttributeError) as error:
        end_worker(f"clients cannot be kept in bounds with this Crossbar and autobahn: {error}")
    call_when_released(reader.let_go)


def _expect_dealer() -> None:
    names = ("id", "registration", "session", "call", "callee", "forward_for", "authorization", "timeout")
    require_signature(Dealer._add_invoke_request, "self", f"invocation_request_{names[0]}", *names[1:])
    require_signature(Dealer._remove_invoke_request, "self", "invocation_request")
    require_signature(UriObservationMap.delete_observation, "self", "observation")
    require_signature(UriObservationMap.add_observer, "self", "observer", "uri", "match", "extra", "observer_extra")
    if UriObservationMap()._observation_id_to_observation != {}:
        raise Incompatible("observations are kept in another way")
