import hashlib

import pytest

from stork_node.pusher.apps import App, Apps
from stork_node.pusher.errors import HttpRefusal
from stork_node.pusher.http.requests import read_request
from stork_node.pusher.signatures import request_text, sign
from tests.vector_files import vectors

NOW = 1_700_000_000
APP = App("1", {"key": "secret", "second": "other"})
APPS = Apps([APP, App("2", {"off": "secret"}, "two", is_enabled=False)])


def target(path="/apps/1/channels", method="GET", *, key="key", secret="secret", order=sorted, **changed):
    parameters = {"auth_key": key, "auth_timestamp": str(NOW), "auth_version": "1.0"} | changed
    parameters = {name: value for name, value in parameters.items() if value is not None}
    signature = sign(secret, request_text(method, path, {name.lower(): value for name, value in parameters.items()}))
    query = "&".join(f"{name}={parameters[name]}" for name in order(parameters))
    return f"{path}?{query}&auth_signature={signature}"


def refusal(apps, method, target, now=NOW):
    with pytest.raises(HttpRefusal) as caught:
        read_request(apps, method, target, now)
    return caught.value.status, caught.value.reason


@vectors("pusher", "requests")
def test_a_request_is_signed(case):
    app = App(case["app"], {case["key"]: case["secret"]})
    request = read_request(Apps([app]), case["method"], case["target"], case["now"])
    assert request.app is app
    request.check_body(case["body"].encode())
    with pytest.raises(HttpRefusal) as caught:
        request.check_body(case["body"].encode() + b" ")
    assert caught.value.status == 401


@vectors("pusher", "requests")
def test_a_request_that_was_changed_is_not(case):
    apps = Apps([App(case["app"], {case["key"]: case["secret"]})])
    for changed in (case["target"] + "0", case["target"] + "&x=1", case["target"].replace("auth_version=1.0", "a=1")):
        assert refusal(apps, case["method"], changed, case["now"])[0] == 401
    other = "GET" if case["method"] == "POST" else "POST"
    assert refusal(apps, other, case["target"], case["now"])[0] == 401


@pytest.mark.parametrize(
    ("path", "method", "route", "subject"),
    [
        ("/apps/1/events", "POST", "events", ""),
        ("/apps/1/events/", "POST", "events", ""),
        ("/apps/1/batch_events", "POST", "batch_events", ""),
        ("/apps/1/channels", "GET", "channels", ""),
        ("/apps/1/channels/private-a", "GET", "channel", "private-a"),
        ("/apps/1/channels/presence-a/users", "GET", "users", "presence-a"),
        ("/apps/1/users/ann%2Fb/terminate_connections", "POST", "terminate_connections", "ann/b"),
        ("/apps/1/connections", "GET", "connections", ""),
    ],
)
def test_each_route_has_its_path(path, method, route, subject):
    request = read_request(APPS, method, target(path, method), NOW)
    assert (request.route, request.subject, request.key) == (route, subject, "key")


def test_the_order_of_parameters_does_not_matter():
    reverse = target(order=lambda names: sorted(names, reverse=True), info="user_count", filter_by_prefix="a")
    assert read_request(APPS, "GET", reverse, NOW).parameters["filter_by_prefix"] == "a"


def test_a_plus_is_a_plus_or_a_space_as_it_was_signed():
    for prefix in ("a+b", "a b", "a+b c"):
        signed = target(filter_by_prefix=prefix)
        as_plus = signed.replace(" ", "+").replace("a+b+c", "a%2Bb+c")
        assert read_request(APPS, "GET", as_plus, NOW).parameters["filter_by_prefix"] == prefix
        escaped = signed.replace("+", "%2B").replace(" ", "%20")
        assert read_request(APPS, "GET", escaped, NOW).parameters["filter_by_prefix"] == prefix


def test_several_keys_are_there_at_a_time():
    assert read_request(APPS, "GET", target(key="second", secret="other"), NOW).key == "second"
    assert refusal(APPS, "GET", target(key="second"))[0] == 401


def test_info_is_a_list():
    request = read_request(APPS, "GET", target(info="user_count,subscription_count"), NOW)
    assert request.info == ("user_count", "subscription_count")
    assert read_request(APPS, "GET", target(), NOW).info == ()


@pytest.mark.parametrize(
    ("method", "asked", "status", "reason"),
    [
        ("GET", "/apps/9/channels?auth_key=key", 404, "there is no app with this id"),
        ("GET", "/apps/", 404, "there is no app with this id"),
        ("GET", "/apps", 404, "there is no app with this id"),
        ("GET", "/apps/1/channels", 401, "the parameter auth_key is missing"),
        ("GET", target(auth_timestamp=None), 401, "the parameter auth_timestamp is missing"),
        ("GET", target(auth_version=None), 401, "the parameter auth_version is missing"),
        ("GET", target(key="nobody"), 401, "auth_key is not a key of this app"),
        ("GET", target(auth_version="2.0"), 401, "auth_version is not 1.0"),
        ("GET", target(secret="wrong"), 401, "auth_signature is not the signature of this request"),
        ("GET", target() + "0", 401, "auth_signature is not the signature of this request"),
        ("GET", target() + "&auth_key=key", 401, "the parameter 'auth_key' is there twice"),
        ("GET", target() + "&AUTH_KEY=key", 401, "the parameter 'auth_key' is there twice"),
        ("GET", target(info="a") + "&info=a", 401, "the parameter 'info' is there twice"),
        ("GET", target() + "&a=%ff", 401, "the parameter 'a' is not UTF-8"),
        ("GET", target(auth_timestamp="soon"), 401, "auth_timestamp is not a time in seconds since 1970"),
        ("GET", target(auth_timestamp="-1"), 401, "auth_timestamp is not a time in seconds since 1970"),
        ("GET", target(auth_timestamp="9" * 5000), 401, "auth_timestamp is not a time in seconds since 1970"),
        (
            "GET",
            target(auth_timestamp=str(NOW - 601)),
            401,
            "auth_timestamp is more than 600 s from the time of this node, 1700000000",
        ),
        (
            "GET",
            target(auth_timestamp=str(NOW + 601)),
            401,
            "auth_timestamp is more than 600 s from the time of this node, 1700000000",
        ),
        ("GET", target("/apps/2/channels", key="off"), 403, "this app is disabled"),
        ("POST", target("/apps/1/channels", "POST"), 405, "only GET is answered here"),
        ("GET", target("/apps/1/nothing"), 404, "there is nothing here"),
        ("GET", target("/apps/1/channels//users"), 404, "there is nothing here"),
    ],
)
def test_a_request_is_refused(method, asked, status, reason):
    assert refusal(APPS, method, asked) == (status, reason)


@pytest.mark.parametrize("seconds", [-600, 0, 600])
def test_a_clock_may_be_ten_minutes_off(seconds):
    assert read_request(APPS, "GET", target(auth_timestamp=str(NOW + seconds)), NOW).route == "channels"


def test_a_body_needs_its_md5():
    request = read_request(APPS, "POST", target("/apps/1/events", "POST"), NOW)
    request.check_body(b"")
    with pytest.raises(HttpRefusal, match="body_md5 is missing, and there is a body"):
        request.check_body(b"{}")
    wrong = hashlib.md5(b"[]").hexdigest()
    request = read_request(APPS, "POST", target("/apps/1/events", "POST", body_md5=wrong), NOW)
    with pytest.raises(HttpRefusal, match="body_md5 is not the MD5 of the body"):
        request.check_body(b"{}")
