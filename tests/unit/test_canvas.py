"""What a canvas is made of, when it has ended, and what becomes of its parts' events; told by hand."""

import itertools
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import analyse
from bench.canvas import Part, TaskCall, Underway, distinct, part_names
from bench.events import (
    ENDED,
    EVENT_COLUMNS,
    FAILURE,
    IGNORED,
    INTENDED,
    RECEIVED,
    RETRY,
    SENT,
    STARTED,
    SUCCESS,
    WORKER_LOST,
    executions,
    parts_of,
    tasks,
)
from bench.run import agent, bulk, eventlog
from bench.spans import by_attempt, by_part, counts, durations

T0 = 7_000_000_000


def task(name="t", **more):
    return TaskCall(task=name, **more)


CHAIN = TaskCall(canvas="chain", parts=(task("a"), task("b"), task("c")))
GROUP = TaskCall(canvas="group", parts=(task("a", times=3),))
CHORD = TaskCall(canvas="chord", parts=(task("a", times=2), task("b")))
MAP = TaskCall(canvas="map", parts=(task("a"),), items=5)
CHUNKS = TaskCall(canvas="chunks", parts=(task("a"),), items=10, size=4)
PLAIN = task("plain")


def log(*rows):
    """Events from (unit, part, seconds, kind[, state[, attempt[, pid[, entry]]]])."""
    full = [(*row, *(0, 0, 9, 0)[len(row) - 4 :]) for row in rows]
    frame = pd.DataFrame(
        [(u, T0 + round(s * 1e9), k, state, n, 0, pid, e, p) for u, p, s, k, state, n, pid, e in full],
        columns=list(EVENT_COLUMNS),
    )
    return frame.astype(dict(EVENT_COLUMNS)).sort_values("t_ns", kind="stable", ignore_index=True)


def ran(part, begin, end, state=SUCCESS, unit=0, **more):
    """Received and started at ``begin`` (a millisecond apart), ended at ``end``."""
    entry = more.get("entry", 0)
    return [
        (unit, part, begin - 0.001, RECEIVED, 0, 0, 9, entry),
        (unit, part, begin, STARTED, 0, 0, 9, entry),
        (unit, part, end, ENDED, state, 0, 9, entry),
    ]


def published(unit=0, at=0.0, entry=0):
    return [(unit, 0, at, INTENDED, 0, 0, 1, entry), (unit, 0, at + 0.01, SENT, 0, 0, 1, entry)]


# numbers


@given(st.integers(0, 20_000_000), st.integers(0, 10_000))
def test_a_number_is_unit_and_part_and_survives_a_task_id(unit, part):
    number = eventlog.number_of(unit, part)
    assert eventlog.split(number) == (unit, part)
    assert agent.sequence_number(bulk.task_id("0" * 24, number)) == number
    units, parts = eventlog.split(np.array([number, unit]))
    assert units.tolist() == [unit, unit] and parts.tolist() == [part, 0]


# what it is made of


def test_stages_of_each_canvas():
    assert CHAIN.messages == (Part(0, 0, 1), Part(1, 1, 1), Part(2, 2, 1))
    assert GROUP.messages == (Part(0, 0, 1),) * 3
    assert CHORD.messages == (Part(0, 0, 1), Part(0, 0, 1), Part(1, 1, 1))
    assert MAP.messages == (Part(0, 0, 5),)
    assert CHUNKS.messages == (Part(0, 0, 4), Part(0, 0, 4), Part(0, 0, 2))
    assert PLAIN.messages == ()


def test_names_and_totals():
    told = [(call.name, call.total) for call in (CHAIN, GROUP, CHORD, MAP, CHUNKS, PLAIN)]
    assert told == [
        ("chain of 3", 3), ("group of 3", 3), ("chord of 2", 3), ("map of 5", 5), ("10 in chunks of 4", 10),
        ("plain", 1),
    ]  # fmt: skip
    assert part_names(CHORD) == [("1–2 a", 2), ("body b", 1)]
    assert part_names(CHAIN) == [("1 a", 1), ("2 b", 1), ("3 c", 1)]
    assert part_names(CHUNKS) == [("1–3 a", 3)]


def test_equal_tasks_are_one_whatever_their_share():
    found = distinct([CHAIN, GROUP, task("a", weight=5.0), task("a", args=(1,))])
    assert [(call.task, call.args) for call in found] == [("a", ()), ("b", ()), ("c", ()), ("a", (1,))]


# when it has ended, while it runs and afterwards


