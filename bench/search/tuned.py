"""The answer of a tuned run, from its stored trials: what to take, how sure that is, and how it was found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from bench import analyse, grammar
from bench.effects import MARGIN
from bench.measured import Estimate, TrialResult
from bench.model import Cell
from bench.search import strategy
from bench.search.belief import Belief, Tried, believe, tried
from bench.search.goal import COST, SURE, Goal
from bench.search.tune import choose
from bench.stats.paired import paired
from bench.store import Run

CONFIRMED, SEARCHED, UNMET, NOTHING = "confirmed", "searched", "unmet", "nothing"
"""Fresh trials tell; only the search does; no candidate surely keeps the conditions; nothing was measured."""

FRONT = ("p99(response)", "p95(response)", "memory")
"""Held against the goal in the Pareto front: the first latency that was computed, and memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """The advised cell against another by fresh trials, paired by block: the goal's ratio advised ÷ other
    with its 95 % interval, None below two blocks.
    """

    other: str
    ratio: float
    lower: float | None
    upper: float | None
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The n-th trial of the search: which cell, what it gave, and who led after it."""

    number: int
    cell: str
    value: float | None
    leader: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the search knows of a candidate it tried: means over its trials; ``chance`` of the conditions."""

    cell: str
    tries: int
    value: float
    metrics: Mapping[str, float]
    chance: float
    on_front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """Ids of cells throughout; see the module. ``estimates`` of the confirmed cells come from fresh trials,
    of the others (where nothing is confirmed) from the search. ``importance``: axis → share of the score's
    variance over all candidates that it explains by itself. ``missed``: where no candidate keeps the
    conditions, each with what the nearest has.
    """

    run: str
    name: str
    question: str
    goal: Goal
    strategy: str
    budget: float
    spent: float
    state: str
    cells: Mapping[str, Cell]
    candidates: tuple[str, ...]
    default: str
    advised: str | None
    runner_up: str | None
    contenders: tuple[str, ...]
    estimates: Mapping[str, Mapping[str, Estimate]]
    versus: tuple[Versus, ...]
    chance: float
    blocks: int
    shown: tuple[Shown, ...]
    steps: tuple[Step, ...]
    importance: Mapping[str, float]
    missed: Mapping[str, float]

    @property
    def tried(self) -> int:
        """Candidates that were tried at all."""
        return len(self.shown)


def of_run(run: Run) -> Tuned:
    """The answer so far; a run that is still going on, or was stopped, has one as well."""
    asked = run.meta["tune"]
    goal = goal_of(run)
    scenario = run.scenarios[0]
    cells = {cell.id: cell for cell in scenario.cells}
    candidates, default = tuple(asked["candidates"]), str(asked["default"])
    them = [cells[id] for id in candidates]
    search = strategy.make(asked["strategy"], them, goal, run.meta["seed"], default)
    results = run.results()
    found = [result for result in results if result.scenario == scenario.name]
    fresh = [result for result in results if result.scenario != scenario.name]
    history = [tried(goal, result) for result in found]
    belief = search.belief(history)
    choice = choose(belief, history)
    advised, runner_up = (choice.winner, choice.runner_up) if choice else (None, None)
    blocks = _whole_blocks(run, fresh)
    if advised and blocks:
        advised, runner_up = _after_all(goal, fresh, history, advised, [runner_up, default], candidates)
    state = _state(choice is not None, bool(choice and choice.kept), blocks)
    pool = fresh if blocks else found
    others = [id for id in dict.fromkeys((runner_up, default)) if id and id != advised]
    return Tuned(
        run=run.name,
        name=scenario.name,
        question=scenario.question,
        goal=goal,
        strategy=asked["strategy"],
        budget=asked["budget"],
        spent=sum(r.seconds for r in results),
        state=state,
        cells=cells,
        candidates=candidates,
        default=default,
        advised=advised,
        runner_up=runner_up,
        contenders=choice.contenders if choice else (),
        estimates={id: _estimates(goal, [r for r in pool if r.cell == id and r.ok]) for id in cells},
        versus=tuple(_versus(goal, fresh, advised, other) for other in others if advised and blocks),
        chance=_chance(goal, candidates, [*history, *(tried(goal, r) for r in fresh)], advised),
        blocks=blocks,
        shown=_shown(goal, found, belief),
        steps=tuple(_steps(goal, found)),
        importance=importance(scenario.cells, belief),
        missed=_missed(goal, found, belief) if state == UNMET else {},
    )


