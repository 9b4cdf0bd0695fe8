"""What a search for the best setting has found, in sentences."""

import math
from collections.abc import Iterator
from dataclasses import replace

from bench import units
from bench.effects import MARGIN
from bench.measured import Doubt, Estimate
from bench.report import figures, labels, tables
from bench.search.fresh import Versus
from bench.search.goal import COST
from bench.search.tune import LEAST_BLOCKS
from bench.search.tuned import BROKEN, CONFIRMED, NOTHING, SEARCHED, UNMET, Tuned

MOST_NAMED = 4
OVER = 1.1
"""Times the budget, from which on it is said."""
OPEN = "not told apart"
BESIDES = ("memory", "cpu_per_task")
"""Told with the goal."""


def besides(found: Tuned) -> list[str]:
    """What is told of a candidate besides the goal."""
    return [metric for metric in BESIDES if metric != found.goal.metric]


def title(found: Tuned) -> str:
    """``Highest throughput: cpu-or-io``."""
    way = "Highest" if found.goal.maximize else "Lowest"
    return f"{way} {metric_text(found)}: {found.name}"


def metric_text(found: Tuned) -> str:
    """What is tuned, in words."""
    return "cost of a million tasks" if found.goal.metric == COST else labels.metric_text(found.goal.metric)


def name(found: Tuned, cell: str) -> str:
    """A candidate in words."""
    settings = found.cells[cell].settings
    axes = labels.varying(each.settings for each in found.cells.values())
    return labels.settings_text(settings, axes)


def number(metric: str, estimate: Estimate) -> str:
    """With its interval."""
    return str(tables.number(metric, estimate))


def doubts(found: Tuned) -> list[Doubt]:
    """Those about the fresh trials, with the candidate in words."""
    return [replace(doubt, text=f"{name(found, cell)}: {doubt.text}") for cell, doubt in found.doubts]


def headline(found: Tuned) -> str:
    """What to take, and how good that is; or why there is no advice."""
    if found.state == NOTHING or found.advised is None:
        return f"No trial gave {metric_text(found)}, so there is no advice."
    if found.state == UNMET:
        few = found.tried < len(found.candidates)
        who = (
            f"None of the {found.tried} candidates that were tried, of {len(found.candidates)},"
            if few
            else "No candidate"
        )
        return f"{who} surely keeps {_conditions(found)}."
    if found.state == BROKEN:
        return (
            f"Not confirmed: the chance that {_conditions(found)} {_holds(found)} for"
            f" {name(found, found.advised)} is {_percent(found.chance)}, now that it was measured again."
        )
    mine = found.estimates[found.advised].get(found.goal.metric)
    how = f": {metric_text(found)} {number(found.goal.metric, mine)}" if mine else ""
    sure = (
        f" in {units.plural(mine.n if mine else found.blocks, 'fresh trial')}"
        if found.state == CONFIRMED
        else ", as the search saw it: not confirmed"
    )
    return f"Take {name(found, found.advised)}{how}{sure}."


def findings(found: Tuned) -> Iterator[str]:
    """What else is to be said, sentence by sentence."""
    if found.state == UNMET:
        yield from _unmet(found)
        return
    if found.state == NOTHING or found.advised is None:
        return
    if found.state == BROKEN:
        yield "Search again: a longer --budget gives each candidate more trials."
    yield from (_against(found, versus) for versus in found.versus)
    if found.advised == found.default:
        yield "It is what Celery does by default."
    mine = found.estimates[found.advised]
    prices = [f"{number(m, mine[m])} {labels.metric_text(m)}" for m in besides(found) if m in mine]
    if prices:
        yield f"It takes {labels.listed(prices)}."
    if found.goal.conditions:
        yield f"The chance that {_conditions(found)} {_holds(found)} is {_percent(found.chance)}."
    yield from _set(found)
    again = f"celery-bench tune --resume {found.run}"
    if found.state == SEARCHED:
        yield f"The numbers of a search flatter its winner: {again} confirms it."
    elif found.blocks < LEAST_BLOCKS:
        yield f"The confirmation was stopped before its {LEAST_BLOCKS} blocks: {again} completes it."


