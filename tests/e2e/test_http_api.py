"""The HTTP API of one node, on both of its ports."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway import Deployment

KEY = "a-key-of-the-tests-0123456789"


class Api:
    """One connection that is kept; ``ask`` returns the status, the headers and the JSON."""

    def __init__(self, port: int, key: str = KEY) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.key = key

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, data, sent)
        answer = self.connection.getresponse()
        said = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(said) if said else None

    def push(self, body: Any, **headers: str) -> tuple[int, Any]:
        status, _, said = self.ask("POST", "/api/push", body, **headers)
        return status, said


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with Deployment(tmp_path_factory.mktemp("http-api"), environ={"STORK_API_KEY": KEY}) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


@pytest.fixture(params=["public", "operator"])
def api(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[Api]:
    node = deployment.nodes[0]
    api = Api(node.port if request.param == "public" else deployment.operator_ports[node.port])
    yield api
    api.connection.close()


def test_a_push_reaches_a_browser(deployment, api):
    with deployment.nodes[0].join() as client:
        client.subscribe("v1.test.1")
        status, said = api.push({"topics": ["v1.test.1"], "type": "hello", "data": {"a": 1}})
        assert (status, said["ok"], said["id"]) == (200, True, None)
        _, event, kwargs = client.event()
        assert (event["type"], event["data"], kwargs["position"]) == ("hello", {"a": 1}, said["position"])
