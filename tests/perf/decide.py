"""Tuners replayed on recorded grids: regret, time, inflation, violations. Judged on
docs/perf-decide.jsonl, and once more on what a noisier host gave (docs/perf-decide-noisy.jsonl).

One half of the blocks of a grid names the best cell, the other half values it and what was chosen. Of the
first half three blocks give the fresh trials of a confirmation, and a search may draw from the others. How
the blocks are dealt is drawn anew for each replay. Searches get a third of the time that five blocks of the
grid take.

What the host did to a whole block (minutes apart from the next) is taken out of throughput and CPU first:
trials of a search follow each other within minutes, and reported and valued numbers are of the same minutes.
"""

import json
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple, cast

import click
import numpy as np
from grids import KEPT, KINDS, NOISY, RAW, Kind
from report import PAGE, between

from bench import grammar
from bench.measured import TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall, Trial, Workers
from bench.search import tuned
from bench.search.tune import LEAST_BLOCKS, Tuning
from bench.store import Run

REPLAYS = 30
GRID_BLOCKS = 5
SHARE = 1 / 3
"""Of the grid's time that a search may spend."""

SETUP = Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1))
Key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Recorded trials of a kind of work: cell → block (numbered over all runs) → what was measured."""

    kind: Kind
    cells: tuple[Cell, ...]
    trials: Mapping[str, Mapping[int, Mapping[str, Any]]]

    @property
    def seconds(self) -> float:
        """Of five blocks of everything."""
        means = [fmean(t["seconds"] for t in by_block.values()) for by_block in self.trials.values()]
        return GRID_BLOCKS * sum(means)

    @property
    def blocks(self) -> int:
        """How many."""
        return len({block for own in self.trials.values() for block in own})

    @property
    def noise(self) -> float:
        """Standard deviation of the logarithm of throughput among trials of a cell."""
        logs = [
            np.log([t["throughput"] for t in own.values() if t.get("throughput")])
            for own in self.trials.values()
        ]
        return float(np.sqrt(np.mean([np.var(own, ddof=1) for own in logs if own.size > 1])))

    def mean(self, cell: str, blocks: Sequence[int], metric: str = "throughput") -> float:
        """Geometric, over these blocks."""
        found = [self.trials[cell][b][metric] for b in blocks if metric in self.trials[cell].get(b, ())]
        return float(np.exp(np.mean(np.log(found)))) if found else 0.0

    def kept(self, cell: str, blocks: Sequence[int]) -> bool:
        """Whether the condition holds on average."""
        if not self.kind.condition:
            return True
        condition = grammar.parse(self.kind.condition)
        return condition.keeps(self.mean(cell, blocks, condition.metric))

    def best(self, blocks: Sequence[int]) -> str:
        """The best that keeps the condition, by these blocks."""
        fit = [cell.id for cell in self.cells if self.kept(cell.id, blocks)]
        return max(fit, key=lambda id: self.mean(id, blocks))

    def find(self, settings: Mapping[str, Any]) -> str:
        """The cell with these settings, whatever else differs, or the one nearest in concurrency."""
        pool = settings["workers.pool"]
        same = [cell for cell in self.cells if cell.settings["workers.pool"] == pool]
        wanted = settings["workers.concurrency"]
        return min(same, key=lambda c: abs(float(c.settings["workers.concurrency"]) - wanted)).id


def grids(file: Path = RAW) -> list[Grid]:
    """All that were recorded there."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = []
    for kind in KINDS:
        mine = [line for line in lines if line["kind"] == kind.name]
        if not mine:
            continue
        ids: dict[Key, str] = {}
        trials: dict[str, dict[int, dict[str, Any]]] = {}
        blocks: dict[tuple[str, int], int] = {}
        for line in mine:
            id = ids.setdefault(tuple(line["settings"].items()), f"c{len(ids):03}")
            block = blocks.setdefault((line["run"], line["block"]), len(blocks) + 1)
            trials.setdefault(id, {})[block] = line
        _even_out(trials, len(blocks))
        cells = tuple(_cell(id, dict(key)) for key, id in ids.items())
        found.append(Grid(kind=kind, cells=cells, trials=trials))
    return found