def _set(found: Tuned) -> Iterator[str]:
    """Who else it might be, and why it is this one."""
    assert found.searched
    best = name(found, found.searched)
    others = [name(found, cell) for cell in found.contenders if cell != found.searched]
    if others:
        more = [f"{len(others) - MOST_NAMED} more"] if len(others) > MOST_NAMED else []
        yield (
            f"The search could not tell {labels.listed([*others[:MOST_NAMED], *more])} from {best}: of those"
            f" that are expected to be within {MARGIN * 100:g} % of the best it took the cheapest (memory,"
            " then CPU)."
        )
    if found.advised != found.searched:
        yield f"The search had named {best}; by the fresh trials this one is to be preferred."
    if found.skipped:
        missing = units.plural(found.skipped, "candidate")
        yield f"There was no time to try {missing} at all: give it a longer --budget."


def _holds(found: Tuned) -> str:
    return "holds" if len(found.goal.conditions) == 1 else "hold"


def _percent(share: float) -> str:
    return "over 99 %" if share > 0.99 else f"{share * 100:.0f} %"


def _conditions(found: Tuned) -> str:
    return labels.listed([condition.text for condition in found.goal.conditions])


def _unmet(found: Tuned) -> Iterator[str]:
    nearest = found.advised
    if nearest is None:
        return
    places = "; ".join(_places(found))
    yield f"Nearest is {name(found, nearest)}: {places}."


def _places(found: Tuned) -> Iterator[str]:
    """Where the nearest is by each condition."""
    for condition in found.goal.conditions:
        value = found.missed[condition.text]
        if math.isnan(value):
            yield f"{condition.text}: {condition.metric} was not computed, it takes more tasks a trial"
            continue
        seen = units.format_metric(condition.metric, value)
        off = abs(value / condition.limit - 1) if condition.limit else math.inf
        away = "short of" if condition.op.startswith(">") else "beyond"
        place = "inside" if condition.keeps(value) else away
        far = f", {off * 100:.0f} % {place} the limit" if math.isfinite(off) else ""
        yield f"{condition.text}: {seen}{far}"


def _against(found: Tuned, versus: Versus) -> str:
    """``1.34 × (1.29 to 1.39) of Celery's default, prefork -c 2``."""
    what = "Celery's default" if versus.other == found.default else "the runner-up"
    other = f"{what}, {name(found, versus.other)}"
    if versus.lower is None or versus.upper is None:
        return f"Against {other}, there are too few fresh trials to compare."
    ratio = f"{versus.ratio:.2f} × ({versus.lower:.2f} to {versus.upper:.2f})"
    verdict = _verdict(found, versus)
    text = f"That is {ratio} the {metric_text(found)} of {other}: {verdict}."
    if verdict == OPEN and _ahead(found, versus.ratio) < 1 - MARGIN:
        text += " It looks worse, and these blocks cannot tell: a longer --budget may."
    return text


def _ahead(found: Tuned, ratio: float) -> float:
    """Above 1 where the advised one is better."""
    return ratio if found.goal.maximize else 1 / ratio


def _verdict(found: Tuned, versus: Versus) -> str:
    assert versus.lower is not None
    assert versus.upper is not None
    low, high = sorted(_ahead(found, end) for end in (versus.lower, versus.upper))
    if low > 1 + MARGIN:
        return "better"
    if high < 1 - MARGIN:
        return "worse"
    if low >= 1 - MARGIN and high <= 1 + MARGIN:
        return "the same"
    return "better, perhaps by less than matters" if low > 1 else OPEN


def how(found: Tuned) -> str:
    """How it was found, and what that took."""
    measured = sum(each.tries for each in found.shown)
    candidates = units.plural(len(found.candidates), "candidate")
    text = f"{units.plural(measured, 'trial')} of {found.tried} of {candidates} ({found.strategy})"
    if found.blocks:
        text += f", then {units.plural(found.blocks, 'fresh block')} to confirm"
    text += (
        f": {units.format_duration(found.spent)} of trials in a budget of"
        f" {units.format_duration(found.budget)}."
    )
    if found.spent > OVER * found.budget:
        text += " Trials took longer than was estimated; three fresh blocks are measured in any case."
    return text


def importance_text(found: Tuned) -> str:
    """``concurrency 71 %, pool 12 %`` of the differences between the candidates."""
    names = labels.axis_names(list(found.importance))
    shares = [f"{names[axis]} {share * 100:.0f} %" for axis, share in found.importance.items()]
    more = " (more than all: not every combination was tried)" if sum(found.importance.values()) > 1 else ""
    return (
        f"Of the differences between candidates each setting explains by itself: {', '.join(shares)}{more}."
    )


def better_text(found: Tuned) -> str:
    """An axis label of the goal, and which way is better."""
    way = "less is better" if found.goal.metric == COST else figures.is_better(found.goal.metric)
    return f"{metric_text(found)} ({way})"
