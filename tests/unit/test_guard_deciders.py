import pytest

from stork_node.guard.deciders import JOINS, SUBSCRIPTIONS, Deciders, decisions

APP, APP_TOPICS = "io.virge.stork.app.auth", "io.virge.stork.app.topic_auth"
PHP, PHP_TOPICS = "io.virge.stork.auth", "io.virge.stork.topic_auth"


@pytest.mark.parametrize(
    ("value", "read"),
    [("", ()), ([], ()), ("joins", (JOINS,)), ("joins, subscriptions", (JOINS, SUBSCRIPTIONS)), (["joins"], (JOINS,))],
)
def test_the_setting_is_a_list_or_a_text(value, read):
    assert decisions(value) == read


@pytest.mark.parametrize("value", ["calls", ["joins", "topics"], 7, [""]])
def test_a_wrong_setting_is_refused(value):
    with pytest.raises(ValueError, match="want"):
        decisions(value)


@pytest.mark.parametrize(
    ("by_backends", "registered", "missing"),
    [
        ((), {APP, APP_TOPICS}, ()),
        ((), {PHP, PHP_TOPICS}, ()),
        ((), set(), (APP, APP_TOPICS)),
        ((), {APP_TOPICS}, (PHP,)),
        ((), {APP_TOPICS, PHP}, ()),
        ((JOINS,), {APP, APP_TOPICS}, (PHP,)),
        ((JOINS,), {APP_TOPICS, PHP}, ()),
        ((JOINS, SUBSCRIPTIONS), {APP, APP_TOPICS, PHP}, (PHP_TOPICS,)),
        ((JOINS, SUBSCRIPTIONS), {PHP, PHP_TOPICS}, ()),
        ((JOINS, SUBSCRIPTIONS), set(), (PHP, PHP_TOPICS)),
    ],
)
def test_the_node_says_who_is_missing(by_backends, registered, missing):
    assert Deciders(by_backends, registered.__contains__).missing() == missing


def test_the_application_is_not_asked_about_what_backends_decide():
    deciders = Deciders((JOINS,), {APP, APP_TOPICS}.__contains__)
    assert (deciders.application(JOINS), deciders.application(SUBSCRIPTIONS)) == ("", APP_TOPICS)
    assert (deciders.is_by_backend(JOINS), deciders.is_by_backend(SUBSCRIPTIONS)) == (True, False)