def _even_out(trials: Mapping[str, Mapping[int, dict[str, Any]]], blocks: int) -> None:
    """Take out of throughput and CPU what all trials of a block have in common: the mean logarithm of what
    they are apart from their cell's mean.
    """
    for metric in ("throughput", "cpu_per_task"):
        logs = {
            cell: {b: math.log(t[metric]) for b, t in own.items() if t.get(metric)}
            for cell, own in trials.items()
        }
        for block in range(1, blocks + 1):
            off = [own[block] - fmean(own.values()) for own in logs.values() if block in own]
            for own in trials.values():
                if off and own.get(block, {}).get(metric):
                    own[block][metric] /= math.exp(fmean(off))


def _cell(id: str, settings: dict[str, Any]) -> Cell:
    pool, slots = settings["workers.pool"], settings["workers.concurrency"]
    workers = Workers(pool=pool, concurrency=slots, prefetch=settings.get("workers.prefetch", 4))
    return Cell(
        id=id, settings=settings, setup=Setup(workload=SETUP.workload, load=SETUP.load, fleet=(workers,))
    )


class Lots(NamedTuple):
    """Blocks that a search draws from, that its confirmation does, that name the best cell, that value."""

    search: Sequence[int]
    fresh: Sequence[int]
    naming: Sequence[int]
    value: Sequence[int]


