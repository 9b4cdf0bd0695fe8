"""The answer to a scenario's question in words, with its uncertainty; never more than the intervals allow.

Plain text: the terminal, the page and the Markdown show the same sentences.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bench import measured, model, units
from bench.effects import Effect
from bench.ranking import Ranking, Rival
from bench.report import labels, searches, tables
from bench.report.view import CellView, Part, ScenarioView

NAMED = 3
"""How many cells a sentence names before it counts the rest."""

NEAR = 0.10
"""A cell is advised for its price only if the trials rule out that it is further behind than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the trials say for one circumstance. ``sentences``: the answer, then what qualifies it.

    ``advised`` is the cell to take (None: nothing can be advised). ``decided``: some setting is shown to be
    behind another.
    """

    title: str
    sentences: tuple[str, ...]
    decided: bool = False
    advised: CellView | None = None

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def findings(view: ScenarioView) -> list[Finding]:
    """One finding for each circumstance, in the order of the file."""
    return [_finding(part) for part in view.parts]


def _finding(part: Part) -> Finding:
    ranking, several = part.ranking, len(part.cells) > 1
    if ranking is None or ranking.best is None:
        return Finding(title=part.title, sentences=_said(part, _nothing(part)))
    if part.fruitless(part.cell(ranking.best)):
        return Finding(title=part.title, sentences=_said(part, *_no_rate(part, ranking), *_gaps(part)))
    fruitless = [part.cell(c) for c in ranking.order if part.fruitless(part.cell(c))]
    ranking = _without(ranking, {cell.id for cell in fruitless})
    several = several and not (fruitless and len(ranking.order) == 1)
    if several and (len(ranking.order) == 1 or all(rival.pairs < 2 for rival in ranking.rivals)):
        first, *more = _too_few(part, ranking)
        words = (first, *_each_search(part, ranking), *more, *_gaps(part))
        return Finding(title=part.title, sentences=_said(part, *words))
    advised = _advised(part, ranking)
    advice = _advice(advised, ranking) if len(ranking.contenders) > 1 else ""
    return Finding(
        title=part.title,
        sentences=_said(
            part,
            _first(part, ranking, alone=not several),
            *_just_above(part, ranking, several=several),
            *(searches.sentence(cell) for cell in fruitless[:NAMED]),
            advice,
            *_effects(ranking),
            *_others(part, ranking),
            *_gaps(part),
        ),
        decided=not several or len(ranking.contenders) < len(ranking.order),
        advised=advised,
    )


def _without(ranking: Ranking, cells: Collection[str]) -> Ranking:
    """The ranking without these cells, of which the best is none."""
    return replace(
        ranking,
        order=tuple(c for c in ranking.order if c not in cells),
        rivals=tuple(r for r in ranking.rivals if r.cell not in cells),
        contenders=tuple(c for c in ranking.contenders if c not in cells),
        cheapest=ranking.best if ranking.cheapest in cells else ranking.cheapest,
    )


def _each_search(part: Part, ranking: Ranking) -> list[str]:
    """What the searches of the first few cells found."""
    cells = [part.cell(c) for c in ranking.order] if ranking.metric == "capacity" else []
    return [searches.sentence(cell) for cell in cells[:NAMED]]


def _no_rate(part: Part, ranking: Ranking) -> list[str]:
    """No cell kept the SLO: what the first few were like where they stood idle."""
    cells = [part.cell(c) for c in ranking.order]
    if len(cells) == 1:
        return [searches.sentence(cells[0])]
    reasons = [f"{reason}." for cell in cells[:NAMED] if (reason := searches.reason(cell))]
    return [f"no setting keeps {searches.slo_text(cells[0])} at any rate.", *reasons]


def _just_above(part: Part, ranking: Ranking, *, several: bool) -> list[str]:
    """Why the best of several cells did not sustain more."""
    above = searches.beyond(part.cell(ranking.order[0])) if several and ranking.metric == "capacity" else ""
    return [f"{above}."] if above else []


def _said(part: Part, first: str, *more: str) -> tuple[str, ...]:
    """The sentences that say anything, the first with its circumstance; pool names stay in small letters."""
    start = f"For {part.title}: {first}" if part.title else first
    return tuple(s if s.startswith(model.POOLS) else s[:1].upper() + s[1:] for s in (start, *more) if s)


def _nothing(part: Part) -> str:
    if not any(cell.results for cell in part.cells):
        return "undecided: no trial was run."
    if any(cell.measured for cell in part.cells):
        return "undecided: no trial has the number that would answer."
    return f"undecided: {units.plural(sum(c.failed for c in part.cells), 'trial')} ran and none succeeded."


def _too_few(part: Part, ranking: Ranking) -> list[str]:
    best = part.cell(ranking.order[0])
    number = tables.number(ranking.metric, best.summary.metrics[ranking.metric])
    reached = f"{best.label}, with {labels.metric_text(ranking.metric)} {number.point}"
    if len(ranking.order) == 1:
        return [f"undecided: only one setting was measured, {reached}."]
    return [
        f"undecided, for want of trials. First came {reached}, perhaps by chance.",
        "Settings are compared within blocks, and it takes two that are complete (--repeats 5 gives five).",
    ]


def _first(part: Part, ranking: Ranking, *, alone: bool) -> str:
    """The best cell, its number, and how far ahead it is of the next that is told apart."""
    best = part.cell(ranking.order[0])
    number = tables.number(ranking.metric, best.summary.metrics[ranking.metric])
    metric = labels.metric_text(ranking.metric)
    interval = f" (95 % interval {number.interval})" if number.interval else ""
    if alone and ranking.metric == "capacity":
        return searches.sentence(best)
    if alone:
        return f"{metric} {number.point}{interval or ', in one trial: how far it varies is not known'}."
    if ranking.metric == "capacity" and searches.searched(best):
        slo = searches.slo_text(best)
        head = f"{best.label} sustains the highest rate with {slo}, {number.point}{interval}"
    else:
        head = f"{best.label} has the {_superlative(ranking.metric)} {metric}, {number.point}{interval}"
    behind = [r for r in ranking.rivals if r.told_apart and r.ratio]
    if not behind:
        return f"{head}{_all_level(part, ranking)}."
    next_one, last = part.cell(behind[0].cell).label, part.cell(behind[-1].cell).label
    place = "the next" if len(ranking.contenders) == 1 else "the best of those surely behind"
    if ranking.metric in measured.HIGHER_IS_BETTER:
        more = f", and {_ratio(behind[-1], inverse=True)} that of the last, {last}" if len(behind) > 1 else ""
        return f"{head}: {_ratio(behind[0], inverse=True)} that of {place}, {next_one}{more}."
    more = f", and the last, {last}, {_ratio(behind[-1])}" if len(behind) > 1 else ""
    return f"{head}; {place}, {next_one}, has {_ratio(behind[0])} that{more}."


def _all_level(part: Part, ranking: Ranking) -> str:
    """The end of the sentence where no setting is shown to be worse than the first."""
    rivals = [r for r in ranking.rivals if r.cell in part.level]
    if len(rivals) < 2 or len(rivals) < len(ranking.rivals):
        return ""
    text = f", but none of the other {len(rivals)} settings can be told apart from it"
    last = max(rivals, key=lambda r: abs((r.ratio or 1.0) - 1.0))
    return text if last.ratio is None else f"{text}, not even {part.cell(last.cell).label} at {_ratio(last)}"


def _others(part: Part, ranking: Ranking) -> list[str]:
    """Who cannot be told apart from the best, where others can; and who only by the number of comparisons."""
    rivals = [r for r in ranking.rivals if r.cell in ranking.contenders]
    level = [r for r in rivals if r.cell in part.level]
    if len(level) == len(ranking.rivals) and len(level) > 1:
        return []
    behind = [r for r in rivals if r.cell not in part.level]
    many = units.plural(len(ranking.rivals), "comparison")
    return [
        f"{_named(part, level)} cannot be told apart from it." if level else "",
        f"Probably behind, but with {many} not surely: {_named(part, behind)}." if behind else "",
    ]


def _named(part: Part, rivals: Sequence[Rival]) -> str:
    names = [f"{part.cell(r.cell).label} ({_span(r)})" for r in rivals[:NAMED]]
    return labels.listed([*names, *([f"{len(rivals) - NAMED} more"] if len(rivals) > NAMED else [])])


def _span(rival: Rival) -> str:
    if rival.lower is None or rival.upper is None:
        return "one pair"
    return f"{_factors(rival.lower, rival.upper)} ×"


def _advised(part: Part, ranking: Ranking) -> CellView:
    """The cheapest contender if the trials show that it is nearly as good, else the best.

    A pool that its maintainers advise against gives way to another that may be as good.
    """
    best = ranking.order[0]
    rival = next((r for r in ranking.rivals if r.cell == ranking.cheapest), None)
    if rival is None or rival.lower is None or rival.upper is None:
        near = False
    elif ranking.metric in measured.HIGHER_IS_BETTER:
        near = rival.lower >= 1 - NEAR
    else:
        near = rival.upper <= 1 / (1 - NEAR)
    chosen = part.cell(rival.cell if rival is not None and near else best)
    if chosen.pool not in model.DISCOURAGED_POOLS:
        return chosen
    as_good = (part.cell(c) for c in ranking.contenders if c in part.level)
    return next((cell for cell in as_good if cell.pool not in model.DISCOURAGED_POOLS), chosen)


def _advice(cell: CellView, ranking: Ranking) -> str:
    metrics = cell.summary.metrics
    price = [units.format_metric("memory", metrics["memory"].point)] if "memory" in metrics else []
    if "cpu_per_task" in metrics:
        price.append(f"{units.format_metric('cpu_per_task', metrics['cpu_per_task'].point)} of CPU a task")
    cost = f" ({', '.join(price)})" if price else ""
    if cell.id == ranking.cheapest:
        those = f"Of the {len(ranking.contenders)} that may be best"
        return f"{those} take {cell.label}: none costs clearly less{cost}."
    if ranking.best and cell.id != ranking.best:
        return f"Take {cell.label}{cost}: it may be as good, and new use of eventlet is advised against."
    return f"Take {cell.label} for now{cost}; more repeats may show that a cheaper one is as good."


def _effects(ranking: Ranking) -> list[str]:
    """What each axis does by itself: the levels that cost something, or that none is shown to."""
    axes = list(dict.fromkeys(effect.axis for effect in ranking.effects))
    names = labels.axis_names(axes)
    return [
        _effect(names[axis], [e for e in ranking.effects if e.axis == axis], ranking.metric) for axis in axes
    ]


def _effect(name: str, levels: Sequence[Effect], metric: str) -> str:
    axis, base = levels[0].axis, levels[0].base
    over = (
        "over both other settings" if levels[0].others == 2 else f"over all {levels[0].others} other settings"
    )
    words = [
        f"{name} {labels.value_text(axis, e.level)} at {_factors(e.ratio)} × ({_factors(e.lower, e.upper)})"
        for e in levels
        if e.told_apart
    ]
    than = f"the {labels.metric_text(metric)} of {name} {labels.value_text(axis, base)}"
    if words:
        return f"Taken {over}: {labels.listed(words)} {than}."
    nearest = max(levels, key=lambda e: abs(e.upper - e.lower))
    return (
        f"Taken {over}, {name} makes no sure difference"
        f" ({labels.value_text(axis, nearest.level)}: {_factors(nearest.lower, nearest.upper)} × {than})."
    )


def _gaps(part: Part) -> list[str]:
    """The names of cells that failed or were not run."""
    failed = [f"{c.label} ({c.trouble.removesuffix(' failed')})" for c in part.cells if c.failed]
    missing = [c.label for c in part.cells if not c.results]
    return [
        f"Failed: {_some(failed)}." if failed else "",
        f"Not run yet: {_some(missing)}." if missing and len(missing) < len(part.cells) else "",
    ]


def _some(words: Sequence[str]) -> str:
    return labels.listed(labels.first_of(words, NAMED + 2))


def _superlative(metric: str) -> str:
    return "highest" if metric in measured.HIGHER_IS_BETTER else "lowest"


def _ratio(rival: Rival, *, inverse: bool = False) -> str:
    """``1.91 × (1.84–1.98)``; of rival to best, or the other way round."""
    point, lower, upper = rival.ratio or 1.0, rival.lower, rival.upper
    if inverse:
        point = 1 / point
        lower, upper = (1 / upper if upper else None), (1 / lower if lower else None)
    if lower is None or upper is None:
        return f"{_factors(point)} ×"
    text, ends = _factors(point, lower, upper).split("–", 1)
    return f"{text} × ({ends})"


def _factors(*values: float) -> str:
    """The values with as many decimals as the largest can use, joined by dashes."""
    digits = 2 if max(values) < 3 else 1 if max(values) < 20 else 0
    return "–".join(f"{value:.{digits}f}" for value in values)
