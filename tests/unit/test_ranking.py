"""Ranking cells: circumstances, pairs, contenders, the cheapest of them."""

import pytest

from bench.measured import TrialResult
from bench.model import Cell, Label, Load, Scenario, Setup, TaskCall
from bench.ranking import rank

SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))


def scenario(*cells: tuple[str, dict[str, Label]], metric: str = "throughput") -> Scenario:
    return Scenario(
        name="s",
        question="?",
        metric=metric,
        repeats=3,
        cells=tuple(Cell(id=i, settings=s, setup=SETUP) for i, s in cells),
    )


def trials(cell: str, values: list[float | None], **more: float) -> list[TrialResult]:
    """One trial a block with this throughput; None is a failed trial."""
    return [
        TrialResult(
            trial=f"{cell}-{block}", scenario="s", cell=cell, block=block, position=0, seed=0, started_at="",
            outcome="failed" if value is None else "ok",
            metrics={} if value is None else {"throughput": value, "makespan": 1 / (value or 1), **more},
        )
        for block, value in enumerate(values)
    ]  # fmt: skip


POOLS = scenario(("a", {"workers.pool": "a"}), ("b", {"workers.pool": "b"}), ("c", {"workers.pool": "c"}))


def test_the_best_its_equals_and_the_rest() -> None:
    """Blocks differ tenfold; within a block b is 1 % behind a, c always half."""
    results = [
        *trials("a", [100, 1000, 10, 50, 70], memory=300.0, cpu_per_task=1.0),
        *trials("b", [98, 1010, 9.7, 50, 69], memory=200.0, cpu_per_task=1.0),
        *trials("c", [49, 507, 5.1, 25, 34], memory=100.0, cpu_per_task=1.0),
    ]
    (got,) = rank(POOLS, results, "throughput")
    assert (got.order, got.best, got.contenders, got.cheapest) == (("a", "b", "c"), "a", ("a", "b"), "b")
    b, c = got.rivals
    assert not b.told_apart and c.told_apart
    assert c.ratio == pytest.approx(0.5, rel=0.02)
    assert c.lower is not None and c.upper is not None and c.lower < 0.5 < c.upper < 0.6
    assert (got.decided, got.pairs) == (False, 5)


def test_lower_is_better_for_times() -> None:
    results = [*trials("a", [10, 10.1, 10.2]), *trials("b", [20, 20.1, 20.2])]
    (got,) = rank(POOLS, results, "makespan")
    assert got.order == ("b", "a")
    assert got.missing == ("c",)
    assert got.decided


def test_one_trial_a_cell_tells_nothing_apart() -> None:
    (got,) = rank(POOLS, [*trials("a", [1.0]), *trials("b", [50.0]), *trials("c", [2.0])], "throughput")
    assert got.best == "b"
    assert set(got.contenders) == {"a", "b", "c"}
    assert got.pairs == 1 and not got.decided
    assert [r.ratio for r in got.rivals] == pytest.approx([0.04, 0.02])


def test_nothing_measured() -> None:
    (got,) = rank(POOLS, [], "throughput")
    assert (got.best, got.order, got.contenders, got.cheapest) == (None, (), (), None)


def test_a_cell_with_a_failed_trial_comes_last_and_is_no_contender() -> None:
    results = [*trials("a", [10, 10.1, 10.2]), *trials("b", [99, None, 98]), *trials("c", [10.1, 10, 10.2])]
    (got,) = rank(POOLS, results, "throughput")
    assert got.best in ("a", "c")
    assert got.order[-1] == "b" and "b" not in got.contenders


def test_values_that_are_zero_have_no_ratio() -> None:
    (got,) = rank(POOLS, [*trials("a", [0.0, 1.0]), *trials("b", [1.0, 2.0])], "throughput")
    assert got.rivals[0].ratio is None and not got.rivals[0].told_apart


def test_pairs_are_blocks_in_common() -> None:
    results = [*trials("a", [10, 10, 10, 10]), *trials("b", [9, 8])]
    (got,) = rank(POOLS, results, "throughput")
    assert got.rivals[0].pairs == got.pairs == 2


def test_each_circumstance_has_its_own_ranking() -> None:
    asked = scenario(
        ("a1", {"workers.pool": "a", "workload.0.task": "cpu"}),
        ("b1", {"workers.pool": "b", "workload.0.task": "cpu"}),
        ("a2", {"workers.pool": "a", "workload.0.task": "io"}),
        ("b2", {"workers.pool": "b", "workload.0.task": "io"}),
    )
    results = [
        r for cell, v in (("a1", 2.0), ("b1", 1.0), ("a2", 1.0), ("b2", 2.0)) for r in trials(cell, [v])
    ]
    cpu, io = rank(asked, results, "throughput")
    assert (cpu.circumstance, cpu.best) == ({"workload.0.task": "cpu"}, "a1")
    assert (io.circumstance, io.best) == ({"workload.0.task": "io"}, "b2")


def test_of_equal_memory_the_least_cpu_is_cheapest() -> None:
    results = [
        *trials("a", [10.0], memory=101.0, cpu_per_task=1.0),
        *trials("b", [10.0], memory=100.0, cpu_per_task=2.0),
        *trials("c", [10.0], memory=200.0, cpu_per_task=0.1),
    ]
    assert rank(POOLS, results, "throughput")[0].cheapest == "a"