@dataclass
class Replayed:
    """Stands for a stored run: trials are drawn from the grid instead of measured."""

    grid: Grid
    meta: dict[str, Any]
    scenarios: tuple[Scenario, ...]
    lots: Lots
    name: str = "replay"
    done: list[TrialResult] = field(default_factory=list)

    def results(self) -> list[TrialResult]:
        """All so far."""
        return self.done

    def add(self, scenario: Scenario) -> None:
        """The confirmation."""
        self.scenarios = (*self.scenarios, scenario)

    def run(self, trial: Trial) -> None:
        """Draw it from the recorded blocks: trials of one block come from one block."""
        is_search = trial.scenario == self.scenarios[0].name
        pool = self.lots.search if is_search else self.lots.fresh
        blocks = [b for b in pool if b in self.grid.trials[trial.cell.id]]
        seen = self.grid.trials[trial.cell.id][blocks[trial.block % len(blocks)]]
        metrics = {name: float(seen[name]) for name in KEPT if name in seen}
        self.done.append(
            TrialResult(
                trial=trial.id, scenario=trial.scenario, cell=trial.cell.id, block=trial.block,
                position=trial.position, seed=trial.seed, started_at="", settings=trial.cell.settings,
                outcome="ok" if seen["ok"] else "failed", timings={"all": seen["seconds"]},
                metrics=metrics,
            )
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One replay: shares (0.05: 5 %); ``inflation`` None where nothing was reported."""

    regret: float
    time: float
    inflation: float | None
    violated: bool


def dealt(grid: Grid, seed: int) -> Lots:
    """The blocks of a grid, shuffled."""
    blocks = sorted({b for by_block in grid.trials.values() for b in by_block})
    random.Random(seed).shuffle(blocks)
    half = math.ceil(len(blocks) / 2)
    return Lots(blocks[LEAST_BLOCKS:half], blocks[:LEAST_BLOCKS], blocks[:half], blocks[half:])


def replay(grid: Grid, strategy: str, seed: int, lots: Lots | None = None) -> Outcome:
    """One search with this strategy (as `celery-bench tune` would do it)."""
    lots = lots or dealt(grid, seed)
    condition = [grid.kind.condition] if grid.kind.condition else []
    default = grid.find({"workers.pool": "prefork", "workers.concurrency": 2})
    asked: dict[str, Any] = {
        "metric": "throughput", "maximize": True, "subject_to": condition, "strategy": strategy,
        "budget": grid.seconds * SHARE, "candidates": [c.id for c in grid.cells], "default": default,
    }  # fmt: skip
    scenario = Scenario(name="s", question="?", metric="throughput", repeats=1, cells=grid.cells)
    world = Replayed(grid, {"tune": asked, "seed": seed}, (scenario,), lots)
    run = cast("Run", world)
    tuning = Tuning(
        run, goal=tuned.goal_of(run), candidates=asked["candidates"], default=default, name=strategy,
        seed=seed, budget=asked["budget"], clock=lambda: 0.0,
    )  # fmt: skip
    for trial in tuning.trials():
        world.run(trial)
    found = tuned.of_run(run)
    chosen = found.advised if found.state in (tuned.CONFIRMED, tuned.SEARCHED) else None
    reported = found.estimates[chosen]["throughput"].point if chosen else None
    return _outcome(grid, chosen or default, lots, found.spent, reported)


def _outcome(grid: Grid, chosen: str, lots: Lots, seconds: float, reported: float | None) -> Outcome:
    worth = grid.mean(chosen, lots.value)
    return Outcome(
        regret=1 - worth / grid.mean(grid.best(lots.naming), lots.value),
        time=seconds / grid.seconds,
        inflation=None if reported is None else reported / worth - 1,
        violated=not grid.kept(chosen, lots.value),
    )


def fixed(grid: Grid, rule: str, seed: int) -> Outcome:
    """Celery's default, the rule of thumb, one block of the grid, or all that a search draws from."""
    lots = dealt(grid, seed)
    if rule == "Celery's default":
        chosen, seconds, reported = (
            grid.find({"workers.pool": "prefork", "workers.concurrency": 2}),
            0.0,
            None,
        )
    elif rule == "rule of thumb":
        chosen, seconds, reported = grid.find(grid.kind.thumb), 0.0, None
    else:
        blocks = lots.search[:1] if rule == "grid once" else lots.search
        chosen = grid.best(blocks)
        seconds = len(blocks) * grid.seconds / GRID_BLOCKS
        reported = grid.mean(chosen, blocks)
    return _outcome(grid, chosen, lots, seconds, reported)


RULES = ("Celery's default", "rule of thumb", "grid once", "whole grid")
STRATEGIES = ("auto", "race", "model", "random", "optuna")


def table(found: Mapping[str, Sequence[Outcome]]) -> Iterator[str]:
    """A row for each way to choose, over all kinds of work."""
    yield "| way | regret: median | 90th percentile | time of the grid | inflation | violations |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield from (table_row(name, outcomes) for name, outcomes in found.items())


def table_row(name: str, outcomes: Sequence[Outcome]) -> str:
    """Of one way to choose."""
    regrets = [o.regret for o in outcomes]
    told = [o.inflation for o in outcomes if o.inflation is not None]
    inflation = f"{fmean(told) * 100:+.1f} %" if told else "–"
    return (
        f"| {name} | {median(regrets) * 100:.1f} % | {np.percentile(regrets, 90) * 100:.1f} %"
        f" | {fmean(o.time for o in outcomes) * 100:.0f} % | {inflation}"
        f" | {sum(o.violated for o in outcomes)} of {len(outcomes)} |"
    )


def by_kind(found: Mapping[str, Mapping[str, Sequence[Outcome]]], recorded: Sequence[Grid]) -> Iterator[str]:
    """A row for each kind of work: what its trials are like, and how ours does on it."""
    yield (
        "| work | candidates | blocks | noise of a trial | regret of `tune`: median | 90th percentile"
        " | of Celery's default |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for grid in recorded:
        ways = {name: [o.regret for o in outcomes] for name, outcomes in found[grid.kind.name].items()}
        ours, default = ways[STRATEGIES[0]], ways[RULES[0]]
        yield (
            f"| {grid.kind.name} | {len(grid.cells)} | {grid.blocks} | {grid.noise * 100:.0f} %"
            f" | {median(ours) * 100:.1f} % | {np.percentile(ours, 90) * 100:.1f} %"
            f" | {median(default) * 100:.1f} % |"
        )


def main(words: Sequence[str]) -> None:
    """Replay everything and write the tables; a number: how many replays of each."""
    replays = next((int(word) for word in words if word.isdecimal()), REPLAYS)
    for name, file in (("tuner", RAW), ("noisy", NOISY)):
        text = "\n".join(_tables(grids(file), replays))
        click.echo(text)
        PAGE.write_text(between(PAGE.read_text(), name, text))


def _tables(recorded: Sequence[Grid], replays: int) -> Iterator[str]:
    found: dict[str, dict[str, list[Outcome]]] = {}
    for grid in recorded:
        ways = found.setdefault(grid.kind.name, {})
        ways |= {rule: [fixed(grid, rule, seed) for seed in range(replays)] for rule in RULES}
        for strategy in STRATEGIES:
            ways[strategy] = [replay(grid, strategy, seed) for seed in range(replays)]
            click.echo(
                f"{grid.kind.name}, {strategy}: {median(o.regret for o in ways[strategy]) * 100:.1f} %"
            )
    every = {way: [o for ways in found.values() for o in ways[way]] for way in (*RULES, *STRATEGIES)}
    yield from (*table(every), "", *by_kind(found, recorded))


if __name__ == "__main__":
    main(sys.argv[1:])
