import json
import os
import re

import pytest

from stork_node.config.settings import read
from stork_node.errors import ConfigError
from stork_node.pusher.app_settings import apps
from stork_node.pusher.apps import App, Apps, new_socket_id
from stork_node.pusher.opening import NotOpened, choose_app
from stork_node.pusher.settings import PusherSettings
from stork_node.pusher.webhooks.settings import AppWebhook
from tests.book import block

KEYS = [{"key": "key", "secret": "secret"}]
ONE = {"id": "1", "keys": KEYS}
HOOK = {"url": "https://a.example/hook"}


def test_an_app_has_defaults():
    [app] = apps([ONE])
    assert (app.id, app.secrets, app.version) == ("1", {"key": "secret"}, "pusher")
    assert (app.client_events, app.is_enabled) == (False, True)
    assert app.allows("https://any.example", "node.example", is_secure=False)


def test_an_app_names_origins_versions_and_client_events():
    [app] = apps(
        [
            ONE
            | {"version": "shop", "client_events": "members", "allowed_origins": ["https://a.example"], "shared": False}
        ]
    )
    assert (app.version, app.client_events) == ("shop", True)
    assert app.allows("https://a.example", "node.example", is_secure=False)
    assert not app.allows("https://b.example", "node.example", is_secure=False)


def test_an_app_may_share_topics_ask_count_and_have_webhooks():
    more = {"shared": True, "verify": "app", "subscription_count": True, "webhooks": [HOOK, {"url": ""}]}
    [app] = apps([ONE | more])
    assert (app.is_shared, app.asks_app, app.counts_subscriptions, app.meets_feeds) == (True, True, True, True)
    [webhook] = app.webhooks
    assert (webhook.url, webhook.timeout_s) == ("https://a.example/hook", 10.0)
    assert app.tells("channel_occupied")
    assert not App("1", {}, webhooks=(AppWebhook("https://a.example", ("cache_miss",)),)).tells("channel_occupied")
    assert not apps([ONE])[0].meets_feeds


def test_no_text_of_an_app_shows_its_secret():
    [app] = apps([ONE])
    assert "secret" not in repr(app).replace("secrets", "")


def test_the_apps_of_the_book_are_settings():
    settings = read(PusherSettings, json.loads(block("pusher apps")), {"SHOP_KEY": "k", "SHOP_SECRET": "s"})
    [app] = settings.apps
    assert (app.id, app.secrets, app.version, app.client_events) == ("1", {"k": "s"}, "shop", True)


def test_an_app_without_values_is_left_out():
    empty = {"id": "", "keys": [{"key": "", "secret": ""}], "client_events": ""}
    assert apps([empty]) == ()
    assert apps([]) == ()


