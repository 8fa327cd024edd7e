"""A user's own .crossbar/: read-only, with modules and packages of its own, in another place."""

import subprocess

import pytest

from tests.gateway import Deployment, needs_root
from tests.wamp import Refused

APP = """
import components.users
from components.users import BY_TICKET
from node import owns
from stork_node import Deny, Principal, Stork

stork = Stork()


@stork.authenticator
def check_ticket(request):
    return Principal(authid=BY_TICKET[request.ticket]) if request.ticket in BY_TICKET else Deny("unknown")


stork.feed("v1", "mine").verify(lambda session, topic: owns(session, topic))
"""

OWNS = """
def owns(session, topic):
    return topic.feed_id == session.authid
"""


def test_an_application_may_have_packages_named_components_and_node(tmp_path):
    with Deployment(tmp_path, app=APP) as deployment:
        original = deployment.write_folder

        def write_folder(name):
            folder, port = original(name)
            for package, text in (
                ("components", ""),
                ("node", "def owns(session, topic):\n    return topic.feed_id == session.authid\n"),
            ):
                (folder / package).mkdir()
                (folder / package / "__init__.py").write_text(text)
            (folder / "components" / "users.py").write_text("BY_TICKET = {'t': 'joe'}\n")
            return folder, port

        deployment.write_folder = write_folder
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join("t") as joe, deployment.publisher() as publisher:
            joe.subscribe("v1.mine.joe")
            with pytest.raises(Refused):
                joe.subscribe("v1.mine.jack")
            publisher.push("v1.mine.joe", type="t", data=1)
            assert joe.event()[1]["data"] == 1


@needs_root
def test_a_read_only_folder_is_enough(tmp_path):
    with Deployment(tmp_path) as deployment:
        folder, port = deployment.write_folder("node")
        subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
            with pytest.raises(OSError, match="Read-only"):
                (folder / "x").write_text("x")
            deployment.write_folder = lambda name: (folder, port)
            deployment.start_publish_server()
            node = deployment.start_node()
            with node.join() as client:
                client.subscribe("v1.test.1")
            before = sorted(path.name for path in folder.iterdir())
            assert "node.pid" not in before
            assert "key.priv" not in before
            assert node.stop() == 0
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
