"""What one axis does, on trials whose truth is known."""

import numpy as np

from bench.effects import effects
from bench.measured import TrialResult
from bench.model import Cell, Load, Setup, TaskCall

POOLS = ("prefork", "threads", "gevent")
PREFETCH = (1, 4, 16)
AXES = ("workers.prefetch", "workers.pool")
SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=10))
CELLS = [
    Cell(id=f"{pool}-{n}", settings={"workers.prefetch": n, "workers.pool": pool}, setup=SETUP)
    for n in PREFETCH
    for pool in POOLS
]


def trials(
    deep: float, *, blocks: int = 6, noise: float = 0.05, seed: int = 1, leave_out: str = ""
) -> list[TrialResult]:
    """Makespans of a second, ``deep`` times that at prefetch 16, twice on prefork; blocks drift."""
    rng = np.random.default_rng(seed)
    found = []
    for block in range(1, blocks + 1):
        host = rng.lognormal(0, 0.2)
        for cell in CELLS:
            makespan = (
                host * rng.lognormal(0, noise) * (deep if cell.settings["workers.prefetch"] == 16 else 1.0)
            )
            makespan *= 2.0 if cell.settings["workers.pool"] == "prefork" else 1.0
            failed = cell.id == leave_out
            found.append(
                TrialResult(
                    trial=f"{cell.id}-{block}",
                    scenario="s",
                    cell=cell.id,
                    block=block,
                    position=1,
                    seed=1,
                    started_at="",
                    outcome="failed" if failed else "ok",
                    metrics={} if failed else {"makespan": makespan},
                )
            )
    return found


def one(axis: str, level: object, results: list[TrialResult]):
    (found,) = [e for e in effects(CELLS, AXES, results, "makespan") if e.axis == axis and e.level == level]
    return found


def test_a_deep_prefetch_is_found_over_all_pools_where_no_pool_alone_would_show_it():
    effect = one("workers.prefetch", 16, trials(1.1))
    assert effect.told_apart
    assert effect.lower <= 1.1 <= effect.upper * 1.05
    assert (effect.others, effect.pairs) == (3, 6)


def test_the_pool_is_judged_by_itself_too():
    effect = one("workers.pool", "prefork", trials(1.1))
    assert effect.told_apart
    assert 1.9 < effect.ratio < 2.2


def test_no_effect_is_told_apart_in_about_one_of_twenty_at_most():
    wrong = sum(
        any(e.told_apart for e in effects(CELLS, ("workers.prefetch",), trials(1.0, seed=seed), "makespan"))
        for seed in range(200)
    )
    # the base is the best of three by luck, so each comparison errs a little more often than the 5 % of Holm
    assert wrong <= 30


def test_the_interval_holds_the_truth():
    held = sum(
        (e := one("workers.prefetch", 16, trials(2.0, seed=seed))).lower <= 2.0 <= e.upper
        for seed in range(200)
    )
    assert 176 <= held <= 200


def test_settings_that_were_not_measured_whole_are_left_out():
    assert one("workers.prefetch", 16, trials(1.5, leave_out="gevent-4")).others == 2


def test_one_block_says_nothing():
    assert effects(CELLS, AXES, trials(3.0, blocks=1), "makespan") == ()
