"""Which cell is best by one metric, and which others the trials cannot tell from it.

Trials of the same block ran close together, so cells are compared block by block: what the host did to
both cancels. The rest of the verdicts (two runs against each other, margins) is a later issue's and
belongs in this room.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analyse import summarise
from bench.effects import SIGNIFICANCE, Effect, effects, same
from bench.measured import HIGHER_IS_BETTER, CellSummary, TrialResult
from bench.model import Label, Scenario, is_circumstance
from bench.stats.paired import Paired, holm, paired

SAME_MEMORY = 0.05
"""Contenders within this much of the least memory cost the same memory; then the CPU time decides."""

SAME_CPU = 0.25
"""Of these, within this much of the least CPU time a task they cost the same, and the better one is taken:
the kernel counts CPU in ticks of 10 ms, and it moves by this much between trials of one cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Another cell against the best: ``ratio`` is its metric ÷ the best's, over ``pairs`` blocks, with its 95
    % interval.

    ``p`` is adjusted for all rivals. None where it takes two pairs, or values above zero, that are not
    there.
    """

    cell: str
    ratio: float | None
    lower: float | None
    upper: float | None
    p: float | None
    pairs: int

    @property
    def told_apart(self) -> bool:
        """Whether the trials show that it is not as good as the best."""
        return self.p is not None and self.p < SIGNIFICANCE and not same(self.lower, self.upper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The cells of one circumstance (values of the axes that describe the work), by ``metric``.

    ``order`` holds the ids of the cells that have the metric, best first, those with a failed trial last;
    ``missing`` the rest. ``contenders``: the best and every cell that cannot be told apart from it and had
    no failed trial, in order. ``cheapest`` of them by memory, then CPU time a task. ``best`` is None where
    nothing was measured. ``effects``: what each axis does over all the others.
    """

    circumstance: Mapping[str, Label]
    metric: str
    order: tuple[str, ...]
    missing: tuple[str, ...]
    best: str | None
    rivals: tuple[Rival, ...]
    contenders: tuple[str, ...]
    cheapest: str | None
    effects: tuple[Effect, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether one cell stands alone at the top."""
        return len(self.contenders) == 1

    @property
    def pairs(self) -> int:
        """Blocks that the least known comparison rests on; below 2 nothing can be told apart."""
        return min((rival.pairs for rival in self.rivals), default=0)


def rank(scenario: Scenario, results: Sequence[TrialResult], metric: str) -> list[Ranking]:
    """One ranking for each circumstance, in the order of the file. Works from one trial a cell (nothing is
    told apart then).
    """
    groups: dict[tuple[tuple[str, Label], ...], list[CellSummary]] = {}
    for summary in summarise(scenario, results):
        groups.setdefault(tuple(circumstance(summary.settings).items()), []).append(summary)
    ok = [r for r in results if r.ok and r.scenario == scenario.name]
    cells = {cell.id: cell for cell in scenario.cells}
    return [
        replace(
            _ranking(dict(key), group, ok, metric),
            effects=effects(
                [cells[summary.cell] for summary in group],
                [axis for axis in scenario.axes if axis not in dict(key)],
                ok,
                metric,
            ),
        )
        for key, group in groups.items()
    ]


def circumstance(settings: Mapping[str, Label]) -> dict[str, Label]:
    """The part of a cell's settings that describes the work; the others are choices."""
    return {path: label for path, label in settings.items() if is_circumstance(path)}


def _ranking(
    key: Mapping[str, Label], cells: Sequence[CellSummary], ok: Sequence[TrialResult], metric: str
) -> Ranking:
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    measured = [cell for cell in cells if metric in cell.metrics]
    ordered = sorted(measured, key=lambda c: (c.failed_trials > 0, sign * c.metrics[metric].point))
    best = ordered[0] if ordered else None
    rivals = _rivals([cell.cell for cell in ordered], ok, metric)
    apart = {rival.cell for rival in rivals if rival.told_apart}
    contenders = [
        cell for cell in ordered if cell is best or (cell.cell not in apart and cell.failed_trials == 0)
    ]
    return Ranking(
        circumstance=key,
        metric=metric,
        order=tuple(cell.cell for cell in ordered),
        missing=tuple(cell.cell for cell in cells if metric not in cell.metrics),
        best=best.cell if best else None,
        rivals=rivals,
        contenders=tuple(cell.cell for cell in contenders),
        cheapest=_cheapest(contenders),
    )


def _rivals(order: Sequence[str], ok: Sequence[TrialResult], metric: str) -> tuple[Rival, ...]:
    """Every other cell against the first of ``order``."""
    blocks: dict[str, dict[int, float]] = {cell: {} for cell in order}
    for r in ok:
        if r.cell in blocks and metric in r.metrics:
            blocks[r.cell][r.block] = r.metrics[metric]
    found = {cell: _pair(blocks[cell], blocks[order[0]]) for cell in order[1:]}
    raw = {cell: pair.p for cell, (_, pair) in found.items() if pair and pair.p is not None}
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    return tuple(
        Rival(
            cell=cell,
            ratio=pair.ratio if pair else None,
            lower=pair.lower if pair else None,
            upper=pair.upper if pair else None,
            p=adjusted.get(cell),
            pairs=n,
        )
        for cell, (n, pair) in found.items()
    )


def _pair(rival: Mapping[int, float], best: Mapping[int, float]) -> tuple[int, Paired | None]:
    """Blocks in common, and the comparison over them; None where there are none or a value is not above
    zero.
    """
    common = sorted(rival.keys() & best.keys())
    mine, its = [rival[block] for block in common], [best[block] for block in common]
    if not common or min(*mine, *its) <= 0:
        return len(common), None
    return len(common), paired(mine, its)


def _cheapest(contenders: Sequence[CellSummary]) -> str | None:
    def price(cell: CellSummary, metric: str) -> float:
        return cell.metrics[metric].point if metric in cell.metrics else math.inf

    return cheapest([(cell.cell, price(cell, "memory"), price(cell, "cpu_per_task")) for cell in contenders])


def cheapest(contenders: Sequence[tuple[str, float, float]]) -> str | None:
    """Of cells (best first) with their memory and CPU a task the one that costs least: memory, then CPU."""
    if not contenders:
        return None
    least = min(memory for _, memory, _ in contenders)
    small = [each for each in contenders if each[1] <= least * (1 + SAME_MEMORY)]
    least_cpu = min(cpu for _, _, cpu in small)
    return next(cell for cell, _, cpu in small if cpu <= least_cpu * (1 + SAME_CPU))
