"""``jwt``, ``http`` and ``feeds`` in config.json: what is taken, and the sentence for what is not."""

import json
from dataclasses import dataclass

import pytest

from stork_node import AuthRequest, Deny, Principal, Stork
from stork_node.access.composing import Access, compose
from stork_node.access.declaring import declare
from stork_node.access.http_questions import connect_question, read_connect, read_subscribe, request_headers
from stork_node.access.settings import Feeds, HttpSettings, feeds_section, http_section
from stork_node.application.permission import Permission
from stork_node.config.cache_histories import share_cache_times
from stork_node.config.feed_histories import share_histories
from stork_node.config.settings import read, section, setting
from stork_node.errors import ConfigError, NoDecision
from stork_node.relay.history_settings import histories
from stork_node.testing import AppTester, Denied
from stork_node.tokens.claims import ClaimRules
from stork_node.tokens.settings import JwtSettings, TokenRules
from tests.tokens import SECRET, SigningKey, jwks


@dataclass(frozen=True)
class Extra:
    jwt: JwtSettings = setting(section(JwtSettings), JwtSettings())
    http: HttpSettings = setting(http_section, HttpSettings())
    feeds: Feeds = setting(feeds_section, ())


def settings(**extra):
    return read(Extra, extra, {"KEY": SECRET, "EMPTY": "", "SHORT": "hunter2"}, "extra")


def problems(**extra):
    with pytest.raises(ConfigError) as refused:
        settings(**extra)
    return str(refused.value).splitlines()


def compose_in(folder, app="app:stork", **extra):
    read_settings = settings(**extra)
    access = Access(app, read_settings.jwt, read_settings.http, read_settings.feeds)
    return compose(access, [str(folder)], "extra")


def compose_problems(folder, **extra):
    with pytest.raises(ConfigError) as refused:
        compose_in(folder, **extra)
    return str(refused.value).splitlines()


