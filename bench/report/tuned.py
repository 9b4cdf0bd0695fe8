"""The answer of a search for the best setting, in words and rows: terminal, Markdown, JSON and the page."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench import model, units
from bench.effects import MARGIN
from bench.measured import Estimate
from bench.report import commands, figures, labels, markdown, tables
from bench.search.goal import COST, SURE
from bench.search.tuned import CONFIRMED, NOTHING, SEARCHED, UNMET, Shown, Tuned, Versus

if TYPE_CHECKING:
    from rich.console import Console

HEADINGS = ("", "cell", "goal", "trials", "memory", "CPU per task")
MOST_ROWS = 12
BESIDES = ("memory", "cpu_per_task")


def title(found: Tuned) -> str:
    """``Highest throughput: cpu-or-io``."""
    way = "Highest" if found.goal.maximize else "Lowest"
    return f"{way} {metric_text(found)}: {found.name}"


def metric_text(found: Tuned) -> str:
    """What is tuned, in words."""
    return "cost of a million tasks" if found.goal.metric == COST else labels.metric_text(found.goal.metric)


def value_text(metric: str, value: float) -> str:
    """In the unit a person reads."""
    return units.format_metric(metric, value)


def name(found: Tuned, cell: str) -> str:
    """A candidate in words."""
    settings = found.cells[cell].settings
    axes = labels.varying(each.settings for each in found.cells.values())
    return labels.settings_text(settings, axes)


def number(metric: str, estimate: Estimate) -> str:
    """With its interval."""
    return str(tables.number(metric, estimate))


def headline(found: Tuned) -> str:
    """What to take, and how good that is; or why there is no advice."""
    if found.state == NOTHING or found.advised is None:
        return f"No trial gave {metric_text(found)}, so there is no advice."
    if found.state == UNMET:
        return f"No candidate surely keeps {_conditions(found)}."
    mine = found.estimates[found.advised].get(found.goal.metric)
    how = f": {metric_text(found)} {number(found.goal.metric, mine)}" if mine else ""
    sure = (
        f" in {units.plural(found.blocks, 'fresh trial')}"
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
    yield from (_against(found, versus) for versus in found.versus)
    if found.advised == found.default:
        yield "It is what Celery does by default."
    mine = found.estimates[found.advised]
    prices = [f"{number(m, mine[m])} {labels.metric_text(m)}" for m in BESIDES if m in mine]
    if prices:
        yield f"It takes {labels.listed(prices)}."
    if found.goal.conditions:
        yield f"The chance that {_conditions(found)} {_holds(found)} is {_percent(found.chance)}."
    others = len(found.contenders) - 1
    if others > 0:
        yield (
            f"The search could not tell {units.plural(others, 'other candidate')} from the best;"
            " of those that seemed as good this one costs least memory, then CPU."
        )
    if found.state == SEARCHED:
        yield "The numbers of a search flatter its winner: celery-bench tune --resume confirms it."


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
    yield f"Nearest is {name(found, nearest)}:"
    for condition in found.goal.conditions:
        value = found.missed[condition.text]
        if math.isnan(value):
            yield f"{condition.text}: {condition.metric} was not computed; it takes more tasks a trial."
            continue
        seen = value_text(condition.metric, value)
        off = abs(value / condition.limit - 1) if condition.limit else math.inf
        kept = condition.keeps(value)
        far = f", {off * 100:.0f} % {'inside' if kept else 'beyond'} the limit" if math.isfinite(off) else ""
        yield f"{condition.text}: {seen}{far}."


def _against(found: Tuned, versus: Versus) -> str:
    """``1.34 × (1.29 to 1.39) of Celery's default, prefork -c 2``."""
    what = "Celery's default" if versus.other == found.default else "the runner-up"
    other = f"{what}, {name(found, versus.other)}"
    if versus.lower is None or versus.upper is None:
        return f"Against {other}, there are too few fresh trials to compare."
    ratio = f"{versus.ratio:.2f} × ({versus.lower:.2f} to {versus.upper:.2f})"
    return f"That is {ratio} the {metric_text(found)} of {other}: {_verdict(found, versus)}."


def _verdict(found: Tuned, versus: Versus) -> str:
    assert versus.lower is not None
    assert versus.upper is not None
    low, high = versus.lower, versus.upper
    if not found.goal.maximize:
        low, high = 1 / high, 1 / low
    if low > 1 + MARGIN:
        return "better"
    if high < 1 - MARGIN:
        return "worse"
    if low >= 1 - MARGIN and high <= 1 + MARGIN:
        return "the same"
    return "better, perhaps by less than matters" if low > 1 else "not told apart"


def how(found: Tuned) -> str:
    """How it was found, and what that took."""
    measured = sum(each.tries for each in found.shown)
    candidates = units.plural(len(found.candidates), "candidate")
    text = f"{units.plural(measured, 'trial')} of {found.tried} of {candidates} ({found.strategy})"
    if found.blocks:
        text += f", then {units.plural(found.blocks, 'fresh block')} to confirm"
    return f"{text}: {units.format_duration(found.spent)} of {units.format_duration(found.budget)}."


def ordered(found: Tuned) -> list[Shown]:
    """What was tried, best first; what breaks a condition last."""
    return sorted(found.shown, key=lambda each: (each.chance < SURE, -found.goal.sign * each.value))


