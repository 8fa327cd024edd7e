import pytest

from stork_node.application.permission import Permission
from stork_node.application.values import Deny, Principal
from stork_node.errors import InvalidAnswer
from stork_node.guard.answers import read_backend_permission, read_backend_ticket_answer, read_ticket_answer

ROLES = ("frontend", "editor")


def test_an_admission_carries_what_the_application_said():
    answer = {
        "allow": True,
        "authid": "joe",
        "role": "editor",
        "extra": {"name": "Joe"},
        "private": {"groups": [1]},
        "expires_at": 2000.0,
    }
    assert read_ticket_answer(answer, ROLES, now=1000.0) == Principal(
        "joe", "editor", {"name": "Joe"}, {"groups": [1]}, 2000.0
    )


def test_a_principal_that_has_expired_may_come_back_with_a_new_ticket():
    answer = {"allow": True, "authid": "joe", "role": "frontend", "expires_at": 1000.0}
    assert read_ticket_answer(answer, ROLES, now=1000.0) == Deny("the principal's expires_at has passed", retry=True)


@pytest.mark.parametrize(
    ("answer", "denial"),
    [
        ({"allow": False, "reason": "unknown ticket", "retry": False}, Deny("unknown ticket")),
        ({"allow": False, "reason": "expired", "retry": True}, Deny("expired", retry=True)),
        ({"allow": False}, Deny("")),
    ],
)
def test_a_denial_says_whether_a_new_ticket_may_help(answer, denial):
    assert read_ticket_answer(answer, ROLES, now=0.0) == denial


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        "frontend",
        {},
        {"allow": 1, "authid": "joe", "role": "frontend"},
        {"allow": True, "role": "frontend"},
        {"allow": True, "authid": "", "role": "frontend"},
        {"allow": True, "authid": True, "role": "frontend"},
        {"allow": True, "authid": "joe"},
        {"allow": True, "authid": "joe", "role": "backend"},
        {"allow": True, "authid": "joe", "role": "frontend", "expires_at": "tomorrow"},
        {"allow": True, "authid": "joe", "role": "frontend", "extra": [1]},
    ],
)
def test_any_other_answer_to_a_ticket_is_nonsense(answer):
    with pytest.raises(InvalidAnswer):
        read_ticket_answer(answer, ROLES, now=0.0)


@pytest.mark.parametrize("answer", [[], {}, None, False])
def test_an_empty_answer_of_a_backend_is_a_refusal(answer):
    assert read_backend_ticket_answer(answer, ROLES) == Deny("the backend refused the ticket")


@pytest.mark.parametrize(
    ("answer", "admission"),
    [
        ({"role": "frontend", "authid": "17"}, Principal("17", "frontend")),
        ({"authid": 17}, Principal("17", "frontend")),
        ({"role": "editor", "authid": "a", "realm": "another"}, Principal("a", "editor")),
    ],
)
def test_a_backend_admits_by_role_and_authid_and_its_realm_is_ignored(answer, admission):
    assert read_backend_ticket_answer(answer, ROLES) == admission


@pytest.mark.parametrize("answer", [True, "frontend", [1], {"role": "frontend"}, {"role": "backend", "authid": "1"}])
def test_a_backends_answer_with_no_authid_or_another_role_is_refused(answer):
    with pytest.raises(InvalidAnswer):
        read_backend_ticket_answer(answer, ROLES)


def test_verdicts_carry_their_time_and_reason():
    assert Permission.from_wire({"allow": True, "cache_s": 60}) == Permission(True, 60.0)
    assert Permission.from_wire({"allow": False, "reason": "no such feed"}) == Permission(False, 0.0, "no such feed")


@pytest.mark.parametrize("answer", [None, True, {}, {"allow": "yes"}, {"allow": True, "cache_s": -1}, {"allow": None}])
def test_any_other_verdict_is_nonsense(answer):
    with pytest.raises(InvalidAnswer):
        Permission.from_wire(answer)


def test_a_backend_answers_true_or_something_empty():
    assert read_backend_permission(True) == Permission(True)
    for answer in (False, None, [], {}):
        assert not read_backend_permission(answer).allow


@pytest.mark.parametrize("answer", [1, "true", {"allow": True}, [True]])
def test_anything_else_of_a_backend_is_nonsense(answer):
    with pytest.raises(InvalidAnswer):
        read_backend_permission(answer)
