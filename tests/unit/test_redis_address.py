import pytest

from stork_node.engines.redis.address import RedisAddress
from stork_node.transport.endpoints import parse_endpoints


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://h", RedisAddress((("h", 6379),))),
        ("redis://[::1]:7000/2?prefix=shop", RedisAddress((("::1", 7000),), db=2, prefix="shop")),
        ("rediss://u:p%40ss@h", RedisAddress((("h", 6379),), username="u", password="p@ss", tls=True)),
        ("redis://:p@h", RedisAddress((("h", 6379),), password="p")),
        (
            "redis+sentinel://a,b:1,[::1]/mymaster/3",
            RedisAddress((("a", 26379), ("b", 1), ("::1", 26379)), master="mymaster", db=3),
        ),
    ],
)
def test_an_engine_is_read(url, wanted):
    assert RedisAddress.parse(url) == wanted


@pytest.mark.parametrize(
    "url",
    [
        "h",
        "http://h",
        "redis:h",
        "redis://",
        "redis://h:0",
        "redis://h:70000",
        "redis://a,b",
        "redis://h/x",
        "redis://h/1/2",
        "redis://h?prefix=",
        "redis://h?prefix={a}",
        "redis://h?wait=1",
        "redis://h#x",
        "redis+sentinel://a,b",
        "redis+sentinel:///m",
        "redis://h o",
    ],
)
def test_what_is_no_engine_is_told_in_a_sentence(url):
    with pytest.raises(ValueError, match=r"is not an engine.*want redis://HOST:6379"):
        RedisAddress.parse(url)


def test_no_sentence_has_the_password():
    for url in ("redis://:secret@h o", "http://u:secret@h", "redis+sentinel://:secret@h?sentinel_password=secret"):
        with pytest.raises(ValueError, match="is not an engine") as raised:
            RedisAddress.parse(url)
        assert "secret" not in str(raised.value)
    assert "secret" not in repr(RedisAddress.parse("redis://:secret@h"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tcp://a:5557", ("tcp://a:5557",)),
        ("tcp://a,b,c:5557", ("tcp://a:5557", "tcp://b:5557", "tcp://c:5557")),
        ("tcp://a:1,tcp://b:2", ("tcp://a:1", "tcp://b:2")),
        ("tcp://127.0.0.1, a:5557", ("tcp://127.0.0.1:5557", "tcp://a:5557")),
        ("tcp://a,a:5557", ("tcp://a:5557",)),
    ],
)
def test_several_endpoints_have_commas(text, wanted):
    assert parse_endpoints(text) == wanted


@pytest.mark.parametrize("text", ["tcp://a,b", "a,:1", "tcp://a,,b:1", "", ","])
def test_what_is_no_list_of_endpoints_is_refused(text):
    with pytest.raises(ValueError, match="is not a"):
        parse_endpoints(text)
