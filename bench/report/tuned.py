"""The answer of a search for the best setting, as rows: terminal, Markdown and JSON."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench import model, units
from bench.report import commands, labels, markdown, tuned_words
from bench.report import grids as tables_of
from bench.report.phases import Grid
from bench.search.goal import SURE
from bench.search.tuned import CONFIRMED, Shown, Tuned

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS = 12


def ordered(found: Tuned) -> list[Shown]:
    """What was tried, what is expected to be best first; what breaks a condition last."""
    return sorted(found.shown, key=lambda each: (each.chance < SURE, -found.goal.sign * each.expected))


def grids(found: Tuned) -> list[Grid]:
    """What the fresh trials gave, and what the search saw of every candidate that was tried, best first."""
    besides = [labels.metric_text(metric) for metric in tuned_words.besides(found)]
    fresh = (tuned_words.metric_text(found), "trials", *besides, "")
    seen = ("expected", *fresh)
    best = frozenset({tuned_words.name(found, found.advised)} if found.advised and found.has_advice else ())
    both = (
        ("Fresh trials", fresh, tuple(_fresh(found))),
        ("In the search, which flatters its winner", seen, tuple(_seen(found))),
    )
    return [Grid(title=t, corner="", columns=c, rows=rows, best=best) for t, c, rows in both if rows]


def _fresh(found: Tuned) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not found.blocks:
        return
    roles = {found.advised: "advised" if found.has_advice else ""}
    roles.setdefault(found.runner_up, "runner-up")
    roles.setdefault(found.default, "default")
    for cell, role in roles.items():
        have = found.estimates[cell] if cell else {}
        if cell and (mine := have.get(found.goal.metric)):
            besides = tuned_words.besides(found)
            values = (units.format_metric(m, have[m].point) if m in have else "" for m in besides)
            yield (
                tuned_words.name(found, cell),
                (tuned_words.number(found.goal.metric, mine), str(mine.n), *values, role),
            )


def _seen(found: Tuned) -> Iterator[tuple[str, tuple[str, ...]]]:
    for each in ordered(found):
        besides = tuned_words.besides(found)
        values = (units.format_metric(m, each.metrics[m]) if m in each.metrics else "" for m in besides)
        goal = (units.format_metric(found.goal.metric, number) for number in (each.expected, each.value))
        yield tuned_words.name(found, each.cell), (*goal, str(each.tries), *values, mark(found, each) or " ")


def mark(found: Tuned, each: Shown) -> str:
    """What is special about a candidate, in a word or two."""
    if found.has_advice and each.cell == found.advised:
        return "advised"
    words = ["default"] if each.cell == found.default else []
    if each.chance < SURE:
        words.append("not kept" if each.chance < 1 - SURE else "not sure")
    elif not words and each.cell in found.contenders:
        words.append("as good?")
    return ", ".join([*words, *(["front"] if each.on_front else [])])


def command(found: Tuned) -> commands.Command | None:
    """Lines to paste for the advised workers."""
    if found.advised is None or not found.has_advice:
        return None
    return commands.command(found.cells[found.advised].setup, tuned_words.name(found, found.advised))


def render(found: Tuned, console: "Console") -> None:
    """Print it: advice, reasons, lines to paste, and the best candidates."""
    from rich.text import Text

    good = found.state == CONFIRMED
    console.print(Text(tuned_words.title(found), style="bold"))
    console.print(Text(tuned_words.headline(found), style="bold green" if good else "bold yellow"))
    for text in tuned_words.findings(found):
        console.print(Text(text))
    lines = command(found)
    if lines:
        console.print()
        for line in lines.text.splitlines():
            console.print(Text(f"  {line}", style="cyan"), soft_wrap=True)
        console.print(Text(lines.note, style="dim"))
    for grid in grids(found):
        console.print()
        console.print(tables_of.table(replace(grid, rows=grid.rows[:MOST_ROWS]), wrap=True))
        if len(grid.rows) > MOST_ROWS:
            console.print(Text(f"and {len(grid.rows) - MOST_ROWS} more, in the report", style="dim"))
    doubts = tuned_words.doubts(found)
    if doubts:
        console.print()
    for doubt in doubts:
        console.print(Text(f"? {doubt.kind}: {doubt.text} {doubt.advice}", style="yellow"))
    if found.importance:
        console.print(Text(f"\n{tuned_words.importance_text(found)}", style="dim"))
    console.print(Text(tuned_words.how(found), style="dim"))


def as_markdown(found: Tuned) -> str:
    """The answer for a pull request or a wiki."""
    lines = [
        f"### {markdown.escape(tuned_words.title(found))}",
        "",
        f"**{markdown.escape(tuned_words.headline(found))}**",
        "",
    ]
    lines += [markdown.escape(text) for text in tuned_words.findings(found)]
    pasted = command(found)
    if pasted:
        lines += ["", "```", pasted.text, "```", "", markdown.escape(pasted.note)]
    for grid in grids(found):
        lines += ["", f"**{markdown.escape(grid.title)}**", "", *tables_of.rows(grid)]
    lines += [
        "",
        *(f"- ❔ **{d.kind}**: {markdown.escape(f'{d.text} {d.advice}')}" for d in tuned_words.doubts(found)),
    ]
    lines += ["", tuned_words.importance_text(found)] if found.importance else []
    return "\n".join([*lines, "", tuned_words.how(found)]) + "\n"


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
        "fresh_blocks": found.blocks,
        "headline": tuned_words.headline(found),
        "advised": _cell_json(found, found.advised) if found.has_advice else None,
        "nearest": None if found.has_advice else _cell_json(found, found.advised),
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
        "doubts": [{"kind": d.kind, "text": d.text, "advice": d.advice} for d in tuned_words.doubts(found)],
        "missed": {text: None if math.isnan(v) else v for text, v in found.missed.items()},
        "tried": [
            {"settings": dict(found.cells[s.cell].settings), "value": s.value, "expected": s.expected,
             "trials": s.tries, "chance": s.chance, "on_front": s.on_front, "metrics": dict(s.metrics)}
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
