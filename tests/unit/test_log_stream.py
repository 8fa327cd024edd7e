import pytest

from stork_node.logs.log_stream import LogStream


@pytest.fixture
def lines():
    return []


@pytest.fixture
def stream(lines):
    return LogStream(lines.append)


def test_lines_are_handed_on_when_they_are_whole(stream, lines):
    print("one", file=stream)
    stream.write("tw")
    assert lines == ["one"]
    stream.write("o\nthree\n\n  \nfour")
    assert lines == ["one", "two", "three"]


def test_of_a_line_without_an_end_the_beginning_is_kept(stream, lines):
    for _ in range(1_000):
        stream.write("x" * 100_000)
    stream.write("\nnext\n")
    assert lines == ["x" * 16_384 + " … and 99,983,616 characters", "next"]


def test_only_text_can_be_written(stream):
    with pytest.raises(TypeError):
        stream.write(b"bytes")
