"""What tasks talk to: servers, started when the first trial needs them, or a table of somebody's."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import uuid4

from bench.errors import EnvironmentFault
from bench.model import Setup, Trial
from bench.run.keeper import Keeper
from bench.run.process import Child
from bench.units import hide_password

COUNTERPARTS = Path(__file__).with_name("counterparts.py")
HTTP, SMTP, DATABASE, ONE_CORE = "http", "smtp", "database", "one core"
NEEDS: Mapping[str, str] = {
    "io.http": HTTP,
    "http.call": HTTP,
    "mail.send": SMTP,
    "csv.import": DATABASE,
    "csv.export": DATABASE,
    "inference": ONE_CORE,
}
ADDRESSES = {
    HTTP: ("CELERY_BENCH_HTTP_URL", "http://127.0.0.1:{}"),
    SMTP: ("CELERY_BENCH_SMTP", "127.0.0.1:{}"),
}
DATABASE_URL, DATABASE_TABLE = "CELERY_BENCH_DATABASE_URL", "CELERY_BENCH_DATABASE_TABLE"
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""How many threads a matrix product takes: by default all cores, so that each slot would take those of
others.
"""


def needs(setups: Iterable[Setup]) -> set[str]:
    """What the shipped tasks of these setups cannot do without."""
    calls = [call for setup in setups if not setup.app for call in setup.workload]
    return {NEEDS[call.task] for call in calls if call.task in NEEDS}


def check(setups: Iterable[Setup]) -> None:
    """Raise EnvironmentFault where tasks need the database at ``DATABASE_URL`` and it does not answer."""
    url = os.environ.get(DATABASE_URL)
    if url and DATABASE in needs(setups):
        _drop(url)


class Services:
    """Everything of a session that its tasks talk to."""

    def __init__(self, keeper: Keeper, folder: Path) -> None:
        self._keeper = keeper
        self._folder = folder
        self._running: dict[str, Child] = {}
        self._env: dict[str, dict[str, str]] = {}
        self._table = f"celery_bench_{uuid4().hex[:12]}"
        self._database_url = ""

    def needed_by(self, trial: Trial) -> dict[str, str]:
        """Environment that tells the trial's tasks where to connect. Raises EnvironmentFault."""
        env: dict[str, str] = {}
        for kind in sorted(needs([trial.cell.setup])):
            if kind in ADDRESSES:
                env |= self._server(kind)
            elif kind == DATABASE:
                env |= self._database()
            else:
                env |= {name: os.environ.get(name, "1") for name in THREADS}
        return env

    def _server(self, kind: str) -> dict[str, str]:
        child = self._running.get(kind)
        if child is None or child.exit_status is not None:
            log = self._folder / f"service-{kind}.log"
            child = Child(
                [sys.executable, "-I", str(COUNTERPARTS), kind], keeper=self._keeper, log=log, pipes=True
            )
            self._running[kind] = child
            assert child.process.stdout is not None
            port = child.process.stdout.readline().strip()
            if not port:
                raise EnvironmentFault(
                    f"The loopback {kind.upper()} server did not start.", child.tail() or "No output."
                )
            name, address = ADDRESSES[kind]
            self._env[kind] = {name: address.format(port.decode())}
        return self._env[kind]

    def _database(self) -> dict[str, str]:
        """Each trial begins without a table. Where there is no URL, SQLite is in the trial's folder."""
        url = os.environ.get(DATABASE_URL)
        if not url:
            return {}
        _drop(url, self._table)
        self._database_url = url
        return {DATABASE_URL: url, DATABASE_TABLE: self._table}

    def counts(self, kind: str) -> dict[str, int]:
        """What a running server (``HTTP``, ``SMTP``) has counted since it started."""
        process = self._running[kind].process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        return dict(json.loads(process.stdout.readline()))

    def pids(self) -> tuple[int, ...]:
        return tuple(child.pid for child in self._running.values())

    def stop(self) -> None:
        for child in self._running.values():
            child.stop()
        if self._database_url:
            _drop(self._database_url, self._table)


def _drop(url: str, table: str = "") -> None:
    """Drop the table if it is there; without a name change nothing.

    Raises EnvironmentFault where the database does not answer.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from bench.workloads.records import forget

    try:
        forget(url, table)
    except (SQLAlchemyError, ImportError) as error:
        reason = hide_password(str(error).strip().splitlines()[0])
        raise EnvironmentFault(
            f"The database at {DATABASE_URL} cannot be used: {reason}",
            "Start it and mend the URL, or leave the variable out to get SQLite.",
        ) from None
