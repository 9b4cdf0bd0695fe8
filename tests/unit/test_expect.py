"""Verdicts on beliefs, from trials whose truth is known."""

import json
from itertools import product

import numpy as np
import pytest

from bench import expect, grammar
from bench.jsonable import from_plain, plain
from bench.measured import TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall

SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=10))
POOLS, WORK = ("prefork", "gevent"), ("cpu", "io")
RATIO = "throughput[gevent] / throughput[prefork] > 3"


def scenario(*expected: str, belief: str = "Green is faster", cells=None) -> Scenario:
    cells = cells or [{"workload": w, "workers.pool": p} for w, p in product(WORK, POOLS)]
    return Scenario(
        name="s",
        question="Is it?",
        metric="throughput",
        repeats=5,
        belief=belief,
        expect=expected,
        cells=tuple(Cell(id="-".join(map(str, c.values())), settings=c, setup=SETUP) for c in cells),
    )


def trial(cell: str, block: int, outcome: str = "ok", **metrics: float) -> TrialResult:
    return TrialResult(
        trial=f"{cell}-{block}", scenario="s", cell=cell, block=block, position=1, seed=1, started_at="",
        outcome=outcome, metrics=metrics if outcome == "ok" else {},
    )  # fmt: skip


def trials(ratio: float, *, blocks: int = 5, noise: float = 0.05, seed: int = 1) -> list[TrialResult]:
    """100/s with prefork, ``ratio`` times that with gevent, a tenth of it for cpu; blocks drift together."""
    rng = np.random.default_rng(seed)
    out = []
    for block in range(1, blocks + 1):
        host = rng.lognormal(0, 0.3)
        for work, pool in product(WORK, POOLS):
            rate = 100 * host * rng.lognormal(0, noise) * (ratio if pool == "gevent" else 1)
            out.append(trial(f"{work}-{pool}", block, throughput=rate / (10 if work == "cpu" else 1)))
    return out


def judge(text: str, results, asked: Scenario | None = None) -> expect.Expectation:
    return expect.judge(grammar.parse(text), asked or scenario(text), results)


def test_partners_are_matched_by_their_other_settings():
    found = judge(RATIO, trials(4.0))
    assert (found.outcome, found.partners, found.estimate.n) == ("held", 2, 5)
    assert found.estimate.lower < 4 < found.estimate.upper
    assert [side.text for side in found.sides] == ["throughput[gevent]", "throughput[prefork]"]
    assert [side.cells for side in found.sides] == [
        ("cpu-gevent", "io-gevent"),
        ("cpu-prefork", "io-prefork"),
    ]
    assert (
        found.text.startswith(f"{RATIO}: held, 3.98 × (3.78 to 4.2), 5 blocks") and "5 blocks" in found.text
    )


@pytest.mark.parametrize(("truth", "outcome"), [(6.0, "held"), (3.0, "undecided"), (1.5, "refuted")])
def test_what_is_far_from_the_limit_is_decided_and_what_is_at_it_hardly_ever(truth, outcome):
    outcomes = [judge(RATIO, trials(truth, seed=seed)).outcome for seed in range(200)]
    assert outcomes.count(outcome) >= (180 if outcome == "undecided" else 199)


def test_at_the_limit_each_wrong_verdict_comes_in_one_of_forty():
    outcomes = [judge(RATIO, trials(3.0, seed=seed)).outcome for seed in range(400)]
    assert outcomes.count("held") <= 20 and outcomes.count("refuted") <= 20


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_the_interval_holds_the_truth(blocks):
    found = [judge(RATIO, trials(2.5, blocks=blocks, seed=seed)).estimate for seed in range(200)]
    assert 178 <= sum(e.lower <= 2.5 <= e.upper for e in found) <= 200


def test_a_cell_without_a_partner_is_left_out():
    asked = scenario(RATIO, cells=[{"workload": w, "workers.pool": p} for w, p in
                                   (("cpu", "prefork"), ("io", "prefork"), ("io", "gevent"))])  # fmt: skip
    found = judge(RATIO, trials(4.0), asked)
    assert found.partners == 1
    assert found.sides[1].cells == ("io-prefork",)
    assert found.sides[1].estimate.point > 50, "not mixed with the slow cpu cell"


def test_axes_that_are_zipped_with_the_named_one_do_not_part_partners():
    cells = [{"workers.pool": p, "workers.concurrency": c} for p, c in (("prefork", 2), ("gevent", 100))]
    results = [
        trial(f"{p}-{c}", block, throughput=rate + block)
        for p, c, rate in (("prefork", 2, 100), ("gevent", 100, 500))
        for block in (1, 2, 3)
    ]
    assert judge(RATIO, results, scenario(RATIO, cells=cells)).partners == 1