@pytest.mark.parametrize(
    ("jwt", "said"),
    [
        (7, "extra.jwt: 7 is not a group of settings (want {…})"),
        ({"keys": {}}, "extra.jwt.keys: {} is not a list (want […])"),
        ({"key": SECRET}, "extra.jwt.key: unknown setting, did you mean 'keys'?"),
        (
            {"keys": [{}]},
            "extra.jwt.keys[0]: is not one key (want an object with one of key, key_file, jwks_file, jwks_url)",
        ),
        (
            {"keys": [{"key": SECRET}, {"key": SECRET, "jwks_url": "https://a/b"}]},
            "extra.jwt.keys[1]: is not one key (want an object with one of key, key_file, jwks_file, jwks_url)",
        ),
        (
            {"keys": [{"key": "${SHORT}"}]},
            "extra.jwt.keys[0].key: an HS256 key of 7 bytes is too short (want 32 or more, such as base64: and the "
            "output of: openssl rand -base64 32)",
        ),
        (
            {"keys": [{"key": SECRET, "alg": "RS256"}]},
            "extra.jwt.keys[0].alg: RS256 does not fit this key, which is for HS256",
        ),
        (
            {"keys": [{"key": SECRET, "alg": "none"}]},
            "extra.jwt.keys[0].alg: 'none' is not an algorithm for tokens here (want one of HS256, RS256, ES256)",
        ),
        (
            {"keys": [{"jwks_url": "ftp://a/b"}]},
            "extra.jwt.keys[0].jwks_url: 'ftp://a/b' is not an address (want https://www.example.com/path)",
        ),
        (
            {"keys": [{"jwks_url": "https://a/b", "kid": "x"}]},
            "extra.jwt.keys[0].kid: belongs to a single key, and the keys of a set have their own",
        ),
        ({"audience": 7}, 'extra.jwt.audience: 7 is not an audience (want "stork", or a list of such)'),
        ({"leeway_s": "x"}, "extra.jwt.leeway_s: 'x' is not a time in seconds (want 5 or 0.5)"),
        ({"claims": {"topic": "a"}}, "extra.jwt.claims.topic: unknown setting, did you mean 'topics'?"),
        ({"claims": {"sub": ""}}, "extra.jwt.claims.sub: is empty, and must not be"),
    ],
)
def test_what_is_wrong_in_jwt_is_named_with_its_place(jwt, said):
    assert problems(jwt=jwt) == [said]


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ({"secret": "x"}, "extra.http: names no address (want connect, subscribe, or both)"),
        ("https://a", 'extra.http: \'https://a\' is not a group of settings (want {"connect": "https://…", '),
        ({"connect": "a/b"}, "extra.http.connect: 'a/b' is not an address (want https://www.example.com/path)"),
        ({"connect": "https://u:p@a/"}, "extra.http.connect: 'https://u:p@a/' is not an address"),
        ({"connect": "https://a:x/"}, "extra.http.connect: 'https://a:x/' is not an address"),
        ({"connect": "https://a/ b"}, "extra.http.connect: 'https://a/ b' is not an address"),
        ({"conect": "https://a/"}, "extra.http.conect: unknown setting, did you mean 'connect'?"),
        ({"connect": "https://a/", "timeout_s": 0}, "extra.http.timeout_s: 0 is not a time to wait for an answer"),
        ({"connect": "https://a/", "timeout_s": 61}, "extra.http.timeout_s: 61 is not a time to wait for an answer"),
        ({"connect": "https://a/", "secret": "a\nb"}, "extra.http.secret: has characters that a header cannot carry"),
        ({"connect": "https://a/", "secret": "ä"}, "extra.http.secret: has characters that a header cannot carry"),
        (
            {"connect": "https://a/", "forward_headers": ["Authorization"]},
            "extra.http.forward_headers: 'authorization' is not a header that can be forwarded",
        ),
        (
            {"connect": "https://a/", "forward_headers": ["a: b"]},
            "extra.http.forward_headers: 'a: b' is not a header that can be forwarded",
        ),
    ],
)
def test_what_is_wrong_in_http_is_named_with_its_place(http, said):
    [problem] = problems(http=http)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ([], 'extra.feeds: [] is not a group of feeds (want {"v1.orders": {"verify": "own"}})'),
        ({"orders": {"verify": "own"}}, 'extra.feeds["orders"]: is not a feed (want v1.orders)'),
        ({"v1.orders.": {"verify": "own"}}, 'extra.feeds["v1.orders."]: is not a feed (want v1.orders)'),
        ({"io.virge": {"verify": "own"}}, 'extra.feeds["io.virge"]: is not a feed (want v1.orders)'),
        ({"v1.a": "own"}, 'extra.feeds["v1.a"]: \'own\' is not a group of settings (want {"verify": "own"})'),
        (
            {"v1.a": {}},
            'extra.feeds["v1.a"].verify: is missing (want own, all, claim, http, or a verifier of app.py)',
        ),
        ({"v1.a": {"verfy": "own"}}, "extra.feeds[\"v1.a\"].verfy: unknown setting, did you mean 'verify'?"),
        (
            {"v1.a": {"verify": "all", "patterns": ["any"]}},
            'extra.feeds["v1.a"].patterns: [\'any\'] is not a list of patterns (want some of ["prefix", "wildcard"])',
        ),
        (
            {"v1.a": {"verify": "own", "patterns": ["prefix"]}},
            'extra.feeds["v1.a"].patterns: do not fit verify own: a pattern covers more than one id',
        ),
        (
            {"v1.a": {"verify": "all", "presence": 1}},
            'extra.feeds["v1.a"].presence: 1 is neither true nor false',
        ),
        (
            {"v1.a": {"verify": "all", "history": 5}},
            'extra.feeds["v1.a"].history: 5 is not a history (want {"seconds": 300, "bytes": 2097152}, or 0 for none)',
        ),
    ],
)
def test_what_is_wrong_in_feeds_is_named_with_its_place(feeds, said):
    assert problems(feeds=feeds) == [said]


def test_all_problems_come_at_once():
    assert len(problems(jwt={"keys": [{}, {"key": "x"}]}, http={"secret": "x"}, feeds={"a": 1, "v1.a": {}})) == 5


def test_a_key_whose_variable_is_not_set_is_no_key(tmp_path):
    (tmp_path / "app_without_keys.py").write_text("from stork_node import Stork\nstork = Stork()\n")
    assert compose_in(tmp_path, "app_without_keys:stork", jwt={"keys": [{"key": "${EMPTY:-}"}]}).rules() == {
        "jwt": None,
        "patterns": {},
        "presence": {},
        "presence_verified": [],
        "follows_presence": False,
        "feeds": None,
        "declared": [],
        "open": [],
    }


