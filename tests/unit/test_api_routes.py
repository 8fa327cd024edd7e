"""The paths, queries and the description of the HTTP API."""

import json

import pytest

from stork_node.api.answers import STATUS, ApiError
from stork_node.api.openapi import describe
from stork_node.api.queries import Query
from stork_node.api.routes import ROUTES, find


@pytest.mark.parametrize(
    ("target", "name", "names"),
    [
        (b"/api/position", "position", {}),
        (b"/api/topics?limit=3", "topics", {}),
        (b"/api/topics/v1.orders.42", "topic", {"topic": "v1.orders.42"}),
        (b"/api/topics/v1.orders.42/history", "history", {"topic": "v1.orders.42"}),
        (b"/api/topics/a%2Fb%20%C3%BC", "topic", {"topic": "a/b ü"}),
        (b"/api/topics/history", "topic", {"topic": "history"}),
    ],
)
def test_a_path_has_its_route(target, name, names):
    for method in ("GET", "HEAD"):
        found = find(method, target)
        assert (found.route.name, dict(found.names)) == (name, names)


@pytest.mark.parametrize(
    "target",
    [b"/api", b"/api/", b"/api/pushes", b"/api/push/", b"/api//push", b"/api/topics/", b"/api/topics//history"],
)
def test_another_path_is_not_found(target):
    with pytest.raises(ApiError) as caught:
        find("GET", target)
    assert caught.value.answer.status == 404


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("GET", b"/api/push", b"POST"),
        ("DELETE", b"/api/push", b"POST"),
        ("POST", b"/api/position", b"GET, HEAD"),
        ("OPTIONS", b"/api/topics/v1.a.b", b"GET, HEAD"),
    ],
)
def test_another_method_is_told_the_allowed_ones(method, target, allowed):
    with pytest.raises(ApiError) as caught:
        find(method, target)
    assert (caught.value.answer.status, caught.value.answer.headers) == (405, ((b"Allow", allowed),))


def test_a_query_is_read_strictly():
    assert Query("since=a%3A1&limit=7", ("since", "limit")).text("since") == "a:1"
    assert Query("since=a%3A1&limit=7", ("since", "limit")).limit() == 7
    assert Query("", ("limit",)).limit() == 100


@pytest.mark.parametrize("text", ["x=1", "limit=1&limit=2", "limit=%ff", "&".join(["limit=1"] * 200)])
def test_a_wrong_query_is_refused(text):
    with pytest.raises(ApiError) as caught:
        Query(text, ("limit",))
    assert caught.value.answer.status == 400


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1e2", "%D9%A3", "99999"])
def test_a_wrong_limit_is_refused(limit):
    with pytest.raises(ApiError, match="limit is a number from 1 to 1,000"):
        Query(f"limit={limit}", ("limit",)).limit()


def test_the_description_has_each_route_and_no_other():
    paths = describe()["paths"]
    described = {(path, method.upper()) for path, methods in paths.items() for method in methods}
    assert described == {("/" + route.path, route.method) for route in ROUTES}


def test_each_error_has_a_status_that_is_described():
    described = {
        int(code) for methods in describe()["paths"].values() for each in methods.values() for code in each["responses"]
    }
    assert set(STATUS.values()) - {404, 405} <= described
    assert json.loads(json.dumps(describe())) == describe()