def test_without_partners_the_mean_over_all_cells_stands_for_a_side():
    cells = [{"workload": w, "workers.pool": p} for w, p in
             (("cpu", "prefork"), ("io", "prefork"), ("cpu", "gevent"), ("io", "threads"))]  # fmt: skip
    text = "makespan[prefork, cpu] / makespan[io, threads] > 1"
    results = [trial(f"{c['workload']}-{c['workers.pool']}", b, makespan=b) for c in cells for b in (1, 2, 3)]
    found = judge(text, results, scenario(text, cells=cells))
    assert (found.partners, found.estimate.point) == (1, 1.0)
    crossed = "makespan[prefork] / makespan[threads] > 1"
    shared = [{"workload": w, "workers.pool": p, "workers.nodes": n} for w, p, n in
              (("cpu", "prefork", 1), ("io", "prefork", 2), ("io", "threads", 1))]  # fmt: skip
    results = [
        trial("-".join(map(str, c.values())), b, makespan=m)
        for c, m in zip(shared, (4.0, 1.0, 2.0), strict=True)
        for b in (1, 2)
    ]
    found = judge(crossed, results, scenario(crossed, cells=shared))
    assert (found.partners, found.estimate.point) == (0, pytest.approx(1.0))


def test_one_side_is_judged_in_its_unit():
    found = judge("throughput[io, gevent] > 50/s", trials(4.0, noise=0.01))
    assert (found.outcome, found.is_ratio) == ("held", False)
    assert found.number.endswith("/s)")
    assert judge("throughput[io, gevent] > 5000/s", trials(4.0)).outcome == "refuted"


def test_one_block_is_undecided():
    for text in (RATIO, "throughput[io, gevent] > 50/s"):
        found = judge(text, trials(9.0, blocks=1))
        assert found.outcome == "undecided" and "One block" in found.text


@pytest.mark.parametrize(
    ("early", "late", "text", "outcome"),
    [
        ((3, 0), (0, 0), "lost[early] > 0", "held"),
        ((0, 0), (0, 0), "lost[early] > 0", "refuted"),
        ((3, 5), (1, 1), "lost[early] / lost[late] > 3", "held"),
        ((3, 5), (0, 0), "lost[early] / lost[late] > 3", "held"),
        ((0, 0), (0, 1), "lost[early] / lost[late] > 3", "refuted"),
        ((0, 0), (0, 0), "lost[early] / lost[late] > 3", "undecided"),
    ],
)
def test_counts_are_judged_on_their_mean_and_may_be_zero(early, late, text, outcome):
    asked = scenario(text, cells=[{"acks": "early"}, {"acks": "late"}])
    results = [trial(c, b, lost=n) for c, ns in (("early", early), ("late", late)) for b, n in enumerate(ns)]
    found = judge(text, results, asked)
    assert found.outcome == outcome
    assert found.text


def test_what_was_not_measured_is_said():
    def said(results, text=RATIO, **more) -> str:
        found = judge(text, results, scenario(text, **more))
        assert found.outcome == "undecided"
        return found.text

    half = [t for t in trials(4.0) if "gevent" not in t.cell]
    assert "throughput[gevent] was not run" in said(half)
    broken = [trial(t.cell, t.block, "failed") if "gevent" in t.cell else t for t in trials(4.0)]
    assert "Every trial of throughput[gevent] failed" in said(broken)
    assert "10 of 20 trials failed" in said(broken)
    assert "not computed" in said(trials(4.0), "p99(wait)[gevent] / p99(wait)[prefork] > 3")
    assert "No cell of this run is gevent" in said(
        half, cells=[{"workload": "io", "workers.pool": "prefork"}]
    )
    zero = [trial(t.cell, t.block, throughput=0.0) for t in trials(4.0)]
    assert "no ratio" in said(zero)
    apart = [t for t in trials(4.0) if t.block % 2 == ("gevent" in t.cell)]
    assert "No block has all" in said(apart)


def test_failed_trials_leave_out_their_block():
    results = [trial(t.cell, t.block, "failed") if t.trial == "io-gevent-2" else t for t in trials(4.0)]
    found = judge(RATIO, results)
    assert found.estimate.n == 4
    assert found.why == ("1 of 20 trials failed and do not count.",)


def test_a_belief_holds_if_all_it_lets_expect_does():
    high, low = RATIO, "throughput[gevent] / throughput[prefork] < 2"
    near = "throughput[gevent] / throughput[prefork] > 4"
    for expected, outcome in (((high,), "held"), ((high, near), "undecided"), ((high, near, low), "refuted")):
        assert expect.belief(scenario(*expected), trials(4.0)).outcome == outcome
    assert expect.belief(scenario(belief=""), trials(4.0)) is None


def test_a_scenario_keeps_its_belief_on_disk_and_reads_older_ones():
    asked = scenario(RATIO)
    data = json.loads(json.dumps(plain(asked)))
    assert (from_plain(data).belief, from_plain(data).expect) == (asked.belief, asked.expect)
    del data["belief"], data["expect"]
    assert (from_plain(data).belief, from_plain(data).expect) == ("", ())