@pytest.mark.parametrize("canvas", [CHAIN, GROUP, CHORD, MAP, CHUNKS], ids=lambda call: call.canvas)
@given(data=st.data())
def test_follower_and_table_agree_on_when_a_unit_has_ended(canvas, data):
    """Whatever fails, is lost or ends twice, and in whatever order it is read."""
    messages = canvas.messages
    rows, ends, clock, stage_ok = [], [], 1.0, True
    for stage in range(messages[-1].stage + 1):
        own = [n for n, part in enumerate(messages, start=1) if part.stage == stage]
        if not stage_ok:
            break
        for part in own:
            state = data.draw(st.sampled_from([SUCCESS, SUCCESS, SUCCESS, FAILURE, WORKER_LOST, IGNORED, 0]))
            stage_ok &= state == SUCCESS
            clock += 1
            if state:
                times = data.draw(st.integers(1, 2))
                rows += [row for _ in range(times) for row in ran(part, clock, clock + 0.5, state)]
                ends += [(part, round(clock * 1e9 + 5e8), state == SUCCESS)] * times
    random.Random(data.draw(st.integers())).shuffle(ends)
    underway, ended = Underway([canvas]), 0
    for part, t_ns, ok in ends:
        if not ended:
            ended = underway.ended(0, 0, part, t_ns, ok=ok)
    row = tasks(log(*published(), *rows), [canvas]).loc[0]
    assert bool(row["state"]) == bool(ended)
    if ended:
        assert row["ended"] == pytest.approx(ended * 1e-9)
        assert row["finals"] - 1 == len(ends) - len(set(ends))
        assert (row["state"] == SUCCESS) == all(ok for *_, ok in ends)


# what becomes of a unit


def test_a_chain_is_the_sum_of_its_parts_and_the_rest_is_overhead():
    events = log(*published(), *ran(1, 0.1, 0.3), *ran(2, 0.35, 0.45), *ran(3, 0.5, 0.8))
    table = tasks(events, [CHAIN])
    row = table.loc[0]
    times = ["sent", "received", "started", "last_started", "ended", "service", "path"]
    assert row[times].tolist() == pytest.approx([0.01, 0.099, 0.1, 0.5, 0.8, 0.6, 0.6])
    assert (row["state"], row["attempts"], row["finals"]) == (SUCCESS, 3, 1)
    spans = durations(table)
    assert spans["response"][0] == pytest.approx(0.8)
    assert spans["overhead"][0] == pytest.approx(0.2)
    each = by_part(parts_of(events, table, [CHAIN]), [CHAIN])
    assert [part["name"] for part in each] == ["chain of 3: 1 a", "chain of 3: 2 b", "chain of 3: 3 c"]
    assert [part["metrics"]["mean(wait)"] for part in each] == pytest.approx([0.1, 0.05, 0.05])
    assert [part["metrics"]["mean(service)"] for part in each] == pytest.approx([0.2, 0.1, 0.3])


def test_of_a_group_the_longest_part_is_the_way():
    events = log(*published(), *ran(1, 0.1, 0.2), *ran(2, 0.1, 0.4), *ran(3, 0.2, 0.3))
    row = tasks(events, [GROUP]).loc[0]
    assert row[["ended", "service", "path"]].tolist() == pytest.approx([0.4, 0.5, 0.3])


def test_a_chord_is_its_longest_header_and_its_body():
    events = log(*published(), *ran(1, 0.1, 0.2), *ran(2, 0.1, 0.4), *ran(3, 0.5, 0.6))
    table = tasks(events, [CHORD])
    assert table.loc[0, ["ended", "service", "path"]].tolist() == pytest.approx([0.6, 0.5, 0.4])
    body = parts_of(events, table, [CHORD]).iloc[2]
    assert (body["stage"], body["begin"]) == (1, pytest.approx(0.4)), "when the last of the header ended"


def test_a_failed_part_ends_a_chain_and_a_failed_header_a_chord_when_all_of_it_has_ended():
    chain = log(*published(), *ran(1, 0.1, 0.3, FAILURE))
    row = tasks(chain, [CHAIN]).loc[0]
    assert (row["state"], row["ended"], row["path"]) == (FAILURE, pytest.approx(0.3), pytest.approx(0.2))
    half = log(*published(), *ran(1, 0.1, 0.3, FAILURE))
    assert tasks(half, [CHORD]).loc[0, "state"] == 0, "its other part still runs"
    chord = log(*published(), *ran(1, 0.1, 0.3, FAILURE), *ran(2, 0.1, 0.5))
    row = tasks(chord, [CHORD]).loc[0]
    assert (row["state"], row["ended"]) == (FAILURE, pytest.approx(0.5))
    assert counts(tasks(chord, [CHORD]))["failed"] == 1


