"""Numbers of a phase are those of its tasks and of its time."""

import numpy as np
import pandas as pd
import pytest

from bench import pacing
from bench.model import Load
from bench.spans import by_phase, by_step

CHAIN = Load(
    shape="phases",
    phases=(
        Load(shape="poisson", rate=50.0, duration=2.0),
        Load(shape="burst", tasks=40),
        Load(shape="constant", rate=20.0, duration=2.0),
    ),
)


def ran(load: Load, seed: int, seconds: float) -> pd.DataFrame:
    """Every task of the load takes so long and never waits; times count from the first that is due."""
    due = pacing.due_times(load, seed)
    at = due - due[0]
    zero = np.zeros(len(at), int)
    times = ("intended", "sent", "received", "started", "last_started")
    return pd.DataFrame(
        dict.fromkeys(times, at)
        | {"ended": at + seconds, "returned": np.nan, "state": zero + 1, "retries": zero, "finals": zero + 1}
        | {"service": seconds, "path": np.nan},
        index=pd.Index(np.arange(len(at)), name="seq"),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_phases_begin_where_their_tasks_are_due(seed: int) -> None:
    """A Poisson load's first task is due some time after the load begins; times count from that task."""
    table = ran(CHAIN, seed, 0.01)
    calm, burst, after = by_phase(CHAIN, seed, table)
    assert calm["start"] == 0.0
    assert burst["start"] == pytest.approx(table["intended"][100])
    assert after["start"] == pytest.approx(table["intended"][140])
    assert [phase["tasks"] for phase in (calm, burst, after)] == [100, 40, 40]
    assert calm["metrics"]["throughput"] == pytest.approx(50, rel=0.02)
    assert after["metrics"]["p50(response)"] == pytest.approx(0.01)
    assert after["metrics"]["throughput"] == pytest.approx(40, rel=0.05), "the burst's tasks end in it"


def test_a_plain_load_has_no_phases() -> None:
    load = Load(shape="constant", rate=10.0, duration=1.0)
    assert by_phase(load, 1, ran(load, 1, 0.01)) == ()


def test_steps_of_a_search_are_told_apart_by_their_first_task() -> None:
    load = Load(shape="constant", rate=10.0, duration=4.0)
    steps = [
        {"rate": 10.0, "seconds": 2.0, "tasks": 20, "first": 0},
        {"rate": 10.0, "seconds": 2.0, "tasks": 20, "first": 20},
    ]
    one, two = by_step(steps, ran(load, 1, 0.02))
    assert (one["name"], two["name"]) == ("1 10/s", "2 10/s")
    assert (one["start"], two["start"]) == (0.0, pytest.approx(2.0))
    assert two["metrics"]["p50(service)"] == pytest.approx(0.02)