def rows(found: Tuned) -> list[tuple[str, ...]]:
    """A row of texts under ``HEADINGS`` for every candidate that was tried, best first."""
    return [
        (
            mark(found, each),
            name(found, each.cell),
            value_text(found.goal.metric, each.value),
            str(each.tries),
            *(value_text(m, each.metrics[m]) if m in each.metrics else "–" for m in BESIDES),
        )
        for each in ordered(found)
    ]


def mark(found: Tuned, each: Shown) -> str:
    """What is special about a candidate, in a word or two."""
    if found.state in (CONFIRMED, SEARCHED) and each.cell == found.advised:
        return "advised"
    if each.cell == found.default:
        return "default"
    if each.chance < SURE:
        return "not kept" if each.chance < 1 - SURE else "not sure"
    if each.cell in found.contenders:
        return "as good?"
    return "front" if each.on_front else ""


def command(found: Tuned) -> commands.Command | None:
    """Lines to paste for the advised workers."""
    if found.advised is None or found.state not in (CONFIRMED, SEARCHED):
        return None
    return commands.command(found.cells[found.advised].setup, name(found, found.advised))


def importance_text(found: Tuned) -> str:
    """``concurrency 71 %, pool 12 %`` of the differences between the candidates."""
    names = labels.axis_names(list(found.importance))
    shares = [f"{names[axis]} {share * 100:.0f} %" for axis, share in found.importance.items()]
    return f"Of the differences between candidates each setting explains by itself: {', '.join(shares)}."


def render(found: Tuned, console: "Console") -> None:
    """Print it: advice, reasons, lines to paste, and the best candidates."""
    from rich.table import Table
    from rich.text import Text

    good = found.state == CONFIRMED
    console.print(Text(title(found), style="bold"))
    console.print(Text(headline(found), style="bold green" if good else "bold yellow"))
    for text in findings(found):
        console.print(Text(text))
    lines = command(found)
    if lines:
        console.print()
        for line in lines.text.splitlines():
            console.print(Text(f"  {line}", style="cyan"), soft_wrap=True)
    console.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in HEADINGS:
        goal = metric_text(found) if heading == "goal" else heading
        table.add_column(goal, justify="left" if heading in ("", "cell") else "right")
    every = rows(found)
    for row in every[:MOST_ROWS]:
        table.add_row(*row)
    console.print(table)
    if len(every) > MOST_ROWS:
        console.print(Text(f"and {len(every) - MOST_ROWS} more, in the report", style="dim"))
    if found.importance:
        console.print(Text(f"\n{importance_text(found)}", style="dim"))
    console.print(Text(how(found), style="dim"))


def as_markdown(found: Tuned) -> str:
    """The answer for a pull request or a wiki."""
    lines = [f"### {markdown.escape(title(found))}", "", f"**{markdown.escape(headline(found))}**", ""]
    lines += [markdown.escape(text) for text in findings(found)]
    pasted = command(found)
    if pasted:
        lines += ["", "```", pasted.text, "```", "", markdown.escape(pasted.note)]
    headings = [metric_text(found) if heading == "goal" else heading for heading in HEADINGS]
    lines += ["", f"| {' | '.join(headings)} |", f"|{' --- |' * len(headings)}"]
    lines += [f"| {' | '.join(map(markdown.escape, row))} |" for row in rows(found)]
    lines += ["", importance_text(found)] if found.importance else []
    return "\n".join([*lines, "", how(found)]) + "\n"


def as_json(found: Tuned) -> dict[str, Any]:
    """All of it as plain data, SI units."""
    pasted = command(found)
    return {
        "format": model.FORMAT,
        "run": found.run,
        "scenario": found.name,
        "state": found.state,
        "goal": {
            "metric": found.goal.metric,
            "maximize": found.goal.maximize,
            "subject_to": [condition.text for condition in found.goal.conditions],
        },
        "strategy": found.strategy,
        "seconds": {"budget": found.budget, "spent": round(found.spent, 1)},
        "headline": headline(found),
        "advised": _cell_json(found, found.advised),
        "runner_up": _cell_json(found, found.runner_up),
        "default": _cell_json(found, found.default),
        "chance": found.chance,
        "commands": pasted.text.splitlines() if pasted else [],
        "versus": [
            {"other": dict(found.cells[v.other].settings), "ratio": None if math.isnan(v.ratio) else v.ratio,
             "lower": v.lower, "upper": v.upper, "blocks": v.blocks}
            for v in found.versus
        ],
        "contenders": [dict(found.cells[cell].settings) for cell in found.contenders],
        "importance": dict(found.importance),
        "missed": {text: None if math.isnan(v) else v for text, v in found.missed.items()},
        "tried": [
            {"settings": dict(found.cells[s.cell].settings), "value": s.value, "trials": s.tries,
             "chance": s.chance, "on_front": s.on_front, "metrics": dict(s.metrics)}
            for s in ordered(found)
        ],
        "path": [
            {"trial": s.number, "cell": s.cell, "value": s.value, "leader": s.leader} for s in found.steps
        ],
    }  # fmt: skip


def _cell_json(found: Tuned, cell: str | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    metrics = {
        metric: {"point": e.point, "lower": e.lower, "upper": e.upper, "trials": e.n}
        for metric, e in found.estimates[cell].items()
    }
    return {"cell": cell, "settings": dict(found.cells[cell].settings), "metrics": metrics}


def better_text(found: Tuned) -> str:
    """An axis label of the goal, and which way is better."""
    way = "less is better" if found.goal.metric == COST else figures.is_better(found.goal.metric)
    return f"{metric_text(found)} ({way})"
