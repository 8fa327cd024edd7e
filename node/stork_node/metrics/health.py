"""Decides whether a node can take browsers: its own problems, and those that all nodes share."""

from dataclasses import dataclass
from typing import Any

# After this time without a heartbeat all nodes have the same problem. A balancer that removes them all would not help.
DEGRADED_AFTER_S = 5.0
NOT_READY_AFTER_S = 60.0
# The relay publishes to itself each second.
STUCK_AFTER_S = 10.0
# Problems of this node alone that last so long: it ends, to be started again.
HOPELESS_AFTER_S = 30.0


@dataclass(frozen=True)
class NodeState:
    """
    The operator port's knowledge of its node. Ages are in seconds.

    Args:
        closed_ports: the transports of config.json that do not listen.
        missing_procedures: the procedures that neither the application nor a backend has registered.
        frame_age_s: age of the last frame from the publish server, or of the node if there was none.
        probe_age_s: age of the last probe event of the relay to itself.
        epoch: the relay's epoch; empty before the first.
        is_draining: whether it was asked to stop, and takes no new clients.
        has_caught_up: whether the relay has caught up with the publish server, so that ``recover`` is answered.
        is_full: whether a new client was refused, or replaced another one, a moment ago.
        relay_trouble: the relay's problem, in one sentence; empty if there is none.
        engine_trouble: why the log takes nothing now, in one sentence; empty where there is no trouble.
        server_trouble: why the publish server is out of reach, in one sentence; empty if nothing is known.
    """

    closed_ports: tuple[str, ...]
    missing_procedures: tuple[str, ...]
    frame_age_s: float
    probe_age_s: float
    epoch: str
    is_draining: bool = False
    has_caught_up: bool = True
    relay_trouble: str = ""
    is_full: bool = False
    server_trouble: str = ""
    engine_trouble: str = ""


@dataclass(frozen=True)
class Health:
    """``status`` is ``ready``, ``degraded`` (it still takes browsers) or ``not_ready``."""

    status: str
    problems: tuple[str, ...]
    epoch: str

    @property
    def http_status(self) -> int:
        return 503 if self.status == "not_ready" else 200

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "problems": list(self.problems), "epoch": self.epoch or None}


def judge(state: NodeState) -> Health:
    """503 for problems of this node alone. Problems that all nodes share are ``degraded`` first, and 503 after 60 s."""
    if state.is_draining:
        # Its ports close one after the other: that is no problem.
        return Health("not_ready", ("draining",), state.epoch)
    own = [f"the transport {name} does not listen" for name in state.closed_ports]
    own += [f"nobody has registered {uri}" for uri in state.missing_procedures]
    if state.probe_age_s > STUCK_AFTER_S:
        own.append(f"the relay is stuck: its own probe did not come back for {state.probe_age_s:.0f} s")
    if state.relay_trouble:
        own.append(state.relay_trouble)
    shared: list[str] = []
    if not state.has_caught_up:
        # If the publish server is silent, no node can catch up.
        (shared if state.frame_age_s > DEGRADED_AFTER_S else own).append("the relay has not caught up yet")
    if state.frame_age_s > DEGRADED_AFTER_S:
        shared.append(f"nothing from the publish server for {state.frame_age_s:.0f} s")
        shared += [state.server_trouble] if state.server_trouble else []
    if state.engine_trouble:
        shared.append(state.engine_trouble)
    if state.is_full:
        # Other nodes may be just as full, and joined clients are served here.
        shared.append("the descriptors are used up: clients are refused, or give way to others")
    if own or state.frame_age_s > NOT_READY_AFTER_S:
        status = "not_ready"
    elif shared:
        status = "degraded"
    else:
        status = "ready"
    return Health(status, tuple(own + shared), state.epoch)
