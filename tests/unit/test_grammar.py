"""What a condition says and which cells it means."""

import pytest

from bench import grammar
from bench.grammar import Part, Side

CELLS = [
    {"workers.pool": pool, "workers.prefetch": prefetch, "workload": work, "broker": kind}
    for pool in ("prefork", "gevent")
    for prefetch in (1, 4)
    for work in ("cpu", "io.sleep(seconds=0.05)")
    for kind in ("valkey", True)
]


@pytest.mark.parametrize(
    ("text", "left", "right", "op", "limit"),
    [
        ("throughput[gevent] / throughput[prefork] > 3", "throughput[gevent]", "throughput[prefork]", ">", 3),
        ("makespan[a,b]/makespan[ b , c=d ]<=90%", "makespan[a, b]", "makespan[b, c=d]", "<=", 0.9),
        ("p95(wait) / p95( service ) < 0.5", "p95(wait)", "p95(service)", "<", 0.5),
        ("lost[acks=early] > 0", "lost[acks=early]", None, ">", 0),
        ("memory[threads] < 200MiB", "memory[threads]", None, "<", 200 * 2**20),
        ("throughput > 30/min", "throughput", None, ">", 0.5),
    ],
)
def test_what_is_written(text, left, right, op, limit):
    found = grammar.parse(text)
    assert (str(found.left), found.right and str(found.right), found.op) == (left, right, op)
    assert found.limit == pytest.approx(limit)
    assert found.is_ratio == (right is not None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("throughput[gevent] / > 3", "is not a condition"),
        ("throughput[gevent / throughput > 3", "is not a condition"),
        ("[gevent] > 3", "is not a condition"),
        ("throughput[] > 3/s", "empty place"),
        ("throughput[a,] > 3/s", "empty place"),
        ("throughput[pool=] > 3/s", "empty place"),
        ("trougput[a] / throughput[b] > 3", "did you mean throughput"),
        ("throughput[a] / throughputs[b] > 3", "did you mean throughput"),
        ("throughput[a] / throughput[b] > 3/s", "not a plain number"),
        ("throughput[a] / makespan[b] > 3", "not of a kind"),
        ("throughput[a] / throughput[a] > 3", "both sides are the same"),
        ("lost[a] / lost[b] > 0", "limit above zero"),
        ("throughput[a] / throughput[b] = 3", "not an operator"),
        ("lost[a] > 3s", "not a plain number"),
        ("throughput[a] > 3", "not a rate"),
    ],
)
def test_mistakes_say_what_to_write(text, says):
    with pytest.raises(ValueError, match=says):
        grammar.parse(text)


def side(*parts: str) -> Side:
    return grammar.parse(f"makespan[{','.join(parts)}] < 1s").left


@pytest.mark.parametrize(
    ("parts", "cells"),
    [
        (["gevent"], 8),
        (["pool=gevent", "prefetch=4"], 4),
        (["workers.pool=gevent", "4", "cpu"], 2),
        (["io.sleep(seconds=0.05)"], 8),
        (["workload=io.sleep(seconds=0.05)", "true"], 4),
        (["kevent"], 0),
    ],
)
def test_a_side_means_the_cells_that_have_all_labels(parts, cells):
    assert len(grammar.chosen_by(side(*parts), CELLS)) == cells


def test_without_labels_it_means_all_cells():
    assert grammar.chosen_by(Side(metric="makespan"), CELLS) == list(range(len(CELLS)))


def test_a_path_in_full_goes_before_one_that_ends_like_it():
    cells = [{"load": 4, "more.load": 7}, {"load": 7, "more.load": 4}]
    assert grammar.chosen_by(Side(metric="makespan", parts=(Part(path="load", label="4"),)), cells) == [0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("makespan[kevent] < 1s", "did you mean gevent"),
        ("makespan[pool=thread] < 1s", "there are prefork, gevent"),
        ("makespan[pol=gevent] < 1s", "did you mean pool"),
        ("makespan[cpu, pool=gevent, prefork] < 1s", "no cell has all of cpu, pool=gevent, prefork"),
        ("makespan[gevent] / makespan[cpu] > 1", "on both sides"),
        ("makespan[gevent] / makespan > 1", "on both sides"),
    ],
)
def test_sides_that_mean_nothing(text, says):
    with pytest.raises(ValueError, match=says):
        grammar.check(grammar.parse(text), CELLS)


def test_a_label_of_two_axes_has_to_say_which():
    cells = [{"workers.prefetch": 4, "workers.concurrency": c} for c in (4, 8)]
    with pytest.raises(ValueError, match=r"prefetch or workers.concurrency; .* workers.prefetch=4"):
        grammar.check(grammar.parse("makespan[4] < 1s"), cells)
    grammar.check(grammar.parse("makespan[concurrency=4] < 1s"), cells)


def test_one_cell_has_no_labels():
    with pytest.raises(ValueError, match="one cell"):
        grammar.check(grammar.parse("makespan[gevent] < 1s"), [{}])
    grammar.check(grammar.parse("p95(wait) / p95(service) < 1"), [{}])
