"""The event log: fixed-size records in a memory-mapped file, one file per process.

Loaded inside workers by its path, so this module is standard library only (reading uses numpy, in the
harness). Whatever was written survives ``kill -9``: the pages belong to the file, not to the process.

A file is one page of header (``MAGIC``, node, pid, errno), then records of 24 bytes. ``kind`` is the last
field written: a record whose kind is 0 was never finished and does not count. errno is 0 until a record could
not be kept (the disk is full): the harness reads it and gives the trial up.
"""

import mmap
import os
import struct
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

INTENDED, SENT, RECEIVED, STARTED, ENDED, RETURNED = 1, 2, 3, 4, 5, 6
SUCCESS, FAILURE, RETRY, REVOKED, REJECTED, IGNORED, WORKER_LOST = 1, 2, 3, 4, 5, 6, 7

PART_SHIFT = 28
"""A part of a canvas is ``unit + (part << PART_SHIFT)``: 268 million units, and parts up to 524 287 fit
into the 47 bits that a task's id has for it.
"""

OTHER = -(1 << 62)
"""The number of every task that somebody else published: those that the load's tasks call."""

MAGIC = b"CBEVENT1"
HEADER = struct.Struct("<8siii")
ERRNO = struct.Struct("<i")
ERRNO_AT = HEADER.size - ERRNO.size
HEADER_BYTES = mmap.PAGESIZE
RECORD = struct.Struct("<qqHxxxxBB")  # t_ns, seq, attempt, state, kind
RECORD_BYTES = RECORD.size
SEGMENT_SHIFT = 14
SEGMENT_RECORDS = 1 << SEGMENT_SHIFT
SEGMENT_MASK = SEGMENT_RECORDS - 1
SEGMENT_BYTES = SEGMENT_RECORDS * RECORD_BYTES
"""Reserved at a time: 384 KiB, a whole number of pages, small beside a worker's memory."""
CHUNK_BYTES = 2048 * RECORD_BYTES


def number_of(unit: int, part: int) -> int:
    """The number of a unit's part; part 0 is the unit itself."""
    return unit + (part << PART_SHIFT)


def split(numbers: Any) -> tuple[Any, Any]:
    """Unit and part of such a number, or of an array of them; none may be negative."""
    return numbers & ((1 << PART_SHIFT) - 1), numbers >> PART_SHIFT


class EventLog:
    """Appends records from any number of threads or greenlets of one process.

    ``write`` takes a number from an atomic counter and copies 24 bytes: no lock, no syscall. Disk space is
    reserved before it is mapped, so that a full disk is an ``OSError`` here and not a bus error later.
    After ``fork`` the child goes on in a file of its own.
    """

    def __init__(self, folder: str, node: int) -> None:
        self._folder = folder
        self._node = node
        self._segments: list[mmap.mmap] = []
        self._next: list[Callable[[], int]] = [count().__next__]  # in a list: after fork it begins anew
        self.write = self._writer()
        self._open()
        os.register_at_fork(after_in_child=self._after_fork)

    def _writer(self) -> Callable[..., None]:
        """Append one event of task ``seq``, stamped now unless ``t_ns`` is given; OSError on a full disk.

        A closure, since it runs three times a task in caches that are the task's: every name that need not be
        looked up in an object is a tenth of a microsecond.
        """
        segments, numbers, put, grow = self._segments, self._next, RECORD.pack_into, self._grow

        def write(kind: int, seq: int, state: int = 0, attempt: int = 0, t_ns: int = 0) -> None:
            number = numbers[0]()
            try:
                pages = segments[number >> SEGMENT_SHIFT]
            except IndexError:
                pages = grow(number >> SEGMENT_SHIFT)
            put(
                pages,
                (number & SEGMENT_MASK) * RECORD_BYTES,
                t_ns or monotonic_ns(),
                seq,
                attempt,
                state,
                kind,
            )

        return write

    def _open(self) -> None:
        self._segments.clear()
        self._lock = threading.Lock()
        self._next[0] = count().__next__
        path = f"{self._folder}/events-{self._node}-{os.getpid()}.bin"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(self._file, HEADER.pack(MAGIC, self._node, os.getpid(), 0))
        self._grow(0)

    def _grow(self, segment: int) -> mmap.mmap:
        with self._lock:
            while len(self._segments) <= segment:
                offset = HEADER_BYTES + len(self._segments) * SEGMENT_BYTES
                try:
                    os.posix_fallocate(self._file, offset, SEGMENT_BYTES)
                except OSError as error:
                    os.pwrite(self._file, ERRNO.pack(error.errno), ERRNO_AT)
                    raise
                self._segments.append(mmap.mmap(self._file, SEGMENT_BYTES, offset=offset))
                if len(self._segments) > 2:  # keep the worker's memory flat; the data stays in the file
                    self._segments[-3].madvise(mmap.MADV_DONTNEED)
            return self._segments[segment]

    def _after_fork(self) -> None:
        parents = self._file
        try:
            self._open()
        except OSError as error:
            os.pwrite(parents, ERRNO.pack(error.errno), ERRNO_AT)
            raise
        finally:
            os.close(parents)


def dtype() -> "np.dtype[Any]":
    """The record as numpy sees it: fields ``t_ns seq attempt state kind``."""
    import numpy as np  # only the harness reads

    return np.dtype(
        {
            "names": ["t_ns", "seq", "attempt", "state", "kind"],
            "formats": ["<i8", "<i8", "<u2", "u1", "u1"],
            "offsets": [0, 8, 16, 22, 23],
            "itemsize": RECORD_BYTES,
        }
    )


def read(path: Path) -> tuple["np.ndarray[Any, Any]", int, int]:
    """All finished records of one file, and the node and pid that wrote them."""
    import numpy as np  # only the harness reads

    raw = path.read_bytes()
    magic, node, pid, _ = HEADER.unpack_from(raw)
    if magic != MAGIC:
        raise ValueError(f"{path.name} is not an event log")
    records = np.frombuffer(raw[HEADER_BYTES:], dtype())
    return records[records["kind"] != 0], node, pid


class Tail:
    """Follows one growing file from the outside; costs its writer nothing."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._offset = HEADER_BYTES
        self._dtype = dtype()

    def error(self) -> int:
        """errno of the reason for which its writer lost a record; 0 while all is well."""
        raw = os.pread(self._file.fileno(), ERRNO.size, ERRNO_AT)
        return int(ERRNO.unpack(raw)[0]) if len(raw) == ERRNO.size else 0

    def poll(self) -> "np.ndarray[Any, Any]":
        """Records finished since the last call, up to the first that is not finished yet."""
        import numpy as np  # only the harness reads

        parts = []
        while True:
            raw = os.pread(self._file.fileno(), CHUNK_BYTES, self._offset)
            raw = raw[: len(raw) - len(raw) % RECORD_BYTES]
            records = np.frombuffer(raw, self._dtype)
            unfinished = np.flatnonzero(records["kind"] == 0)
            done = int(unfinished[0]) if len(unfinished) else len(records)
            parts.append(records[:done])
            self._offset += done * RECORD_BYTES
            if done < CHUNK_BYTES // RECORD_BYTES:
                return np.concatenate(parts)

    def close(self) -> None:
        self._file.close()
