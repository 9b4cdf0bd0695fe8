"""Gates: their grammar, and verdicts on the interval."""

from dataclasses import replace

import numpy as np
import pytest

from bench import gate
from bench.measured import CellSummary, Estimate, TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall


@pytest.mark.parametrize(
    ("text", "metric", "op", "limit"),
    [
        ("p99(response) < 250ms", "p99(response)", "<", 0.25),
        ("throughput>500/s", "throughput", ">", 500.0),
        ("memory <= 400MiB", "memory", "<=", 400 * 2**20),
        ("failed <= 0", "failed", "<=", 0.0),
        ("utilisation >= 80%", "utilisation", ">=", 0.8),
        ("utilisation >= 0.8", "utilisation", ">=", 0.8),
        ("makespan < 2m", "makespan", "<", 120.0),
        ("cpu < 1.5", "cpu", "<", 1.5),
        (" p50( wait ) < 1 s ", "p50(wait)", "<", 1.0),
    ],
)
def test_grammar(text: str, metric: str, op: str, limit: float) -> None:
    got = gate.parse(text)
    assert (got.metric, got.op, got.text) == (metric, op, text.strip())
    assert got.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a gate"),
        ("throughput", "is not a gate"),
        ("< 5", "is not a gate"),
        ("troughput > 500/s", "did you mean throughput"),
        ("p99(respnse) < 1s", r"did you mean p99\(response\)"),
        ("nonsense < 1s", "some"),
        ("throughput == 5/s", "not an operator"),
        ("throughput > 500", "not a rate"),
        ("throughput > 500ms", "not a rate"),
        ("p99(response) < 250", "not a duration"),
        ("memory < 4s", "not a size"),
        ("failed <= none", "not a plain number"),
        ("failed <= nan", "not a plain number"),
        ("makespan < 1s < 2s", "not a duration"),
    ],
)
def test_mistakes_say_what_to_write(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        gate.parse(text)


def summary(metric: str, estimate: Estimate | None, trials: int = 5, failed: int = 0) -> CellSummary:
    metrics = {metric: estimate} if estimate else {}
    return CellSummary(
        scenario="s", cell="c", settings={}, trials=trials, failed_trials=failed, metrics=metrics
    )


@pytest.mark.parametrize(
    ("lower", "upper", "outcome"),
    [(0.1, 0.2, "pass"), (0.3, 0.4, "fail"), (0.2, 0.3, "undecided"), (0.25, 0.25, "fail")],
)
def test_judged_on_the_interval(lower: float, upper: float, outcome: str) -> None:
    estimate = Estimate(point=0.2, lower=lower, upper=upper, n=5)
    got = gate.judge(gate.parse("p99(response) < 250ms"), summary("p99(response)", estimate))
    assert got.outcome == outcome
    assert got.text.startswith("p99(response) < 250ms") and "5 trials" in got.text


def test_one_trial_decides_nothing_but_counts() -> None:
    fast = gate.judge(gate.parse("makespan < 1h"), summary("makespan", Estimate(point=1.0), trials=1))
    assert fast.outcome == "undecided" and "one trial" in fast.text
    for seen, outcome in ((0.0, "pass"), (1.0, "fail")):
        got = gate.judge(gate.parse("failed <= 0"), summary("failed", Estimate(point=seen), trials=1))
        assert got.outcome == outcome


def test_counts_are_judged_on_their_mean() -> None:
    estimate = Estimate(point=0.2, lower=0.0, upper=0.8, n=5)
    assert gate.judge(gate.parse("failed <= 0"), summary("failed", estimate)).outcome == "fail"


def test_what_was_not_measured() -> None:
    limit = gate.parse("p99(wait) < 1s")
    assert gate.judge(limit, summary("x", None, trials=2, failed=2)).outcome == "fail"
    assert "not computed" in gate.judge(limit, summary("x", None, trials=2, failed=1)).text
    assert "not run" in gate.judge(limit, summary("x", None, trials=0)).text


CELLS = [
    {"workload": work, "workers.pool": pool, "variant": side}
    for work in ("io", "cpu")
    for pool in ("prefork", "gevent")
    for side in ("old", "new")
]
FACTOR = {"gevent": 3.0, "new": 0.9, "cpu": 0.1}


def asked(*gates: str) -> Scenario:
    setup = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))
    cells = tuple(Cell(id="-".join(cell.values()), settings=cell, setup=setup) for cell in CELLS)
    return Scenario(name="s", question="?", metric="throughput", repeats=5, gates=gates, cells=cells)


def trials(noise: float = 0.02, blocks: int = 5) -> list[TrialResult]:
    """100/s times what the labels say; the blocks of a host drift together."""
    rng = np.random.default_rng(3)
    found = []
    for block in range(blocks):
        host = rng.lognormal(0, 0.3)
        for cell in CELLS:
            rate = 100 * host * rng.lognormal(0, noise)
            for label in cell.values():
                rate *= FACTOR.get(label, 1.0)
            name = "-".join(cell.values())
            found.append(
                TrialResult(
                    trial=f"{name}-{block}", scenario="s", cell=name, block=block, position=0, seed=0,
                    started_at="", outcome="ok", metrics={"throughput": rate},
                )
            )  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("throughput[gevent] / throughput[prefork] > 2", "pass"),
        ("throughput[gevent] / throughput[prefork] > 4", "fail"),
        ("throughput[gevent] / throughput[prefork] > 3", "undecided"),
        ("throughput[new] / throughput[old] > 80%", "pass"),
        ("throughput[cpu, gevent] < 1000/s", "pass"),
        ("throughput[cpu, gevent] > 1000/s", "fail"),
    ],
)
def test_a_gate_between_cells_is_paired_by_block(text: str, outcome: str) -> None:
    (found,) = gate.verdicts(text, asked(text), [], trials())
    assert (found.outcome, found.cell) == (outcome, "")
    assert found.text.startswith(f"{text} {gate.WORDS[outcome]}: ")


def test_one_block_decides_nothing_between_cells() -> None:
    text = "throughput[gevent] / throughput[prefork] > 2"
    (found,) = gate.verdicts(text, asked(text), [], trials(blocks=1))
    assert found.outcome == "undecided" and "One block says nothing" in found.text


def test_where_only_some_cells_count() -> None:
    new = [cell.id for cell in asked().cells if cell.settings["variant"] == "new"]
    text = "throughput[gevent] / throughput[prefork] > 2"
    slow_before = [replace(r, metrics={"throughput": 1.0}) if "gevent-old" in r.cell else r for r in trials()]
    (found,) = gate.verdicts(text, asked(text), [], slow_before, cells=new)
    assert found.outcome == "pass", "what was measured of the old side does not count"
    both = "throughput[new] / throughput[old] > 80%"
    (found,) = gate.verdicts(both, asked(both), [], trials(), cells=new)
    assert found.outcome == "pass", "it names both sides itself"