def test_rules_travel_to_the_guard(tmp_path):
    rsa, ec = SigningKey("RS256"), SigningKey("ES256", "e1")
    (tmp_path / "public.pem").write_text(rsa.pem)
    (tmp_path / "secret.txt").write_text(SECRET + "\n")
    (tmp_path / "keys.json").write_bytes(jwks(ec))
    keys = [
        {"key": "${KEY}", "kid": "k", "alg": "HS256"},
        {"key_file": "public.pem", "alg": "RS256"},
        {"key_file": str(tmp_path / "secret.txt")},
        {"jwks_file": "keys.json"},
        {"jwks_url": "https://a.example/keys"},
    ]
    jwt = {"keys": keys, "issuer": "me", "audience": "stork", "leeway_s": 5, "claims": {"topics": "channels"}}
    feeds = {"v1.a": {"verify": "all", "patterns": ["prefix"]}, "v1.b": {"verify": "claim"}}
    rules = json.loads(json.dumps(compose_in(tmp_path, jwt=jwt, feeds=feeds).rules()))
    assert rules["patterns"] == {"v1.a": ["prefix"]}
    assert (rules["declared"], rules["open"]) == (["v1.a", "v1.b"], ["v1.a"])
    tokens = TokenRules.from_wire(rules["jwt"])
    assert tokens.claims == ClaimRules("me", ("stork",), 5.0, "sub", "channels")
    assert [(key.alg, key.kid) for key in tokens.verifying_keys()] == [("HS256", "k"), ("RS256", None), ("HS256", None)]
    assert (tokens.jwks_files, tokens.jwks_urls) == ((str(tmp_path / "keys.json"),), ("https://a.example/keys",))
    assert SECRET not in repr(tokens)
    assert SECRET not in repr(settings(jwt=jwt))


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        (
            {"key_file": "none.pem"},
            None,
            "extra.jwt.keys[0].key_file: {}/none.pem cannot be read: No such file or directory",
        ),
        ({"jwks_file": "none.json"}, None, "extra.jwt.keys[0].jwks_file: {}/none.json cannot be read: No such file"),
        ({"key_file": "f"}, b"short", "extra.jwt.keys[0].key_file: an HS256 key of 5 bytes is too short"),
        ({"key_file": "f"}, b"\xff\xfe", "extra.jwt.keys[0].key_file: {}/f: 'utf-8' codec can't decode"),
        ({"jwks_file": "f"}, b"{}", "extra.jwt.keys[0].jwks_file: {}/f: not a JSON Web Key Set"),
    ],
)
def test_files_of_keys_that_are_wrong_are_named(tmp_path, key, content, said):
    if content is not None:
        (tmp_path / "f").write_bytes(content)
    [problem] = compose_problems(tmp_path, jwt={"keys": [key]})
    assert problem.startswith(said.format(tmp_path))


# -- together with app.py, and without ---------------------------------------------------------------------------------


def test_an_app_py_may_be_missing_if_something_else_decides(tmp_path):
    composed = compose_in(tmp_path, jwt={"keys": [{"key": "${KEY}"}]})
    assert composed.stork.declared.authenticator.title == "jwt"  # it refuses tickets that are no tokens
    assert compose_in(tmp_path, app="", feeds={"v1.a": {"verify": "all"}}).stork.declared.feeds
    with pytest.raises(ConfigError, match="no module 'app'"):
        compose_in(tmp_path)
    with pytest.raises(ConfigError, match="no module 'other'"):
        compose_in(tmp_path, app="other:stork", jwt={"keys": [{"key": "${KEY}"}]})


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        (
            {"v1.a": {"verify": "http"}},
            'extra.feeds["v1.a"].verify: http asks an address, and http.subscribe names none',
        ),
        (
            {"v1.a": {"verify": "members"}},
            "extra.feeds[\"v1.a\"].verify: 'members' is not a verifier (known are own, all, claim, http)",
        ),
    ],
)
def test_a_feed_cannot_ask_what_is_not_there(tmp_path, feeds, said):
    assert compose_problems(tmp_path, feeds=feeds) == [said]


def application(stork, **extra):
    read_settings = settings(**extra)
    declare(stork, read_settings.http, read_settings.feeds, "extra")
    if stork.declared.authenticator is None:
        stork.authenticator(lambda request: Principal(request.ticket, private={"groups": ["7"]}))
    return AppTester(stork)


