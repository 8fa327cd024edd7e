"""The hosts that the operator's port answers to."""

import pytest

from stork_node.http.hosts import is_known, names


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "localhost:8081",
        "LOCALHOST:8081",
        "localhost.:8081",
        "stork.localhost",
        "127.0.0.1:8081",
        "127.0.0.2",
        "[::1]:8081",
        "10.1.2.3:8081",
        "[fd00::1]",
        "stork.internal:8081",
        "Stork.Internal",
    ],
)
def test_a_loopback_name_an_address_and_a_named_host_are_known(header):
    assert is_known(header, {"stork.internal"})


@pytest.mark.parametrize(
    "header",
    [
        "",
        ":8081",
        "evil.example",
        "evil.example:8081",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "stork.internal.evil.example",
        "127.0.0.1@evil.example",
        "[evil.example]",
        "[::1].evil.example",
        "a:b:c",
    ],
)
def test_any_other_name_is_not(header):
    assert not is_known(header, {"stork.internal"})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("", ()),
        ([], ()),
        ("Stork.internal, node", ("stork.internal", "node")),
        (["a", "b"], ("a", "b")),
        ("10.0.0.1 [::1]", ("10.0.0.1", "[::1]")),
    ],
)
def test_names_are_a_list_or_have_commas(value, read):
    assert names(value) == read


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            "http://stork.internal",
            "'http://stork.internal' is not the name of a host (want stork.internal, without a scheme and a port)",
        ),
        ("a:8081", "'a:8081' is not the name of a host (want stork.internal, without a scheme and a port)"),
        ([7], "7 is not the name of a host (want stork.internal, without a scheme and a port)"),
        (7, '7 is not a list of hosts (want ["stork.internal"])'),
    ],
)
def test_what_is_no_name_is_said(value, problem):
    with pytest.raises(ValueError, match="is not") as caught:
        names(value)
    assert str(caught.value) == problem