def test_the_first_value_that_is_not_empty_counts():
    [app] = apps([{"id": ["", "7"], "keys": [{"key": ["", "k"], "secret": ["s", "t"]}]}])
    assert (app.id, app.secrets) == ("7", {"k": "s"})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            {},
            'apps: is not a list of apps (want [{"id": "1", "keys": [{"key": "${PUSHER_APP_KEY}", ',
        ),
        (
            [7],
            '[0]: is not an app (want [{"id": "1", "keys": [{"key": "${PUSHER_APP_KEY}", ',
        ),
        ([{"id": "1"}], '[0].keys: is not a list of keys (want [{"key": "…", "secret": "…"}])'),
        ([ONE | {"id": ""}], "[0].id: '' is not an id (want letters, digits, _ and -)"),
        ([ONE | {"id": "a/b"}], "[0].id: 'a/b' is not an id (want letters, digits, _ and -)"),
        ([ONE | {"id": 1}], "[0].id: is not a text"),
        ([ONE | {"name": "x"}], "[0].name: unknown setting, known are"),
        ([ONE | {"keys": [{"key": "k", "secret": ""}]}], "[0].keys[0].secret: is empty, and everybody could sign"),
        ([ONE | {"keys": [{"key": "", "secret": "s"}]}], "[0].keys[0].key: '' is not a key"),
        ([ONE | {"keys": KEYS * 2}], "[0].keys: a key is there twice"),
        ([ONE | {"keys": [KEYS[0] | {"x": 1}]}], "[0].keys[0].x: unknown setting, known are key, secret"),
        ([ONE | {"version": "a.b"}], "[0].version: 'a.b' cannot begin a topic (want pusher)"),
        ([ONE | {"client_events": "all"}], "[0].client_events: 'all' is not known (want \"members\" or false)"),
        ([ONE | {"allowed_origins": ["ws://a"]}], "[0].allowed_origins: 'ws://a' is the address of a WebSocket"),
        ([ONE | {"enabled": "no"}], "[0].enabled: 'no' is neither true nor false"),
        ([ONE | {"shared": "yes"}], "[0].shared: 'yes' is neither true nor false"),
        ([ONE | {"verify": True}], '[0].verify: True is not known (want "app", or leave it out)'),
        ([ONE | {"subscription_count": 1}], "[0].subscription_count: 1 is neither true nor false"),
        ([ONE | {"webhooks": "http://a.example/"}], "[0].webhooks: 'http://a.example/' is not a list (want […])"),
        ([ONE | {"webhooks": [{"url": "a"}]}], "[0].webhooks[0].url: 'a' is not an address (want https://"),
        ([ONE | {"webhooks": [HOOK | {"events": ["x"]}]}], "[0].webhooks[0].events: 'x' is not an event of webhooks"),
        ([ONE | {"webhooks": [HOOK | {"timeout_s": 0}]}], "[0].webhooks[0].timeout_s: 0 is not a time to wait"),
        ([ONE | {"webhooks": [HOOK, HOOK]}], "[0].webhooks: an address is there twice"),
        ([ONE | {"cache_s": -1}], "[0].cache_s: -1 is not a time in seconds, less than a day (want 1800)"),
        ([ONE | {"cache_s": True}], "[0].cache_s: True is not a time"),
        ([ONE, ONE | {"keys": [{"key": "k", "secret": "s"}], "version": "b"}], "[1].id: '1' is the id of another app"),
        (
            [ONE, {"id": "2", "keys": [{"key": "k", "secret": "s"}]}],
            "[1].version: 'pusher' is the version of another app",
        ),
        ([ONE, ONE | {"id": "2", "version": "b"}], "[1].keys: a key belongs to another app"),
    ],
)
def test_a_wrong_app_is_a_problem_with_its_place(value, problem):
    with pytest.raises(ConfigError) as caught:
        read(PusherSettings, {"apps": value}, os.environ)
    assert problem in str(caught.value)
    assert "secret'" not in str(caught.value)


APPS = Apps(apps([ONE, {"id": "2", "keys": [{"key": "off", "secret": "s"}], "version": "b", "enabled": False}]))


@pytest.mark.parametrize(
    "target",
    [
        "/app/key",
        "/app/key?protocol=7&client=js",
        "/app/key?protocol=5",
        "/app/key?protocol=6",
        "/app/key/",
        "/app/%6Bey",
    ],
)
def test_a_client_names_the_key_of_its_app(target):
    assert choose_app(APPS, target) is APPS.by_id("1")


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/app/nothing", 4001),
        ("/app/", 4001),
        ("/app", 4001),
        ("/app/KEY", 4001),
        ("/app/key/more", 4001),
        ("/application/key", 4001),
        ("/app/off", 4003),
        ("/app/key?protocol=x", 4006),
        ("/app/key?protocol=7.0", 4006),
        ("/app/key?protocol=4", 4007),
        ("/app/key?protocol=8", 4007),
        ("/app/key?protocol=7&protocol=99", 4007),
    ],
)
def test_a_client_that_is_not_served_gets_its_code(target, code):
    answer = choose_app(APPS, target)
    assert isinstance(answer, NotOpened)
    assert answer.code == code


def test_socket_ids_are_not_guessable_and_begin_with_their_number():
    made = [new_socket_id() for _ in range(1_000)]
    assert len({id for _, id in made}) == 1_000
    for number, id in made:
        assert re.fullmatch(r"\d+\.\d+", id)
        assert id.startswith(f"{number}.")
        assert 1 <= number < 2**53