def test_a_part_that_ends_twice_is_a_duplicate_and_twice_the_work():
    events = log(*published(), *ran(1, 0.1, 0.2), *ran(1, 0.3, 0.6), *ran(2, 0.7, 0.8), *ran(3, 0.9, 1.0))
    table = tasks(events, [CHAIN])
    assert counts(table)["duplicated"] == 1
    assert table.loc[0, "service"] == pytest.approx(0.1 + 0.3 + 0.1 + 0.1)


def test_units_of_a_mix_have_their_own_parts_and_missing_numbers_are_nobodys():
    workload = [PLAIN, CHAIN, GROUP]
    events = log(
        *published(3, entry=0), *ran(0, 0.1, 0.2, unit=3),
        *published(5, entry=1), *itertools.chain(*(ran(n, n, n + 0.5, unit=5, entry=1) for n in (1, 2, 3))),
        *published(9, entry=2), *itertools.chain(*(ran(n, n, n + 0.5, unit=9, entry=2) for n in (1, 2, 3))),
        *ran(1, 0.1, 0.2, unit=7), *ran(9, 0.1, 0.2, unit=9, entry=2),
    )  # fmt: skip
    table = tasks(events, workload)
    assert table.index.tolist() == [3, 5, 9]
    assert table["ended"].tolist() == pytest.approx([0.2, 3.5, 3.5])
    assert table["path"].isna().tolist() == [True, False, False]
    assert counts(table) | {} == {
        "published": 3, "completed": 3, "failed": 0, "lost": 0, "retried": 0, "duplicated": 0,
    }  # fmt: skip
    bars = executions(events, workload)
    assert sorted(bars["task"].tolist()) == [0, 1, 2, 3, 4, 4, 4], (
        "the tasks of all entries, one after another"
    )


def test_events_of_an_older_run_have_no_parts():
    events = log(*published(), *ran(0, 0.1, 0.2)).drop(columns="part")
    assert tasks(events, [PLAIN]).loc[0, "ended"] == pytest.approx(0.2)


# attempts


def test_service_is_what_slots_did_over_all_attempts():
    events = log(
        *published(),
        (0, 0, 0.1, STARTED, 0, 0, 11), (0, 0, 0.3, ENDED, RETRY, 0, 11),
        (0, 0, 1.0, STARTED, 0, 1, 12), (0, 0, 1.5, ENDED, SUCCESS, 1, 12),
    )  # fmt: skip
    assert tasks(events).loc[0, "service"] == pytest.approx(0.7)
    first, second = by_attempt(events)
    assert (first["name"], second["name"]) == ("1", "2")
    assert first["metrics"] | {} == pytest.approx(
        {"started": 1, "succeeded": 0, "retried": 1, "failed": 0, "mean(service)": 0.2, "max(service)": 0.2}
    )
    assert second["metrics"]["succeeded"] == 1 and second["metrics"]["mean(service)"] == pytest.approx(0.5)


def test_runs_side_by_side_and_of_a_process_that_died_are_told_apart():
    events = log(
        *published(),
        (0, 0, 0.1, STARTED, 0, 0, 11), (0, 0, 0.2, STARTED, 0, 0, 12),
        (0, 0, 0.4, ENDED, SUCCESS, 0, 11), (0, 0, 0.9, ENDED, SUCCESS, 0, 12),
    )  # fmt: skip
    assert tasks(events).loc[0, "service"] == pytest.approx(0.3 + 0.7)
    events = log(
        *published(),
        (0, 0, 0.1, STARTED, 0, 0, 11), (0, 0, 0.4, ENDED, WORKER_LOST, 0, 10),
        (0, 0, 0.5, STARTED, 0, 0, 12), (0, 0, 0.7, ENDED, SUCCESS, 0, 12),
    )  # fmt: skip
    assert tasks(events).loc[0, "service"] == pytest.approx(0.3 + 0.2), "its parent says that it was lost"
    assert by_attempt(events) == (), "nothing was retried"


def test_items_are_calls_of_somebodys_functions():
    table = tasks(log(*published(), *ran(1, 0.1, 0.2), *ran(2, 0.1, 0.2), *ran(3, 0.1, 0.2)), [CHUNKS])
    assert analyse.completed_items(table, [CHUNKS]) == 10