def may(client, topic, match="exact"):
    try:
        client.subscribe(topic, match)
    except Denied:
        return False
    return True


def test_feeds_decide_as_their_verifier_says():
    stork = Stork()
    stork.verifier("members")(lambda session, topic: topic.feed_id in session.private["groups"])
    feeds = {
        "v1.user": {"verify": "own"},
        "v1.news": {"verify": "all", "patterns": ["prefix"]},
        "v1.claimed": {"verify": "claim"},
        "v1.group": {"verify": "members"},
    }
    with application(stork, feeds=feeds) as tester:
        ann = tester.join("ann")
        allowed = ["v1.user.ann", "v1.news.1", "v1.group.7"]
        assert [
            topic for topic in [*allowed, "v1.user.bob", "v1.claimed.1", "v1.group.8"] if may(ann, topic)
        ] == allowed
        assert may(ann, "v1.news.", "prefix")
        assert not may(ann, "v1.news.", "wildcard")
        assert not may(ann, "v1.user.", "prefix")


def test_an_authid_that_is_no_id_has_one_topic_of_its_own():
    with application(Stork(), feeds={"v1.user": {"verify": "own"}}) as tester:
        lee, sly = tester.join("ann.lee@example.com"), tester.join("ann~2Elee@example~2Ecom")
        assert may(lee, "v1.user.ann~2Elee@example~2Ecom")
        assert not may(sly, "v1.user.ann~2Elee@example~2Ecom")


def test_a_feed_of_app_py_and_config_json_asks_both():
    stork = Stork()
    stork.feed("v1", "user").verify(lambda session, topic: topic.feed_id != "bob")
    with application(stork, feeds={"v1.user": {"verify": "own"}}) as tester:
        assert may(tester.join("ann"), "v1.user.ann")
        assert not may(tester.join("ann"), "v1.user.bob")
        assert not may(tester.join("bob"), "v1.user.bob")


def test_the_history_of_a_feed_reaches_the_relay_which_may_have_its_own():
    relay = {"classname": "stork_components.relay.Relay", "extra": {"history": {"v1.b": 0}}}
    feeds = {"v1.a": {"history": 0}, "v1.b": {"history": {"seconds": 9}}, "v1.c": {}, "v1.d": 7}
    workers = [{"components": [relay]}, {"components": [{"classname": "other", "extra": {"feeds": feeds}}]}, {}]
    share_histories(workers)
    assert relay["extra"]["history"] == {"v1.a": 0, "v1.b": 0}


# -- http --------------------------------------------------------------------------------------------------------------


def test_the_question_about_a_ticket():
    request = AuthRequest(ticket="t", authid=None, headers={"Cookie": "a=1", "X-B": "ü"}, address="10.0.0.1")
    assert json.loads(connect_question(request)) == {
        "ticket": "t",
        "authid": None,
        "realm": "realm1",
        "headers": {"cookie": "a=1", "x-b": "ü"},
        "cookies": {"a": "1"},
        "address": "10.0.0.1",
    }
    assert request_headers("s", ("cookie", "x-c"), request.headers) == {
        "cookie": "a=1",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Authorization": "Bearer s",
    }


@pytest.mark.parametrize(
    ("status", "body", "decision"),
    [
        (200, {"authid": "ann"}, Principal("ann")),
        (200, {"authid": 7, "extra": {"a": 1}, "private": {"b": 2}}, Principal("7", extra={"a": 1}, private={"b": 2})),
        (200, {"authid": "a", "expires_at": 5, "topics": ["v1.a.*"]}, Principal("a", expires_at=5, topics=["v1.a.*"])),
        (200, {"authid": "a", "extra": [], "private": None}, Principal("a")),
        (200, {"authid": "a", "role": "backend"}, Principal("a")),
        (403, {}, Deny("403: the ticket was refused")),
        (401, {}, Deny("401: the ticket has expired", retry=True)),
    ],
)
def test_answers_about_a_ticket(status, body, decision):
    assert read_connect(status, "", json.dumps(body).encode()) == decision


@pytest.mark.parametrize(
    ("status", "body", "permission"),
    [
        (200, b'{"allow": true}', Permission(True, 7.0)),
        (200, b'{"allow": true, "cache_s": 60}', Permission(True, 60.0)),
        (200, b'{"allow": false, "cache_s": 0}', Permission(False, 0.0, "200: allow is false")),
        (403, b"", Permission(False, 0.0, "403: the subscription was refused")),
        (401, b"", Permission(False, 0.0, "401: the subscription was refused")),
    ],
)
def test_answers_about_a_subscription(status, body, permission):
    assert read_subscribe(status, "", body, 7.0) == permission


