"""A node whose Crossbar, autobahn or Twisted has another name for what a shortcut needs: it delivers, and says so."""

import pytest

from stork_crossbar.internals.private_names import BROADCASTER, PRIVATE_NAMES
from tests.components.test_renamed import OTHERS, RENAMED
from tests.gateway import Deployment, push_until_it_arrives

PARTS = {name.name: name.part for name in PRIVATE_NAMES}


@pytest.mark.parametrize("name", OTHERS)
def test_a_node_without_a_shortcut_delivers_and_says_what_is_off(tmp_path, name):
    environ = {"PYTHONPATH": str(RENAMED), "RENAMED": name}
    with Deployment(tmp_path, environ=environ) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join(authid="joe") as client, deployment.publisher() as publisher:
            client.subscribe("v1.user.joe")
            push_until_it_arrives(publisher, client, "v1.user.joe")
            assert client.call("virge.stork.example.foo", name="x") == {"bar": "x"}
        said = (
            "events go by Crossbar's publish" if PARTS[name] == BROADCASTER else "Crossbar is not as it is known here"
        )
        node.wait_for_line(said)
        node.wait_for_line(f".{name}")
