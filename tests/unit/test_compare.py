"""Two sides compared: which cells belong together, and the verdict of each metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from bench import compare
from bench.errors import UsageError
from bench.measured import TrialResult
from bench.model import Cell, Label, Load, Scenario, Setup, TaskCall, Workers
from bench.report import comparison

SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))
HOST = {"cpu": "A CPU", "cores": 2, "memory": 8 * 2**30, "kernel": "6.1", "python": "3.11"}

Given = Mapping[str, Sequence[float | None]]
"""Cell → throughput of each block; None: the trial failed."""


@dataclass(kw_only=True)
class Stored:
    """What a comparison reads of a run."""

    given: Given
    name: str = "base"
    scenario: Scenario
    meta: Mapping[str, Any] = field(default_factory=lambda: {"host": HOST, "versions": {"celery": "5.6.3"}})
    more: Mapping[str, float] = field(default_factory=dict)
    spin: float = 0.02
    planned: int = 0

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (self.scenario,)

    def results(self) -> list[TrialResult]:
        return [
            TrialResult(
                trial=f"{cell}-{block}", scenario=self.scenario.name, cell=cell, block=block, position=0,
                seed=0, started_at="", outcome="failed" if value is None else "ok",
                metrics={} if value is None
                else {"throughput": value, "makespan": 100 / (value or 1), **self.more},
                host={"spin_before": self.spin, "spin_after": self.spin},
            )
            for cell, values in self.given.items()
            for block, value in enumerate(values)
        ]  # fmt: skip


def scenario(cells: Mapping[str, Mapping[str, Label]], setup: Setup = SETUP, **more: Any) -> Scenario:
    found = tuple(Cell(id=name, settings=settings, setup=setup) for name, settings in cells.items())
    return Scenario(name="s", question="?", metric="throughput", repeats=3, cells=found, **more)


POOLS = scenario({"a": {"workers.pool": "prefork"}, "b": {"workers.pool": "gevent"}})
STEADY = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2]


def stored(given: Given, asked: Scenario = POOLS, **more: Any) -> Any:
    return Stored(given=given, scenario=asked, **more)


def times(values: Sequence[float], factor: float) -> list[float]:
    return [value * factor for value in values]


def verdicts(found: compare.Comparison) -> dict[tuple[str, str], str]:
    return {
        (str(check.pair.settings.get("workers.pool")), check.metric): check.verdict for check in found.checks
    }


def test_two_runs_are_matched_by_settings_whatever_their_cells_are_called() -> None:
    other = scenario({"x": {"workers.pool": "gevent"}, "y": {"workers.pool": "prefork"}})
    base = stored({"a": STEADY, "b": times(STEADY, 3)})
    candidate = stored({"y": times(STEADY, 0.8), "x": times(STEADY, 3.9)}, other, name="candidate")
    found = compare.runs(base, candidate, metrics=["throughput", "makespan"])
    assert verdicts(found) == {
        ("prefork", "throughput"): compare.WORSE,
        ("prefork", "makespan"): compare.WORSE,
        ("gevent", "throughput"): compare.BETTER,
        ("gevent", "makespan"): compare.BETTER,
    }
    first = found.checks[0]
    assert first.value == pytest.approx(0.8, rel=0.01)
    assert first.lower is not None and first.upper is not None and first.lower < 0.8 < first.upper
    assert found.checks[1].value == pytest.approx(1.25, rel=0.01), "candidate ÷ base"
    assert not found.by_block


def test_what_only_one_side_has_and_what_differs_is_listed() -> None:
    base = stored({"a": STEADY, "b": STEADY})
    other = scenario(
        {"a": {"workers.pool": "prefork"}, "c": {"workers.pool": "solo"}},
        replace(SETUP, fleet=(Workers(nodes=3),)),
    )
    meta = {"host": {**HOST, "cores": 8}, "versions": {"celery": "5.7.0"}}
    candidate = stored({"a": STEADY, "c": STEADY}, other, name="candidate", meta=meta, spin=0.03)
    found = compare.runs(base, candidate)
    assert found.matched.only_base == ({"workers.pool": "gevent"},)
    assert found.matched.only_candidate == ({"workers.pool": "solo"},)
    assert {(d.path, d.base, d.candidate) for d in found.matched.differences} == {
        ("host.cores", "2", "8"),
        ("versions.celery", "5.6.3", "5.7.0"),
        ("workers.nodes", "1", "3"),
    }
    assert [d.kind for d in found.doubts] == ["other-session", "other-machine"]
    assert "50 % slower" in found.doubts[0].text


def test_no_cell_in_common_says_what_each_varies() -> None:
    other = scenario({"a": {"workers.nodes": 1}, "b": {"workers.nodes": 2}})
    with pytest.raises(UsageError, match="no cell in common") as told:
        compare.runs(stored({"a": STEADY}), stored({"a": STEADY}, other, name="candidate"))
    assert "workers.pool" in told.value.hint and "workers.nodes" in told.value.hint


def test_inside_a_run_blocks_are_paired() -> None:
    """Blocks differ tenfold, which would hide 20 % from anything that does not pair them."""
    blocks = [100, 1000, 10, 50, 70, 400]
    noise = [1.0, 1.01, 0.99, 1.02, 1.0, 0.99]
    run = stored({"a": blocks, "b": [b * n * 0.8 for b, n in zip(blocks, noise, strict=True)]})
    found = compare.within(run, "pool", "prefork", metrics=["throughput"])
    (check,) = found.checks
    assert (check.verdict, check.pair.candidate, check.n) == (compare.WORSE, "gevent", 6)
    assert check.value == pytest.approx(0.8, rel=0.01)
    apart = compare.runs(
        stored({"a": blocks}), stored({"a": run.given["b"]}, name="c"), metrics=["throughput"]
    )
    assert apart.checks[0].verdict == compare.UNDECIDED


def test_every_other_value_is_held_against_the_baseline_in_equal_circumstances() -> None:
    settings = {
        f"{pool}{depth}": {"workers.pool": pool, "workers.prefetch": depth}
        for pool in ("prefork", "gevent")
        for depth in (1, 4, 16)
    }
    run = stored(dict.fromkeys(settings, STEADY), scenario(settings))
    found = compare.within(run, "workers.prefetch", "4", metrics=["throughput"])
    assert [(c.pair.cells, c.pair.candidate) for c in found.checks] == [
        (("prefork4", "prefork1"), "1"),
        (("gevent4", "gevent1"), "1"),
        (("prefork4", "prefork16"), "16"),
        (("gevent4", "gevent16"), "16"),
    ]
    assert {c.verdict for c in found.checks} == {compare.SAME}


def test_an_axis_that_goes_with_the_compared_one_is_no_circumstance() -> None:
    zipped = {
        f"{pool}-{load}": {"load": load, "workers.pool": pool, "workers.concurrency": n}
        for load in ("calm", "busy")
        for pool, n in (("prefork", 2), ("gevent", 20))
    }
    run = stored(dict.fromkeys(zipped, STEADY), scenario(zipped))
    found = compare.within(run, "pool", "prefork", metrics=["throughput"])
    assert [(c.pair.cells, dict(c.pair.settings)) for c in found.checks] == [
        (("prefork-calm", "gevent-calm"), {"load": "calm"}),
        (("prefork-busy", "gevent-busy"), {"load": "busy"}),
    ]
    lone = {**zipped, "prefork-idle": {"load": "idle", "workers.pool": "prefork", "workers.concurrency": 2}}
    found = compare.within(stored({}, scenario(lone)), "pool", "prefork")
    assert [settings["load"] for settings in found.matched.only_base] == ["idle"]


@pytest.mark.parametrize(
    ("by", "baseline", "words"),
    [
        ("workers.poool", "prefork", "Did you mean 'workers.pool'?"),
        ("workers.pool", "threads", "one of prefork, gevent"),
    ],
)
def test_an_axis_or_a_value_that_is_not_there(by: str, baseline: str, words: str) -> None:
    with pytest.raises(UsageError) as told:
        compare.within(stored({"a": STEADY}), by, baseline)
    assert words in told.value.hint


def test_one_trial_a_side_is_undecided_however_far_apart() -> None:
    found = compare.runs(stored({"a": [100.0]}), stored({"a": [10.0]}, name="c"), metrics=["throughput"])
    (check,) = [c for c in found.checks if c.pair.cells[0] == "a"]
    assert (check.verdict, check.value, check.more) == (compare.UNDECIDED, None, None)
    assert "One trial" in check.why


def test_a_small_sure_difference_is_the_same_and_a_wide_interval_is_undecided() -> None:
    small = stored({"a": STEADY, "b": times(STEADY, 0.99)})
    (check,) = compare.within(small, "pool", "prefork", metrics=["throughput"]).checks
    assert check.verdict == compare.SAME
    wide = stored({"a": STEADY, "b": [90.0, 112.0, 95.0, 104.0, 99.0, 93.0]})
    (check,) = compare.within(wide, "pool", "prefork", metrics=["throughput"]).checks
    assert check.verdict == compare.UNDECIDED
    assert check.more is not None and check.more > 10
    assert check.smallest is not None and check.smallest > 0.08


def test_the_margin_is_the_users() -> None:
    run = stored({"a": STEADY, "b": times(STEADY, 0.95)})
    for margin, verdict in ((0.02, compare.WORSE), (0.10, compare.SAME)):
        (check,) = compare.within(run, "pool", "prefork", metrics=["throughput"], margin=margin).checks
        assert check.verdict == verdict


def test_counts_are_compared_by_their_difference() -> None:
    run = stored({"a": STEADY, "b": STEADY}, more={"failed": 0.0})
    (check,) = compare.within(run, "pool", "prefork", metrics=["failed"]).checks
    assert (check.verdict, check.value) == (compare.SAME, 0.0)
    base, worse = stored({"a": STEADY}, more={"failed": 0.0}), stored({"a": STEADY}, more={"failed": 3.0})
    checks = compare.runs(base, worse, metrics=["failed"]).checks
    assert [(c.verdict, c.value) for c in checks] == [(compare.WORSE, 3.0)]


def test_failed_trials_are_told_and_do_not_count() -> None:
    run = stored({"a": STEADY, "b": [None] * 6})
    (check,) = compare.within(run, "pool", "prefork", metrics=["throughput"]).checks
    assert (check.verdict, check.pair.failed) == (compare.UNDECIDED, (0, 6))
    assert check.why == "Every trial of gevent failed."


def test_what_is_compared_where_nobody_says() -> None:
    asked = scenario({"a": {}}, gates=("p99(response) < 1s", "memory < 1GiB"))
    assert compare.metrics_of([asked]) == (
        "throughput", "p99(response)", "memory", "cpu_per_task", "failed", "lost",
    )  # fmt: skip


def test_equal_sides_are_rarely_told_apart_over_many_checks() -> None:
    """Of 400 comparisons of 12 equal cells each, with a margin of nothing, about one in twenty may err."""
    rng = np.random.default_rng(3)
    settings = {f"{i}{side}": {"n": i, "pool": side} for i in range(12) for side in "ab"}
    asked = scenario(settings)
    wrong = 0
    for _ in range(400):
        run = stored({cell: np.exp(rng.normal(0, 0.05, 6)).tolist() for cell in settings}, asked)
        found = compare.within(run, "pool", "a", metrics=["throughput"], margin=0.0)
        wrong += any(c.verdict in (compare.WORSE, compare.BETTER) for c in found.checks)
    assert 6 <= wrong <= 34, "binomial with p = 0.05, three deviations"


def test_a_side_without_any_throughput_is_worse_and_the_other_way_round_better() -> None:
    nothing = [0.0] * len(STEADY)
    pools = {"a": STEADY, "b": nothing}
    (check,) = compare.within(stored(pools), "pool", "prefork", metrics=["throughput"]).checks
    assert (check.verdict, check.value) == (compare.WORSE, 0.0)
    (back,) = compare.within(stored(pools), "pool", "gevent", metrics=["throughput"]).checks
    assert back.verdict == compare.UNDECIDED and back.why == "The base is zero, so there is no ratio."


def test_a_metric_that_is_asked_for_is_never_left_out() -> None:
    run = stored({"a": STEADY, "b": STEADY})
    (check,) = compare.within(run, "pool", "prefork", metrics=["p99(response)"]).checks
    assert check.verdict == compare.UNDECIDED and "was not computed for the base" in check.why


def test_the_only_cell_in_common_keeps_its_name() -> None:
    other = scenario({"x": {"workers.pool": "gevent"}, "y": {"workers.pool": "solo"}})
    found = compare.runs(stored({"a": STEADY, "b": STEADY}), stored({"x": STEADY, "y": STEADY}, other))
    assert {comparison.cell_name(found, check) for check in found.checks} == {"gevent"}
