import json
import os
import pty
import termios
import threading
import tty

import pytest

from stork_node.logs.log_writer import WAITING_LINES, Allowance, LogWriter


def render(level, text, logger, fields):
    return f"{level} {text}\n"


class Pipe:
    """A pipe whose reader can be slow, or gone."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        self.read = b""

    def read_until(self, text):
        while text not in self.read:
            self.read += os.read(self.reader, 65_536)
        return self.read.decode().splitlines()


@pytest.fixture
def pipe():
    return Pipe()


@pytest.fixture
def writer(pipe):
    return LogWriter(pipe.writer, render, Allowance(1_000_000, 1_000_000))


def test_lines_come_in_their_order(pipe, writer):
    for n in range(100):
        writer.write("info", f"line {n}", "x")
    writer.flush()
    assert pipe.read_until(b"line 99") == [f"info line {n}" for n in range(100)]


def test_a_reader_that_does_not_read_costs_lines_which_are_counted(pipe, writer):
    long, sent = "x" * 1_000, 5_000
    for n in range(sent):
        writer.write("info", f"{n} {long}", "x")
    lines = pipe.read_until(b"since nobody read the log")
    [dropped] = [line for line in lines if "dropped" in line]
    number = int(dropped.split()[1].replace(",", ""))
    assert dropped == f"warn {number:,} lines were dropped, since nobody read the log"
    # All others come, in their order.
    writer.write("info", "the end", "x")
    lines = pipe.read_until(b"the end")
    kept = [int(line.split()[1]) for line in lines if long in line]
    assert kept == sorted(kept)
    assert len(kept) + number == sent
    assert number >= sent - WAITING_LINES - 100


def test_a_reader_that_is_gone_is_nobodys_concern(pipe, writer):
    os.close(pipe.reader)
    for n in range(3 * WAITING_LINES):
        writer.write("info", f"line {n}", "x")
    writer.flush()


@pytest.mark.parametrize("closed", [True, False])
def test_a_descriptor_that_cannot_be_written_to_raises_nothing(closed):
    descriptor = os.open(os.devnull if closed else "/dev/full", os.O_WRONLY)
    if closed:
        os.close(descriptor)
    writer = LogWriter(descriptor, render)
    writer.write("info", "line", "x")
    writer.flush()


def test_a_descriptor_that_does_not_block_is_waited_for(pipe, writer):
    os.set_blocking(pipe.writer, False)
    for n in range(500):
        writer.write("info", f"line {n} {'x' * 1_000}", "x")
    assert len(pipe.read_until(b"line 499")) >= 499


def test_a_terminal_on_hold_gets_its_lines_when_it_goes_on():
    terminal, descriptor = pty.openpty()
    tty.setraw(descriptor)
    termios.tcflow(descriptor, termios.TCOOFF)
    writer = LogWriter(descriptor, render)
    for n in range(100):
        writer.write("info", f"line {n}", "x")
    termios.tcflow(descriptor, termios.TCOON)
    read = b""
    while b"line 99" not in read:
        read += os.read(terminal, 65_536)
    assert read.decode().splitlines() == [f"info line {n}" for n in range(100)]


def test_lines_that_come_too_fast_are_left_out_and_counted(pipe):
    writer = LogWriter(pipe.writer, render, Allowance(10, 0.001))
    for n in range(100):
        writer.write("info", f"line {n}", "x")
    lines = pipe.read_until(b"left out")
    assert [line for line in lines if "line " in line and "left" not in line] == [f"info line {n}" for n in range(10)]
    assert not writer.has_room


def test_lines_of_a_kind_are_counted(pipe):
    now = [0.0]
    writer = LogWriter(pipe.writer, render, clock=lambda: now[0])
    for _ in range(100):
        writer.write("warn", "refused", "x", about="refused")
    now[0] = 10.0
    writer.write("info", "another", "x")
    lines = pipe.read_until(b"99 more")
    assert sorted(lines) == ["info another", "warn 99 more in 10 s, the latest: refused", "warn refused"]


def test_a_forked_child_writes_as_well(pipe, writer):
    writer.write("info", "of the parent", "x")
    pipe.read_until(b"of the parent")
    child = os.fork()
    if child == 0:
        writer.write("info", "of the child", "x")
        writer.flush()
        os._exit(0)
    pipe.read_until(b"of the child")
    os.waitpid(child, 0)


def test_many_threads_write_whole_lines(pipe, writer):
    def say(name):
        for n in range(200):
            writer.write("info", json.dumps([name, n]), "x")

    threads = [threading.Thread(target=say, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.write("info", "the end", "x")
    lines = pipe.read_until(b"the end")
    assert len({line for line in lines if "[" in line}) == 800
