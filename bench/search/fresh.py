"""What the fresh trials of a search say: who is advised after all, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench import analyse, doubts, ranking
from bench.effects import MARGIN
from bench.measured import Doubt, TrialResult
from bench.search.belief import Tried, believe, tried
from bench.search.goal import SURE, Goal
from bench.stats.paired import paired
from bench.store import Run


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


def whole_blocks(run: Run, fresh: Sequence[TrialResult]) -> int:
    """Blocks of the confirmation in which every cell was measured."""
    if len(run.scenarios) < 2:
        return 0
    wanted = {cell.id for cell in run.scenarios[1].cells}
    blocks: dict[int, set[str]] = {}
    for result in fresh:
        blocks.setdefault(result.block, set()).add(result.cell)
    return sum(done >= wanted for done in blocks.values())


def after_all(
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
    worse, or the other seems to be as good and costs less.
    """
    both = [advised, other]
    whole = believe(both, [*history, *(tried(goal, result) for result in fresh)], goal).chance
    if (whole[0] < SURE) != (whole[1] < SURE):
        return bool(whole[0] < SURE)
    found = versus(goal, fresh, advised, other)
    if found.lower is None or found.upper is None:
        return False
    ahead, most = (found.ratio, found.upper) if goal.maximize else (1 / found.ratio, 1 / found.lower)
    if most < 1 - MARGIN:
        return True
    prices = [(id, _mean(fresh, id, "memory"), _mean(fresh, id, "cpu_per_task")) for id in both]
    return ahead <= 1 + MARGIN and ranking.cheapest(prices) == other


def _mean(fresh: Sequence[TrialResult], cell: str, metric: str) -> float:
    """Of its fresh trials; what is not known costs more than anything."""
    values = [r.metrics[metric] for r in fresh if r.cell == cell and r.ok and metric in r.metrics]
    return fmean(values) if values else math.inf


def versus(goal: Goal, fresh: Sequence[TrialResult], advised: str, other: str) -> Versus:
    ours, theirs = (
        {r.block: n for r in fresh if r.cell == id and (n := goal.number(r))} for id in (advised, other)
    )
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        return Versus(other=other, ratio=math.nan, lower=None, upper=None, blocks=0)
    pair = paired([ours[b] for b in common], [theirs[b] for b in common])
    return Versus(other=other, ratio=pair.ratio, lower=pair.lower, upper=pair.upper, blocks=pair.n)


def chance(goal: Goal, candidates: Sequence[str], everything: Sequence[Tried], advised: str | None) -> float:
    """That the advised cell keeps the conditions, by all of its trials."""
    if advised is None or not goal.conditions:
        return 1.0
    cells = list(dict.fromkeys([*candidates, advised]))
    whole = believe(cells, everything, goal)
    return float(whole.chance[cells.index(advised)])


def told_doubts(run: Run) -> tuple[tuple[str, Doubt], ...]:
    """What there is to doubt about the fresh trials: of each kind the first case, with its cell's id."""
    if len(run.scenarios) < 2:
        return ()
    (_, fresh), results = run.scenarios, run.results()
    cores = int(run.meta.get("host", {}).get("cores") or 1)
    summaries = doubts.with_doubts(fresh, analyse.summarise(fresh, results), results, cores=cores)
    found: dict[str, tuple[str, Doubt]] = {}
    for summary in (each for each in summaries if each.trials):
        for doubt in summary.doubts:
            found.setdefault(doubt.kind, (summary.cell, doubt))
    return tuple(found.values())
