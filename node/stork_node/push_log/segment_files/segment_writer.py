"""Writing a segment: each batch whole or not at all, also where writing or forcing it to disk fails."""

import errno
import os
import zlib
from contextlib import suppress
from pathlib import Path

from stork_node.push_log.files import open_private, sync_folder
from stork_node.push_log.segment_files.background_sync import BackgroundSync
from stork_node.push_log.segment_files.headers import Header, encode_header
from stork_node.push_log.segment_files.records import Seal, encode_seal
from stork_node.push_log.segment_files.segments import Segment, segment_path


class SegmentWriter:
    """
    The one who writes a segment that has no seal yet. Every method may raise ``OSError``, and may be called again then.

    Args:
        segment: complete: nothing is in the file after ``segment.size``.
        checksum: CRC-32 of the file.
        sync_each: whether ``append`` waits until its batch is on disk.
    """

    def __init__(self, segment: Segment, fd: int, checksum: int, sync_each: bool) -> None:
        self.segment = segment
        self._fd, self._checksum, self._sync_each = fd, checksum, sync_each
        self._synced, self._synced_checksum = segment.header_bytes, zlib.crc32(os.pread(fd, segment.header_bytes, 0))
        self._is_torn = False  # bytes may be in the file after segment.size
        self._is_doubtful = False  # what is not synced may not reach the disk by itself any more
        self._syncing: BackgroundSync | None = None

    @property
    def is_synced(self) -> bool:
        """Whether all of it is on disk."""
        return self._synced == self.segment.size

    def append(self, batch: bytes, last: int, time_ms: int) -> None:
        """Write a batch of records, whole or not at all: pushes up to sequence ``last``, at ``time_ms``."""
        self.repair()
        try:
            self._write(batch, self.segment.size)
            if self._sync_each:
                os.fdatasync(self._fd)
        except OSError:
            self._is_torn = True
            with suppress(OSError):
                self.repair()
            raise
        self._checksum = zlib.crc32(batch, self._checksum)
        self.segment.add(last, time_ms, self.segment.size + len(batch))
        if self._sync_each:
            self._synced, self._synced_checksum = self.segment.size, self._checksum

    def sync(self) -> None:
        """Force what is written to disk."""
        self._end_sync()
        self.sync_behind()
        self._end_sync()

    def sync_behind(self) -> None:
        """Begin to force to disk what is written, unless a slow disk is still at what was written before."""
        if self._syncing and self._syncing.is_done:
            self._end_sync()
        if not (self._syncing or self.is_synced):
            self.repair()
            self._syncing = BackgroundSync(self._fd, self.segment.size, self._checksum)
            if self._syncing.is_done:
                self._end_sync()

    def _end_sync(self) -> None:
        """Take what came of the sync that runs."""
        syncing, self._syncing = self._syncing, None
        if not syncing:
            return
        try:
            syncing.wait()
        except OSError:
            self._is_doubtful = True
            raise
        self._synced, self._synced_checksum = syncing.size, syncing.checksum

    def seal(self, closed: bool) -> None:
        """End the segment, and force it to disk; ``closed``: the log ends with it. Then only ``close`` is left."""
        segment = self.segment
        with suppress(OSError):
            self._end_sync()
        self.repair()
        seal = Seal(closed, segment.last, segment.newest_ms, self._checksum)
        record = encode_seal(seal)
        try:
            self._write(record, segment.size)
            os.fdatasync(self._fd)
        except OSError:
            self._is_torn = self._is_doubtful = True
            with suppress(OSError):
                self.repair()
            raise
        segment.seal = seal
        segment.size += len(record)

    def repair(self) -> None:
        """Remove what a failed write left, and write again what a failed sync did not bring to disk."""
        if self._is_torn:
            os.ftruncate(self._fd, self.segment.size)
            self._is_torn = False
        if self._is_doubtful:
            # Linux takes pages for clean once it has failed to write them; writing them again makes them dirty.
            data = os.pread(self._fd, self.segment.size - self._synced, self._synced)
            if zlib.crc32(data, self._synced_checksum) != self._checksum:
                raise OSError(errno.EIO, "what was written cannot be read back")
            self._write(data, self._synced)
            os.fdatasync(self._fd)
            self._is_doubtful = False
            self._synced, self._synced_checksum = self.segment.size, self._checksum

    def is_there(self) -> bool:
        """Whether the file of this name is still the one that is written."""
        try:
            return os.path.samestat(os.stat(self.segment.path), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file as it is."""
        with suppress(OSError):
            self._end_sync()
        os.close(self._fd)

    def _write(self, data: bytes, offset: int) -> None:
        with memoryview(data) as left:
            while left:
                written = os.pwrite(self._fd, left, offset)
                left, offset = left[written:], offset + written


def create_segment(folder: Path, header: Header, sync_each: bool) -> SegmentWriter:
    """
    Begin a segment: it is there with its first line, on disk, or not at all. It takes the place of an empty one.

    Raises:
        OSError: it cannot be written.
    """
    path, line = segment_path(folder, header.first), encode_header(header)
    temporary = path.with_suffix(".tmp")
    fd = open_private(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        if os.write(fd, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(fd)
        os.rename(temporary, path)
        sync_folder(folder)
        return SegmentWriter(Segment(path, header, len(line)), fd, zlib.crc32(line), sync_each)
    except BaseException:
        os.close(fd)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def reopen_segment(segment: Segment, sync_each: bool) -> SegmentWriter:
    """
    Go on with a segment that has no seal, and nothing after ``segment.size``.

    Raises:
        OSError: it cannot be written.
    """
    fd = os.open(segment.path, os.O_RDWR)
    try:
        checksum = zlib.crc32(os.pread(fd, segment.size, 0))
        return SegmentWriter(segment, fd, checksum, sync_each)
    except BaseException:
        os.close(fd)
        raise
