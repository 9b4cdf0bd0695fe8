"""How much the harness itself costs, piece by piece: ``make perf``."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import analyse
from bench.run import eventlog
from bench.run.eventlog import EventLog

TASKS = 200_000


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    """A million events of tasks that take a millisecond in each of four stages."""
    seq = np.tile(np.arange(TASKS), 5)
    kind = np.repeat(np.array([1, 2, 3, 4, 5], np.uint8), TASKS)
    return pd.DataFrame(
        {
            "seq": seq,
            "t_ns": seq * 1_000_000 + kind.astype(np.int64) * 1_000_000,
            "kind": kind,
            "state": np.where(kind == 5, 1, 0).astype(np.uint8),
            "attempt": np.zeros(len(seq), np.uint16),
            "node": np.where(kind < 3, -1, 0).astype(np.int16),
            "pid": np.ones(len(seq), np.int32),
            "task": np.zeros(len(seq), np.int16),
        }
    )


def test_one_event_written(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    log = EventLog(str(tmp_path), 0)
    benchmark.pedantic(log.write, args=(eventlog.ENDED, 7, eventlog.SUCCESS), rounds=20, iterations=5000)


def test_a_million_events_become_tasks(benchmark: BenchmarkFixture, events: pd.DataFrame) -> None:
    tasks = benchmark.pedantic(analyse.tasks, args=(events,), rounds=3)
    assert len(tasks) == TASKS


def test_tasks_become_durations(benchmark: BenchmarkFixture, events: pd.DataFrame) -> None:
    tasks = analyse.tasks(events)
    spans = benchmark.pedantic(analyse.durations, args=(tasks,), rounds=3)
    assert spans["service"].max() == pytest.approx(0.001)