def goal_of(run: Run) -> Goal:
    """The goal that the run was started with."""
    asked = run.meta["tune"]
    conditions = tuple(grammar.parse(text) for text in asked["subject_to"])
    return Goal(
        metric=asked["metric"],
        maximize=asked["maximize"],
        conditions=conditions,
        price=run.scenarios[0].price,
    )


def _state(measured: bool, kept: bool, blocks: int) -> str:
    if not measured:
        return NOTHING
    return CONFIRMED if blocks else SEARCHED if kept else UNMET


def _whole_blocks(run: Run, fresh: Sequence[TrialResult]) -> int:
    """Blocks of the confirmation in which every cell was measured."""
    if len(run.scenarios) < 2:
        return 0
    wanted = {cell.id for cell in run.scenarios[1].cells}
    blocks: dict[int, set[str]] = {}
    for result in fresh:
        blocks.setdefault(result.block, set()).add(result.cell)
    return sum(done >= wanted for done in blocks.values())


def _after_all(
    goal: Goal,
    fresh: Sequence[TrialResult],
    history: Sequence[Tried],
    advised: str,
    others: Sequence[str | None],
    candidates: Sequence[str],
) -> tuple[str, str | None]:
    """Who is advised after the fresh trials, and who is next."""
    runner_up = others[0]
    for other in filter(None, others):
        if other in candidates and other != advised and _prefers(goal, fresh, history, other, advised):
            advised, runner_up = other, advised
    return advised, runner_up


def _prefers(
    goal: Goal, fresh: Sequence[TrialResult], history: Sequence[Tried], other: str, advised: str
) -> bool:
    """Whether fresh trials speak for ``other`` instead: the advised one breaks a condition, or is shown to be
    worse.
    """
    both = [advised, other]
    whole = believe(both, [*history, *(tried(goal, result) for result in fresh)], goal).chance
    if (whole[0] < SURE) != (whole[1] < SURE):
        return bool(whole[0] < SURE)
    found = _versus(goal, fresh, advised, other)
    if found.lower is None or found.upper is None:
        return False
    return found.upper < 1 - MARGIN if goal.maximize else found.lower > 1 + MARGIN


def _versus(goal: Goal, fresh: Sequence[TrialResult], advised: str, other: str) -> Versus:
    ours, theirs = (
        {r.block: n for r in fresh if r.cell == id and (n := goal.number(r))} for id in (advised, other)
    )
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        return Versus(other=other, ratio=math.nan, lower=None, upper=None, blocks=0)
    pair = paired([ours[b] for b in common], [theirs[b] for b in common])
    return Versus(other=other, ratio=pair.ratio, lower=pair.lower, upper=pair.upper, blocks=pair.n)


def _estimates(goal: Goal, results: Sequence[TrialResult]) -> dict[str, Estimate]:
    """Every metric over these trials."""
    names = dict.fromkeys(name for result in results for name in result.metrics)
    found = {
        name: analyse.estimate(name, [r.metrics[name] for r in results if name in r.metrics])
        for name in names
    }
    if goal.metric == COST and (values := [n for r in results if (n := goal.number(r)) is not None]):
        found[COST] = analyse.estimate(COST, values)
    return found


def _chance(goal: Goal, candidates: Sequence[str], everything: Sequence[Tried], advised: str | None) -> float:
    """That the advised cell keeps the conditions, by all of its trials."""
    if advised is None or not goal.conditions:
        return 1.0
    cells = list(dict.fromkeys([*candidates, advised]))
    whole = believe(cells, everything, goal)
    return float(whole.chance[cells.index(advised)])


