"""The answer of a tuned run, from its stored trials: what to take, how sure that is, and how it was found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from bench import analyse, grammar
from bench.errors import UsageError
from bench.measured import Doubt, Estimate, TrialResult
from bench.model import Cell
from bench.search import strategy
from bench.search.belief import Belief, believe, tried
from bench.search.fresh import Versus, after_all, chance, told_doubts, versus, whole_blocks
from bench.search.goal import COST, SURE, Goal
from bench.search.tune import choose
from bench.store import Run

CONFIRMED, SEARCHED, BROKEN = "confirmed", "searched", "broken"
"""Fresh trials tell; only the search does; by the fresh trials the conditions do not surely hold."""
UNMET, NOTHING = "unmet", "nothing"
"""No candidate that was tried surely keeps the conditions; nothing was measured."""
ADVICE = (CONFIRMED, SEARCHED)

KEPT = {"metric", "maximize", "subject_to", "strategy", "budget", "candidates", "default"}
"""Of the question, in run.json."""

FRONT = ("p99(response)", "p95(response)", "memory")
"""Held against the goal in the Pareto front: the first latency that was computed, and memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The n-th trial of the search: which cell, what it gave, and who led after it."""

    number: int
    cell: str
    value: float | None
    leader: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the search knows of a candidate it tried: ``value`` and ``metrics`` are means over its trials;
    ``expected`` is what the search decides by, in which blocks and (of a model) neighbours have a say;
    ``chance`` of the conditions. ``on_front``: keeps them, and no other such gives more for less.
    """

    cell: str
    tries: int
    value: float
    expected: float
    metrics: Mapping[str, float]
    chance: float
    on_front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """Ids of cells throughout; see the module. ``estimates`` of the confirmed cells come from fresh trials,
    of the others (where nothing is confirmed) from the search. ``searched``: who won the search;
    ``skipped``: candidates that it should have begun with, and had no time for. ``importance``: axis → share
    of the score's variance over all candidates that it explains by itself. ``missed``: where no candidate
    keeps the conditions, each with what the nearest has. ``doubts`` about the fresh trials, each after the
    cell that it is about.
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
    searched: str | None
    skipped: int
    contenders: tuple[str, ...]
    estimates: Mapping[str, Mapping[str, Estimate]]
    versus: tuple[Versus, ...]
    chance: float
    blocks: int
    shown: tuple[Shown, ...]
    steps: tuple[Step, ...]
    importance: Mapping[str, float]
    missed: Mapping[str, float]
    doubts: tuple[tuple[str, Doubt], ...]

    @property
    def has_advice(self) -> bool:
        """Whether there is something to take."""
        return self.state in ADVICE

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
    blocks = whole_blocks(run, fresh)
    if advised and blocks:
        advised, runner_up = after_all(goal, fresh, history, advised, [runner_up, default], candidates)
    sure = chance(goal, candidates, [*history, *(tried(goal, r) for r in fresh)], advised)
    state = _state(choice is not None, bool(choice and choice.kept), blocks, sure)
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
        searched=choice.winner if choice else None,
        skipped=len({*search.first} - {t.cell for t in history}),
        contenders=choice.contenders if choice else (),
        estimates={id: _estimates(goal, [r for r in pool if r.cell == id and r.ok]) for id in cells},
        versus=tuple(versus(goal, fresh, advised, other) for other in others if advised and blocks),
        chance=sure,
        blocks=blocks,
        shown=_shown(goal, found, belief),
        steps=tuple(_steps(goal, found)),
        importance=importance(scenario.cells, belief),
        missed=_missed(goal, found, belief) if state == UNMET else {},
        doubts=told_doubts(run),
    )


def goal_of(run: Run) -> Goal:
    """The goal that the run was started with. Raises UsageError where run.json does not say it, and where
    the trials are gone that a confirmation rests on.
    """
    asked = run.meta["tune"]
    known = {cell.id for cell in run.scenarios[0].cells}
    try:
        whole = known >= {*asked["candidates"], asked["default"]} and asked.keys() >= KEPT
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UsageError(
            f"{run.name}/run.json does not say what was searched: somebody has changed it.",
            "Start the search again: celery-bench tune SCENARIO.",
        )
    if len(run.scenarios) > 1 and not any(r.scenario == run.scenarios[0].name for r in run.results()):
        raise UsageError(
            f"{run.name} has lost the trials of its search: somebody has changed trials.jsonl.",
            "Start the search again: celery-bench tune SCENARIO.",
        )
    conditions = tuple(grammar.parse(text) for text in asked["subject_to"])
    return Goal(
        metric=asked["metric"],
        maximize=asked["maximize"],
        conditions=conditions,
        price=run.scenarios[0].price,
    )


def _state(measured: bool, kept: bool, blocks: int, sure: float) -> str:
    if not measured:
        return NOTHING
    if blocks:
        return CONFIRMED if sure >= SURE else BROKEN
    return SEARCHED if kept else UNMET


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
        score, value = float(belief.mean[at]), fmean(numbers)
        rows.append(
            {"cell": cell, "tries": len(results), "value": value, "metrics": metrics,
             "expected": goal.value(score) if math.isfinite(score) else value,
             "chance": float(belief.chance[at])}
        )  # fmt: skip
    latency = next((m for m in FRONT[:2] if rows and all(m in row["metrics"] for row in rows)), None)
    against = [m for m in (latency, "memory") if m and all(m in row["metrics"] for row in rows)]
    points = {
        row["cell"]: (-goal.sign * row["value"], *(row["metrics"][m] for m in against))
        for row in rows
        if row["chance"] >= SURE
    }
    front = dict(zip(points, _front(list(points.values())), strict=True))
    return tuple(Shown(**row, on_front=front.get(row["cell"], False)) for row in rows)


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
