"""The event log loses and tears nothing, whoever writes and however it ends."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.run import eventlog
from bench.run.eventlog import SEGMENT_RECORDS, EventLog, Tail, read

KIND = st.integers(1, 5)
SEQ, STATE, ATTEMPT = st.integers(-(2**40), 2**40), st.integers(0, 7), st.integers(0, 65535)
RECORDS = st.lists(st.tuples(KIND, SEQ, STATE, ATTEMPT, st.integers(1, 2**62)))


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("events-*.bin")
    return path


@given(records=RECORDS)
def test_what_is_written_is_read(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("log")
    log = EventLog(str(folder), 3)
    for kind, seq, state, attempt, t_ns in records:
        log.write(kind, seq, state, attempt, t_ns)
    found, node, pid = read(only_file(folder))
    assert (node, pid) == (3, os.getpid())
    expected = [(t, s, a, state, k) for k, s, state, a, t in records]
    assert [tuple(r) for r in found.tolist()] == expected
    os.close(log._file)


def test_threads_lose_and_tear_nothing_and_the_file_grows(tmp_path):
    log = EventLog(str(tmp_path), 0)
    each = SEGMENT_RECORDS  # eight segments in all

    def write(thread: int) -> None:
        for i in range(each):
            log.write(5, thread * each + i, thread % 8, i % 65536, thread * each + i + 1)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, _, _ = read(only_file(tmp_path))
    assert len(found) == 8 * each
    assert np.array_equal(np.sort(found["seq"]), np.arange(8 * each))
    assert np.array_equal(found["t_ns"], found["seq"] + 1), "a record mixes two writers"
    assert np.array_equal(found["state"], found["seq"] // each % 8)


GREENLETS = """
import importlib.util, sys
if sys.argv[3] == "gevent":
    from gevent import monkey, sleep, spawn, joinall
    monkey.patch_all()
else:
    import eventlet
    eventlet.monkey_patch()
    from eventlet import sleep, spawn
    joinall = lambda all: [each.wait() for each in all]
spec = importlib.util.spec_from_file_location("eventlog", sys.argv[2])
eventlog = importlib.util.module_from_spec(spec)
spec.loader.exec_module(eventlog)
log = eventlog.EventLog(sys.argv[1], 0)

def write(n):
    for i in range(1000):
        log.write(5, n * 1000 + i, n % 8, i, n * 1000 + i + 1)
        if i % 7 == n % 7:
            sleep(0)

joinall([spawn(write, n) for n in range(100)])
"""


@pytest.mark.parametrize("kind", ["gevent", "eventlet"])
@pytest.mark.filterwarnings("ignore")
def test_greenlets_lose_and_tear_nothing(tmp_path, kind):
    """A hundred greenlets in a process patched as the pool does it, switching between their writes."""
    command = [sys.executable, "-W", "ignore", "-c", GREENLETS, str(tmp_path), eventlog.__file__, kind]
    subprocess.run(command, check=True, timeout=60)
    found, _, _ = read(only_file(tmp_path))
    assert np.array_equal(np.sort(found["seq"]), np.arange(100_000))
    assert np.array_equal(found["t_ns"], found["seq"] + 1), "a record mixes two writers"
    assert np.array_equal(found["state"], found["seq"] // 1000 % 8)


@given(plan=st.lists(st.integers(0, 3000), min_size=1, max_size=6))
@settings(max_examples=25)
def test_any_number_of_threads_lose_and_tear_nothing(tmp_path_factory, plan):
    """One thread for each number of records in ``plan``."""
    folder = tmp_path_factory.mktemp("log")
    log = EventLog(str(folder), 0)

    def write(thread: int, records: int) -> None:
        for i in range(records):
            log.write(4, thread << 20 | i, thread, i, (thread << 20 | i) + 1)

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(plan)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, _, _ = read(only_file(folder))
    wanted = [thread << 20 | i for thread, records in enumerate(plan) for i in range(records)]
    assert sorted(found["seq"].tolist()) == sorted(wanted)
    assert np.array_equal(found["t_ns"], found["seq"] + 1)
    os.close(log._file)


def test_a_tail_sees_every_record_once(tmp_path):
    log = EventLog(str(tmp_path), 0)
    tail = Tail(only_file(tmp_path))
    seen: list[int] = []
    for burst in (0, 1, 5000, 20000, 3):
        start = len(seen)
        for i in range(burst):
            log.write(3, start + i)
        seen += tail.poll()["seq"].tolist()
    assert seen == list(range(25004))
    tail.close()


WRITER = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("eventlog", sys.argv[2])
eventlog = importlib.util.module_from_spec(spec)
spec.loader.exec_module(eventlog)
log = eventlog.EventLog(sys.argv[1], 0)
pid = os.fork() if sys.argv[3] == "child" else 0
if pid == 0:
    n = 0
    while True:
        log.write(5, n)
        n += 1
        if n % 1000 == 0:
            os.write(1, b"%d\\n" % n)
os.wait()
"""


def test_nothing_written_is_lost_by_kill_9(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path), eventlog.__file__, "self"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = 0
        while said < 30_000:
            said = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        said = max([said, *(int(line) for line in process.stdout.read().split())])
    found, _, _ = read(only_file(tmp_path))
    assert len(found) >= said
    assert np.array_equal(found["seq"], np.arange(len(found)))


def test_a_forked_child_goes_on_in_its_own_file(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path), eventlog.__file__, "child"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        files = {read(path)[2]: path for path in tmp_path.glob("events-*.bin")}
        assert len(files) == 2
        (child,) = files.keys() - {process.pid}
        os.kill(child, signal.SIGKILL)
        process.wait()
    assert len(read(files[process.pid])[0]) == 0
    assert len(read(files[child])[0]) >= 1000


def test_a_full_disk_is_an_error_not_a_crash(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
    code = WRITER.replace("\nlog = ", "\n" + limit + "log = ")
    command = [sys.executable, "-c", code, str(tmp_path), eventlog.__file__, "self"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done
    assert "OSError: [Errno 27]" in done.stderr
    path = only_file(tmp_path)
    assert len(read(path)[0]) == 2 * SEGMENT_RECORDS
    tail = Tail(path)
    assert tail.error() == errno.EFBIG, "the harness learns of it from the header"
    tail.close()