@pytest.mark.parametrize(
    ("status", "location", "body", "said"),
    [
        (302, "/login", b"", "302 to /login: use a route without session and CSRF"),
        (301, "https://a/", b"", "301 to https://a/: use the final address, for redirects are not followed"),
        (404, "", b"", "404: no such route"),
        (405, "", b"", "405: the route takes no POST"),
        (419, "", b"", "419: use a route without session and CSRF"),
        (429, "", b"", "429: the route limits the rate of requests"),
        (500, "", b'{"allow": true, "authid": "a"}', "500"),
        (503, "", b"", "503"),
        (204, "", b"", "204"),
        (400, "", b"", "400"),
        (200, "", b"", "200 with a body that is not JSON"),
        (200, "", b"\xff", "200 with a body that is not JSON"),
        (200, "", b"[" * 60_000, "200 with a body that is not JSON"),
        (200, "", b"[]", "200 with JSON that is not an object"),
        (200, "", b"{}" + b" " * 65_536, "200 with more than 64 KiB"),
        (200, "", b"{}", "200 with a document that is no answer: "),
        (200, "", b'{"authid": "", "allow": 1}', "200 with a document that is no answer: "),
        (200, "", b'{"authid": 1.5, "allow": "yes"}', "200 with a document that is no answer: "),
        (200, "", b'{"authid": "a", "extra": 7, "allow": null}', "200 with a document that is no answer: "),
        (200, "", b'{"authid": "a", "topics": [7], "allow": true, "cache_s": "x"}', "200 with a document that is"),
        (200, "", b'{"authid": "a", "expires_at": "x", "allow": true, "cache_s": NaN}', "200 with a document that is"),
    ],
)
def test_everything_else_is_no_decision_and_the_log_says_what_came(status, location, body, said):
    for read_answer in (read_connect, lambda *answer: read_subscribe(*answer, 0.0)):
        with pytest.raises(NoDecision) as nothing:
            read_answer(status, location, body)
        assert str(nothing.value).startswith(said)


def test_cache_channels_of_each_app_are_kept_for_its_time():
    keys = [{"key": "k", "secret": "${SECRET}"}]
    apps = [{"id": "1", "keys": keys, "cache_s": 60}, {"id": ["", "${ID:-}"], "keys": [{"key": "", "secret": ""}]}]
    workers = [
        {
            "components": [
                {"classname": "stork_components.relay.Relay", "extra": {"history": {"pusher.cache-*": 0}}},
                {"classname": "stork_components.pusher.Pusher", "extra": {"apps": apps}},
            ]
        }
    ]
    share_cache_times(workers, {"SECRET": "s"})
    prefixes = ("private-encrypted-cache-", "private-cache-", "presence-cache-")
    own = {"pusher.cache-*": 0}
    kept = workers[0]["components"][0]["extra"]
    assert kept["history"] == {f"pusher.{prefix}*": {"seconds": 60} for prefix in prefixes} | own
    histories(kept["history"])
    for unusable in ("x", [5], [{"id": "1"}]):
        workers[0]["components"][0]["extra"] = {}
        workers[0]["components"][1]["extra"] = {"apps": unusable}
        share_cache_times(workers, {})
        assert workers[0]["components"][0]["extra"] == {}


def test_a_ticket_that_may_name_any_topic_leaves_the_feeds_open(tmp_path):
    feeds = {"v1.a": {"verify": "own"}}
    (tmp_path / "app_with_feeds.py").write_text(
        "from stork_node import Stork\nstork = Stork()\nstork.feed('v1', 'b')\n"
    )
    jwt, http = {"keys": [{"key": SECRET}]}, {"connect": "http://127.0.0.1:1/connect"}
    assert compose_in(tmp_path, "app_with_feeds:stork", feeds=feeds).rules()["feeds"] == ["v1.b", "v1.a"]
    assert compose_in(tmp_path, "app_with_feeds:stork", feeds=feeds, jwt=jwt).rules()["feeds"] is None
    assert compose_in(tmp_path, "app_with_feeds:stork", feeds=feeds, http=http).rules()["feeds"] is None
