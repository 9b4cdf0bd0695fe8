"""Events to tasks: known answers for every time and count, accounting for any log, lanes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import analyse
from bench.events import (
    ENDED,
    EVENT_COLUMNS,
    FAILURE,
    INTENDED,
    RECEIVED,
    RETRY,
    REVOKED,
    SENT,
    STARTED,
    SUCCESS,
    WORKER_LOST,
    lanes,
    tasks,
)
from bench.run import eventlog

T0 = 5_000_000_000


def log(
    *rows: tuple[int, float, int] | tuple[int, float, int, int] | tuple[int, float, int, int, int],
) -> pd.DataFrame:
    """Events from (seq, seconds, kind[, state[, pid]])."""
    full = [(*row, *(0, 100)[len(row) - 3 :]) for row in rows]
    frame = pd.DataFrame(
        [(seq, T0 + round(s * 1e9), kind, state, 0, 0, pid, 0, 0) for seq, s, kind, state, pid in full],
        columns=list(EVENT_COLUMNS),
    )
    return frame.astype(dict(EVENT_COLUMNS)).sort_values("t_ns", kind="stable", ignore_index=True)


def test_numbers_agree_with_the_writer() -> None:
    for name in ("INTENDED", "SENT", "RECEIVED", "STARTED", "ENDED"):
        assert getattr(eventlog, name) == globals()[name]
    for name in ("SUCCESS", "FAILURE", "RETRY", "REVOKED", "WORKER_LOST"):
        assert getattr(eventlog, name) == globals()[name]


def test_a_paced_task() -> None:
    table = tasks(
        log(
            (0, 0, INTENDED),
            (0, 0.01, SENT),
            (0, 0.03, RECEIVED),
            (0, 0.06, STARTED),
            (0, 0.1, ENDED, SUCCESS, 7),
        )
    )
    row = table.loc[0]
    assert row[
        ["intended", "sent", "received", "started", "last_started", "ended"]
    ].tolist() == pytest.approx([0, 0.01, 0.03, 0.06, 0.06, 0.1])
    assert (row["state"], row["attempts"], row["node"], row["pid"]) == (SUCCESS, 1, 0, 100)
    parts = {name: values[0] for name, values in analyse.durations(table).items()}
    assert parts == pytest.approx(
        {
            "lateness": 0.01,
            "broker_wait": 0.02,
            "prefetch_wait": 0.03,
            "wait": 0.06,
            "service": 0.04,
            "response": 0.1,
            "roundtrip": float("nan"),  # nobody waited for the result
            "overhead": float("nan"),  # nothing but the task itself
        },
        nan_ok=True,
    )


def test_a_flood_is_sent_before_it_is_intended() -> None:
    table = tasks(
        log((0, -3, SENT), (0, 0, INTENDED), (0, 0.5, RECEIVED), (0, 0.5, STARTED), (0, 1, ENDED, SUCCESS))
    )
    parts = {name: values[0] for name, values in analyse.durations(table).items()}
    assert (parts["lateness"], parts["broker_wait"], parts["response"]) == (0.0, 0.5, 1.0)


def test_a_worker_may_have_the_task_before_the_loader_notes_it_as_sent() -> None:
    table = tasks(
        log(
            (0, 0, INTENDED),
            (0, 0.01, RECEIVED),
            (0, 0.02, SENT),
            (0, 0.03, STARTED),
            (0, 0.04, ENDED, SUCCESS),
        )
    )
    parts = {name: values[0] for name, values in analyse.durations(table).items()}
    assert parts["lateness"] == pytest.approx(0.01)
    assert parts["broker_wait"] == 0.0
    assert parts["wait"] == pytest.approx(parts["lateness"] + parts["broker_wait"] + parts["prefetch_wait"])


def test_a_retried_task_waits_once_and_serves_the_last_time() -> None:
    table = tasks(
        log(
            (0, 0, INTENDED),
            (0, 1, RECEIVED),
            (0, 2, STARTED, 0, 11),
            (0, 3, ENDED, RETRY, 11),
            (0, 4, RECEIVED),
            (0, 5, STARTED, 0, 12),
            (0, 7, ENDED, SUCCESS, 12),
        )
    )
    row = table.loc[0]
    assert row[["received", "started", "last_started", "ended"]].tolist() == [1, 2, 5, 7]
    assert (row["attempts"], row["retries"], row["finals"], row["pid"]) == (2, 1, 1, 12)
    assert analyse.counts(table)["retried"] == 1
    assert np.isnan(row["sent"])
    assert analyse.durations(table)["broker_wait"].tolist() == [1.0]


def test_a_task_that_ends_twice_counts_once() -> None:
    table = tasks(
        log(
            (0, 0, INTENDED), (0, 1, STARTED), (0, 2, ENDED, SUCCESS), (0, 3, STARTED), (0, 4, ENDED, SUCCESS)
        )
    )  # fmt: skip
    assert table.loc[0, ["last_started", "ended"]].tolist() == [1, 2]
    assert analyse.counts(table) == {
        "published": 1, "completed": 1, "failed": 0, "lost": 0, "retried": 0, "duplicated": 1,
    }  # fmt: skip


def test_a_redelivered_task_that_succeeds_has_completed() -> None:
    table = tasks(
        log(
            (0, 0, INTENDED),
            (0, 1, STARTED),
            (0, 2, ENDED, WORKER_LOST),
            (0, 3, STARTED),
            (0, 4, ENDED, SUCCESS),
        )
    )
    assert table.loc[0, ["state", "last_started", "ended", "finals"]].tolist() == [SUCCESS, 3, 4, 2]


def test_a_revoked_task_was_never_started() -> None:
    table = tasks(log((0, 0, INTENDED), (0, 1, RECEIVED), (0, 2, ENDED, REVOKED)))
    parts = {name: values[0] for name, values in analyse.durations(table).items()}
    assert np.isnan(parts["service"]) and parts["response"] == 2.0
    assert analyse.counts(table)["failed"] == 1


def test_unintended_and_unknown_events_are_nobodys() -> None:
    table = tasks(
        log(
            (3, 0, INTENDED),
            (7, 0, INTENDED),
            (3, 1, ENDED, FAILURE),
            (9, 1, ENDED, SUCCESS),
            (-1, 1, STARTED),
        )
    )
    assert table.index.tolist() == [3, 7]
    assert analyse.counts(table) == {
        "published": 2, "completed": 0, "failed": 1, "lost": 1, "retried": 0, "duplicated": 0,
    }  # fmt: skip


def test_nothing_happened() -> None:
    table = tasks(log())
    assert table.empty
    assert set(analyse.counts(table).values()) == {0}


EVENT = st.tuples(
    st.integers(-1, 6), st.floats(0, 10), st.sampled_from(range(1, 6)), st.integers(0, 7), st.integers(1, 3)
)


@given(st.lists(EVENT, max_size=60))
def test_everything_published_is_accounted_for(rows: list[tuple[int, float, int, int, int]]) -> None:
    """Whatever the log holds: completed + failed + lost = published, and times keep their order."""
    table = tasks(log(*((s, t, k, state if k == ENDED else 0, pid) for s, t, k, state, pid in rows)))
    got = analyse.counts(table)
    assert got["completed"] + got["failed"] + got["lost"] == got["published"]
    assert got["published"] == len({s for s, _, k, *_ in rows if k == INTENDED})
    assert min(got.values()) >= 0
    assert not (table["last_started"] > table["ended"]).any()
    assert (table["last_started"] >= table["started"]).sum() == table["last_started"].notna().sum()


def ran(*rows: tuple[float, float, int, int]) -> pd.DataFrame:
    """Tasks from (start, end, node, pid)."""
    return pd.DataFrame(rows, columns=["last_started", "ended", "node", "pid"])


def test_lanes_of_prefork_are_its_children() -> None:
    assert lanes(ran((0, 1, 0, 11), (0, 2, 0, 12), (1, 3, 0, 11), (2, 3, 0, 12))).tolist() == [0, 1, 0, 1]


def test_lanes_of_threads_are_as_many_as_overlap() -> None:
    assert lanes(ran((0, 2, 0, 9), (0.5, 1, 0, 9), (1, 3, 0, 9), (2, 3, 0, 9))).tolist() == [0, 1, 1, 0]


def test_a_child_that_replaces_another_gets_its_lane() -> None:
    assert lanes(ran((0, 1, 0, 11), (0, 5, 0, 12), (2, 3, 0, 13))).tolist() == [0, 1, 0]


def test_nodes_have_lanes_of_their_own() -> None:
    table = ran((0, 1, 0, 11), (0, 1, 1, 21))
    assert lanes(table).tolist() == [0, 1]
    assert lanes(table, concurrency=[4, 4]).tolist() == [0, 4]


def test_a_task_without_an_end_keeps_its_lane() -> None:
    nan = float("nan")
    table = ran((0, nan, 0, 9), (1, 2, 0, 9), (nan, nan, 0, 9), (3, 4, 0, 9))
    assert lanes(table).tolist() == [0, 1, -1, 1]
    assert lanes(table.iloc[2:3]).tolist() == [-1]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 20)), min_size=1, max_size=60))
def test_lanes_never_overlap_and_are_as_few_as_can_be(spans: list[tuple[float, float]]) -> None:
    table = ran(*((start, start + length, 0, 9) for start, length in spans))
    table["lane"] = lanes(table)
    for _, lane in table.groupby("lane"):
        inner = lane.sort_values(["last_started", "ended"])
        assert (inner["last_started"].to_numpy()[1:] >= inner["ended"].to_numpy()[:-1]).all()
    deepest = max(
        ((table["last_started"] <= at) & (table["ended"] > at)).sum() for at in table["last_started"]
    )
    assert table["lane"].max() + 1 == deepest
