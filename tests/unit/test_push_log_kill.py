"""Another process that writes: killed with ``kill -9``, and looked at while it runs."""

import random
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stork_node.push_log import SegmentLog
from stork_node.push_log.inspection import read_info, read_records, verify
from tests.unit.push_log_tools import kill, read_all

# Writes batches for ever, and says after each append which frames are stored.
WRITER = """
import sys, time, zlib
from pathlib import Path
from stork_node.push_log import SegmentLog
from tests.unit.push_log_tools import push
log = SegmentLog(Path(sys.argv[1]), sync=sys.argv[2], segment_bytes=int(sys.argv[3]), retention_bytes=int(sys.argv[4]))
print(log.tail, flush=True)
number = 0
while True:
    size = number % 97 + 1
    entries = log.append([push(number + i, id=f"{log.tail.sequence}-{i}") for i in range(size)])
    number += size
    sys.stdout.write("".join(f"{e.position.sequence} {zlib.crc32(e.frame)}\\n" for e in entries))
    sys.stdout.flush()
    log.tick(time.monotonic())
"""
ROOT = Path(__file__).parents[2]


@contextmanager
def writing(
    folder: Path, sync: str, segment_bytes: int, retention_bytes: int = 1 << 40
) -> "Iterator[subprocess.Popen[str]]":
    arguments = [sys.executable, "-c", WRITER, *map(str, (folder, sync, segment_bytes, retention_bytes))]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def write_until_killed(folder: Path, sync: str, segment_bytes: int, lines: int) -> tuple[str, dict[int, int]]:
    """Run the writer, and kill it soon after it said so many lines; returns the tail it met, and what it said."""
    with writing(folder, sync, segment_bytes) as process:
        assert process.stdout
        tail = process.stdout.readline().strip()
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    whole = [line.split() for line in said if line.endswith("\n")]
    return tail, {int(sequence): int(checksum) for sequence, checksum in whole}


@pytest.mark.parametrize(("sync", "segment_bytes"), [("second", 64 << 20), ("always", 30_000), ("never", 1)])
def test_no_stored_push_is_lost_when_the_process_is_killed(tmp_path, sync, segment_bytes):
    random_source = random.Random(1)
    stored: dict[int, int] = {}
    epochs = set()
    for _ in range(6):
        met, said = write_until_killed(tmp_path, sync, segment_bytes, random_source.randrange(3000))
        stored |= said
        log = SegmentLog(tmp_path, sync=sync)
        found = {number: zlib.crc32(frame or b"") for number, frame in enumerate(read_all(log), 1)}
        assert stored.items() <= found.items()
        assert log.tail.sequence == len(found) >= max(stored, default=0)
        ids = {id: position.sequence for _, pairs in log.recent_ids() for id, position in pairs}
        assert sorted(ids.values()) == list(found)
        epochs |= {met.split(":")[0], log.tail.epoch}
        random_source.choice([log.close, lambda log=log: kill(log)])()
        stored = found
    assert len(epochs) == 1
    assert len(stored) > 1000
    shutil.rmtree(tmp_path)


def test_inspecting_a_log_that_grows_and_loses_segments_finds_no_damage(tmp_path):
    with writing(tmp_path, "never", 40_000, 200_000) as process:
        assert process.stdout
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        floors = set()
        while len(floors) < 3:
            if not tmp_path.exists() or not list(tmp_path.glob("*.segment")):
                continue
            info = read_info(tmp_path)
            floors.add(info.floor)
            assert [checked for checked in verify(tmp_path) if checked.problem] == []
            numbers = [position.sequence for position, _ in read_records(tmp_path)]
            assert numbers == sorted(numbers)
            assert not numbers or numbers[-1] >= info.pushes
        assert process.poll() is None
    reader.join()
