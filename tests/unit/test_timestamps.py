import pytest

from stork_node.protocol.timestamps import format_timestamp, is_timestamp


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T12:00:00.123456789+14:00",
        "2026-01-31t12:00:00z",
        "1990-12-31T23:59:60Z",
        "2024-02-29T00:00:00-00:00",
        "0000-02-29T00:00:00Z",
    ],
)
def test_rfc_3339_is_accepted(text):
    assert is_timestamp(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+0100",
        "2026-01-31T12:00:00+24:00",
        "2026-02-29T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-01-00T12:00:00Z",
        "26-01-31T12:00:00Z",
        "٢٠٢٦-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z\n",
    ],
)
def test_anything_else_is_not(text):
    assert not is_timestamp(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1769860800, "2026-01-31T12:00:00.000Z"),
        (1769860800.9996, "2026-01-31T12:00:00.999Z"),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds(seconds, text):
    assert format_timestamp(seconds) == text
    assert is_timestamp(text)