def _shown(goal: Goal, found: Sequence[TrialResult], belief: Belief) -> tuple[Shown, ...]:
    by_cell: dict[str, list[TrialResult]] = {}
    for result in found:
        if goal.number(result) is not None:
            by_cell.setdefault(result.cell, []).append(result)
    rows: list[dict[str, Any]] = []
    for cell, results in by_cell.items():
        numbers = [n for r in results if (n := goal.number(r)) is not None]
        shared = set.intersection(*(set(r.metrics) for r in results))
        metrics = {name: fmean(r.metrics[name] for r in results) for name in shared}
        at = belief.cells.index(cell)
        rows.append(
            {"cell": cell, "tries": len(results), "value": fmean(numbers), "metrics": metrics,
             "chance": float(belief.chance[at])}
        )  # fmt: skip
    latency = next((m for m in FRONT[:2] if rows and all(m in row["metrics"] for row in rows)), None)
    against = [m for m in (latency, "memory") if m and all(m in row["metrics"] for row in rows)]
    points = [(-goal.sign * row["value"], *(row["metrics"][m] for m in against)) for row in rows]
    front = _front(points)
    return tuple(Shown(**row, on_front=on) for row, on in zip(rows, front, strict=True))


def _front(points: Sequence[Sequence[float]]) -> list[bool]:
    """Which points no other is better than in everything; less is better."""

    def beaten(p: Sequence[float], q: Sequence[float]) -> bool:
        return all(b <= a for a, b in zip(p, q, strict=True)) and any(
            b < a for a, b in zip(p, q, strict=True)
        )

    return [not any(beaten(p, q) for q in points) for p in points]


def _steps(goal: Goal, found: Sequence[TrialResult]) -> list[Step]:
    """Who led after each trial, cell by cell (no model): the path is shown as it was seen."""
    cells = list(dict.fromkeys(result.cell for result in found))
    history = [tried(goal, result) for result in found]
    steps = []
    for n, result in enumerate(found, start=1):
        belief = believe(cells, history[:n], goal)
        leader = belief.nearest
        steps.append(
            Step(
                number=n,
                cell=result.cell,
                value=goal.number(result),
                leader=None if leader is None else cells[leader],
            )
        )
    return steps


def importance(cells: Sequence[Cell], belief: Belief) -> dict[str, float]:
    """Share of the variance of the score over all known candidates that lies between an axis's levels (the
    main effect of a functional ANOVA: I. M. Sobol, 1993); what axes do together is in none of them.
    """
    known = {id: mean for id, mean in zip(belief.cells, belief.mean, strict=True) if np.isfinite(mean)}
    rows = [(cell.settings, known[cell.id]) for cell in cells if cell.id in known]
    if len(rows) < 2 or not (whole := float(np.var([mean for _, mean in rows]))):
        return {}
    shares = {}
    for axis in rows[0][0]:
        levels: dict[str, list[float]] = {}
        for settings, mean in rows:
            levels.setdefault(grammar.text_of(settings[axis]), []).append(mean)
        centre = fmean(mean for _, mean in rows)
        between = sum(len(means) * (fmean(means) - centre) ** 2 for means in levels.values()) / len(rows)
        if len(levels) > 1:
            shares[axis] = between / whole
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _missed(goal: Goal, found: Sequence[TrialResult], belief: Belief) -> dict[str, float]:
    """Each condition with what the nearest cell has; NaN where it has no such number."""
    nearest = belief.nearest
    results = [r for r in found if nearest is not None and r.cell == belief.cells[nearest]]
    missed = {}
    for condition in goal.conditions:
        values = [r.metrics[condition.metric] for r in results if condition.metric in r.metrics]
        missed[condition.text] = fmean(values) if values else math.nan
    return missed
