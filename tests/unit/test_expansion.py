import pytest

from stork_node.config.expansion import expand
from stork_node.errors import Problem

ENVIRON = {
    "HOST": "push.example",
    "PORTNUMBER": "8080",
    "EMPTY": "",
    "YES": "true",
    "ZEROS": "007",
    "BRACES": "${HOST}",
}


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("plain", "plain"),
        ("tcp://${HOST}:5556", "tcp://push.example:5556"),
        ("${NOBODY:-127.0.0.1}", "127.0.0.1"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY}", ""),
        ("${NOBODY:-}", ""),
        ("$${HOST}", "${HOST}"),
        ("${BRACES}", "${HOST}"),
        ("$HOST", "$HOST"),
        ({"a": ["${HOST}", {"b": "${PORTNUMBER}"}]}, {"a": ["push.example", {"b": "8080"}]}),
        (17, 17),
        (None, None),
    ],
)
def test_references_are_replaced_at_any_depth(value, expanded):
    problems: list[Problem] = []
    assert expand(value, ENVIRON, "x", problems) == expanded
    assert problems == []


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("${PORTNUMBER}", 8080),
        ("${NOBODY:-8081}", 8081),
        ("${YES}", True),
        ("${ZEROS}", "007"),
        ("port ${PORTNUMBER}", "port 8080"),
        ("8080", "8080"),
    ],
)
def test_a_value_that_is_one_reference_gets_its_json_type(value, expanded):
    assert expand(value, ENVIRON, "x", [], typed=True) == expanded


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("${NOBODY}", "a[0].b: the environment variable NOBODY is not set (and there is no ${NOBODY:-default})"),
        ("${1X}", "a[0].b: '${1X}' has a '${' that is not ${NAME} or ${NAME:-default}"),
        ("${", "a[0].b: '${' has a '${' that is not ${NAME} or ${NAME:-default}"),
    ],
)
def test_each_unresolved_reference_is_a_problem_with_its_path(value, problem):
    problems: list[Problem] = []
    expand({"a": [{"b": value}]}, ENVIRON, "", problems)
    assert [str(each) for each in problems] == [problem]
