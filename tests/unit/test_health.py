from dataclasses import replace

import pytest

from stork_node.metrics.health import NodeState, judge

WELL = NodeState((), (), 0.5, 0.5, "e1")


def test_a_node_that_is_well_is_ready_and_names_its_epoch():
    assert judge(WELL).as_json() == {"status": "ready", "problems": [], "epoch": "e1"}
    assert judge(WELL).http_status == 200


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        ({"closed_ports": ("public",)}, "the transport public does not listen"),
        ({"missing_procedures": ("io.virge.stork.app.auth",)}, "nobody has registered io.virge.stork.app.auth"),
        ({"relay_trouble": "frames of another epoch"}, "frames of another epoch"),
        ({"has_caught_up": False}, "the relay has not caught up yet"),
        ({"probe_age_s": 10.1}, "the relay is stuck: its own probe did not come back for 10 s"),
    ],
)
def test_trouble_of_this_node_alone_is_not_ready(trouble, problem):
    health = judge(replace(WELL, **trouble))
    assert (health.status, health.problems, health.http_status) == ("not_ready", (problem,), 503)


@pytest.mark.parametrize(
    ("age_s", "status", "http_status"),
    [(5.0, "ready", 200), (5.1, "degraded", 200), (60.0, "degraded", 200), (60.1, "not_ready", 503)],
)
def test_what_all_nodes_share_is_degraded_first(age_s, status, http_status):
    health = judge(replace(WELL, frame_age_s=age_s))
    assert (health.status, health.http_status) == (status, http_status)
    assert all("nothing from the publish server for" in problem for problem in health.problems)


def test_a_server_out_of_reach_is_told_with_its_silence():
    trouble = "the publish server at tcp://push:5556 refuses the secret that is used here (STORK_BUS_SECRET)"
    silent = judge(replace(WELL, frame_age_s=7.0, server_trouble=trouble))
    assert silent.problems == ("nothing from the publish server for 7 s", trouble)
    assert judge(replace(WELL, server_trouble=trouble)).problems == ()


def test_a_node_that_drains_says_nothing_else():
    health = judge(replace(WELL, is_draining=True, closed_ports=("public",), frame_age_s=90.0))
    assert (health.status, health.problems, health.http_status) == ("not_ready", ("draining",), 503)


def test_a_relay_that_cannot_catch_up_with_a_silent_server_is_degraded():
    health = judge(replace(WELL, has_caught_up=False, frame_age_s=7.0))
    assert health.problems == ("the relay has not caught up yet", "nothing from the publish server for 7 s")
    assert (health.status, health.http_status) == ("degraded", 200)


def test_every_problem_is_said():
    state = replace(WELL, closed_ports=("public",), frame_age_s=30.0, epoch="")
    assert judge(state).as_json() == {
        "status": "not_ready",
        "problems": ["the transport public does not listen", "nothing from the publish server for 30 s"],
        "epoch": None,
    }


def test_a_full_node_is_degraded_and_stays_in_the_balancer():
    health = judge(replace(WELL, is_full=True))
    assert (health.status, health.http_status) == ("degraded", 200)
    assert health.problems == ("the descriptors are used up: clients are refused, or give way to others",)
