import os
import signal

from tests.gateway import Deployment, wait_for


def presence(client, authid):
    """The presence events of one authid, as they come: type and data."""
    while True:
        _, event, _ = client.event()
        if event["data"][0] == authid:
            yield event["type"], event["data"][1:]


def test_join_and_leave_bring_the_whole_session_both_times(node):
    with node.join("user:watcher") as watcher:
        watcher.subscribe("v1.open.presence")
        events = presence(watcher, "ann")
        ann = node.join("user:ann")
        whole = [{"groups": ["ann"]}, {"greeting": "hello ann"}]
        type_, (private, extra) = next(events)
        assert (type_, private) == ("joined", whole[0])
        assert extra["greeting"] == "hello ann"
        ann.close()
        type_, (private, extra) = next(events)
        assert (type_, private) == ("left", whole[0])


def test_backends_and_the_nodes_own_sessions_are_no_visitors(node):
    with node.join("user:watcher") as watcher:
        watcher.subscribe("v1.open.presence")
        node.backend().close()
        ann = node.join("user:ann")
        seen = []
        while "ann" not in seen:
            seen.append(watcher.event()[1]["data"][0])
        assert "backend" not in seen
        ann.close()


def test_sessions_from_before_the_application_process_join_it_at_its_start(tmp_path, many_ways):
    with Deployment(tmp_path, app=many_ways.app) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join("user:early") as early, node.join("user:watcher") as watcher:
            watcher.subscribe("v1.open.presence")
            [pid] = node.workers("ContainerController")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: node.workers("ContainerController") not in ([pid], []), "another application process")
            events = presence(watcher, "early")
            assert next(events)[0] == "joined"
            early.close()
            type_, (private, _) = next(events)
            assert (type_, private) == ("left", {"groups": ["early"]})
