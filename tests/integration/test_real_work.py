"""Real work on real workers: it is done, its counterpart has seen it, and nothing of it stays."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bench import analyse
from bench.model import TaskCall
from bench.run import services

pytestmark = pytest.mark.real
N = 24


class Watch:
    """Looks into the trial's folder as long as it is there; the last look counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        self.maps = ""

    def __call__(self, phase: str, completed: int) -> None:
        if phase != "load" or not completed:
            return
        (ready,) = self.folder.glob("*/ready-0.json")
        self.maps = Path(f"/proc/{json.loads(ready.read_text())['pid']}/maps").read_text()
        database = ready.with_name("celery-bench.db")
        if database.exists():
            self.rows = rows(f"sqlite:///{database}")


def tables(url: str) -> list[str]:
    engine = sa.create_engine(url)
    try:
        return sa.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def rows(url: str) -> int:
    """Of the only table that there is."""
    (table,) = tables(url)
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text(f"select count(*) from {table}")).scalar_one())
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("task", "pool"),
    [
        ("image.resize", "prefork"),
        ("report.render", "threads"),
        ("files.clean", "prefork"),
        ("inference", "threads"),
        ("csv.export", "prefork"),
        ("csv.import", "gevent"),
    ],
)
def test_it_is_done_and_nothing_stays(bench: Any, task: str, pool: str) -> None:
    result, _ = bench.measure(task, pool=pool, flood=N)
    assert result.ok, result.log_tail
    assert result.counts["completed"] == N
    assert not list(bench.folder.glob("t*/")), "the trial's folder goes with the trial"


def test_rows_that_are_imported_are_in_the_database(bench: Any) -> None:
    watch = Watch(bench.folder)
    call = TaskCall(task="csv.import", kwargs={"rows": 50})
    result, _ = bench.measure(call, rate=20.0, duration=2.0, concurrency=2, on_tick=watch)
    assert result.counts["completed"] == 40
    assert 50 * 30 <= watch.rows <= 50 * 44, "the load's 40 files and the warm-up's 4, but for the last look"
    assert watch.rows % 50 == 0, "a file is imported as a whole"


def test_mail_is_refused_and_sent_again_until_the_server_has_all(bench: Any) -> None:
    call = TaskCall(task="mail.send", kwargs={"refusals": 0.4, "retries": 12, "backoff": 0.001})
    result, _ = bench.measure(call, pool="threads", concurrency=4, flood=60)
    assert result.ok, result.log_tail
    assert result.counts["completed"] == 60
    counted = bench.services.counts(services.SMTP)
    assert counted["accepted"] == 60 + 8, "and the warm-up's eight"
    assert counted["refused"] >= result.counts["retried"] >= 10


def test_errors_of_the_api_are_seen_as_retries_and_as_failures(bench: Any) -> None:
    """Seventy in a hundred answers are errors: with one retry half of the tasks fail for good."""
    call = TaskCall(task="http.call", kwargs={"errors": 0.7, "retries": 1, "backoff": 0.01, "seconds": 0.01})
    result, _ = bench.measure(call, pool="gevent", concurrency=10, flood=100)
    assert result.ok, result.log_tail
    again, _ = bench.measure(call, pool="threads", concurrency=4, flood=100)
    assert again.counts == result.counts, "with the same seed the same tasks fail, whatever runs them"
    assert 50 <= result.counts["retried"] <= 90
    assert 30 <= result.counts["failed"] <= 70
    answers = bench.services.counts(services.HTTP)
    errors = 2 * (result.counts["retried"] + result.counts["failed"])
    assert answers["503"] >= errors, "each was one answer of the server"


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_flaky_waits_twice_as_long_each_time(bench: Any, pool: str) -> None:
    call = TaskCall(task="flaky", kwargs={"chance": 1.0, "retries": 2, "backoff": 0.2, "jitter": False})
    result, recording = bench.measure(call, "noop", pool=pool, concurrency=2, flood=40)
    assert result.ok, result.log_tail
    assert (result.counts["failed"], result.counts["completed"]) == (20, 20)
    assert result.counts["retried"] == 40
    tasks = analyse.tasks(recording.events)
    flaky = tasks[tasks["attempts"] == 3]
    assert len(flaky) == 20
    gone = flaky["ended"] - flaky["started"]
    assert gone.min() >= 0.6, "0.2 s and 0.4 s of back-off"
    assert gone.median() < 1.5


LIBRARIES = {"image.resize": "PIL", "csv.import": "sqlalchemy", "inference": "numpy"}


@pytest.mark.parametrize("task", LIBRARIES)
def test_a_worker_carries_what_its_tasks_import_and_no_more(bench: Any, task: str) -> None:
    watch = Watch(bench.folder)
    bench.measure(task, pool="threads", rate=20.0, duration=1.0, on_tick=watch)
    there = {library for library in LIBRARIES.values() if f"/{library}/" in watch.maps}
    assert there == {LIBRARIES[task]}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database that is not the trial's own."""
    with tempfile.TemporaryDirectory() as name:
        if request.param == "sqlite":
            yield f"sqlite:///{name}/database.db"
        elif shutil.which("initdb") is None:
            pytest.skip("no initdb on the PATH")
        else:
            yield from postgresql(Path(name))


def postgresql(folder: Path) -> Iterator[str]:
    """A private server on a socket in ``folder``, which refuses to run as root."""
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    quiet: dict[str, Any] = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run(
        ["initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-sync"],
        check=True,
        stderr=subprocess.DEVNULL,
        **quiet,
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["postgres", "-D", data, "-k", folder, "-h", "", "-F"], stderr=log, **quiet)
    url = f"postgresql+psycopg://bench@/postgres?host={folder}"
    try:
        for _ in range(100):
            with suppress(sa.exc.OperationalError):
                tables(url)
                break
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.mark.parametrize("pool", ["prefork"])
def test_a_database_at_a_url_gets_the_rows_and_is_left_as_it_was(
    bench: Any, database: str, pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setenv(services.DATABASE_URL, database)
    own = services.Services(bench.keeper, bench.folder)
    monkeypatch.setattr(bench, "services", own)

    def look(phase: str, completed: int) -> None:
        if phase == "load" and completed >= 20:
            seen.append(rows(database))

    tasks = [TaskCall(task=name, kwargs={"rows": 50}) for name in ("csv.import", "csv.export")]
    result, _ = bench.measure(*tasks, pool=pool, rate=40.0, duration=1.5, on_tick=look)
    assert result.counts["completed"] == 60, result.log_tail
    assert 50 * 10 <= seen[-1] <= 50 * 36
    own.stop()
    assert tables(database) == []
