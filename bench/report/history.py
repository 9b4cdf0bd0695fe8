"""One metric over many runs in words and rows: terminal, Markdown, JSON and the page."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench import analyse, model, units
from bench.history import Change, History, Series
from bench.measured import COUNTS, HIGHER_IS_BETTER
from bench.report import figures, labels, markdown, tables
from bench.stats.changepoints import LEAST

if TYPE_CHECKING:
    from rich.console import Console

BETTER, WORSE = "better", "worse"
SIGNS = {BETTER: "✓", WORSE: "✗"}
STYLES = {BETTER: "green", WORSE: "red"}
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40
"""So many of the newest runs have a place in the line of bars."""
LONE = "Every cell was measured in one run only, so there is nothing to follow yet."
MOST = 3
"""So many differences name a series."""
LONGEST = 40
"""Letters of a value in a name."""
HEADINGS = ("cell", "runs", "level now", "since", "changes")


def title(found: History) -> str:
    """``Throughput over 23 runs``."""
    return f"{figures.figure_title(found.metric)} over {units.plural(found.runs, 'run')}"


def name(found: History, series: Series) -> str:
    """The cell in words, as far as the cells of this history differ."""
    mine = [each for each in found.series if each.scenario == series.scenario]
    axes = labels.varying(each.settings for each in mine)
    words = [labels.settings_text(series.settings, axes)] if axes else []
    if len({each.scenario for each in found.series}) > 1 or not words:
        words.insert(0, series.scenario)
    alike = [each for each in mine if each.settings == series.settings]
    if len(alike) > 1:
        words.append(_apart(series, alike))
    return ": ".join(words)


def _apart(series: Series, alike: Sequence[Series]) -> str:
    """What it differs in, and where that tells it from no other, which of them it is."""
    told = [_differs(each) for each in alike]
    mine = told[alike.index(series)]
    number = f"setup {alike.index(series) + 1} of {len(alike)}" if told.count(mine) > 1 else ""
    return ", ".join(filter(None, (mine, number)))


def _differs(series: Series) -> str:
    """``seconds 0.02, concurrency 2``: three of them at most, and how many more there are."""
    names = labels.axis_names(list(series.differs))
    words = [f"{names[path]} {_value(path, text)}" for path, text in series.differs.items()]
    return " and ".join([", ".join(words[:MOST]), *labels.first_of(words, MOST)[MOST:]])


def _value(path: str, text: str) -> str:
    if path == "host.memory" and text.isdigit():
        return units.format_size(float(text))
    value = labels.value_text(path, text)
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"


def direction(found: History, change: Change) -> str:
    """``better`` or ``worse``."""
    rises = change.value > (1 if change.is_ratio else 0)
    return BETTER if rises == (found.metric in HIGHER_IS_BETTER) else WORSE


def change_text(found: History, change: Change) -> str:
    """``0.880 × (0.860 to 0.900)``; a difference is ``+50 ms (+49 to +51 ms)``, of a count ``+3 (+2 to +4) a
    trial``.
    """
    point, low, high = (_amount(found, change, x) for x in (change.value, change.lower, change.upper))
    if change.is_ratio:
        return f"{point} × ({low} to {high})"
    more = " a trial" if found.metric in COUNTS else ""
    return f"{point} ({tables.unit_once(low, high)} to {high}){more}"


def _amount(found: History, change: Change, value: float) -> str:
    if change.is_ratio:
        return f"{value:.3f}"
    sign = "-" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{units.format_metric(found.metric, abs(value))}"


def explained(change: Change) -> str:
    """``celery 5.6.3 → 5.7.0``: what else is new since then."""
    told = [f"{name} {old} → {new}" for name, old, new in change.differences]
    return ", ".join(labels.first_of(told, 4)) or "nothing else that is known changed"


def level_text(found: History, series: Series) -> str:
    """The mean of the runs since the last change with its interval."""
    values = [point.estimate.point for point in series.level]
    return str(tables.number(found.metric, analyse.estimate(found.metric, values)))


def bars(series: Series) -> str:
    """The newest runs as a line of bars, from the lowest of all runs to the highest."""
    values = [point.estimate.point for point in series.points]
    low, high = min(values), max(values)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(BARS[round((value - low) / step)] for value in values[-WIDTH:])


def summary(found: History) -> str:
    """How many levels changed, and what was not looked at."""
    words = [*_followed(found)] if found.series else [LONE]
    if found.quick:
        words.append(f"{units.plural(found.quick, 'quick run')} {_be(found.quick)} left out.")
    if found.unfinished:
        are, their = ("is", "its") if found.unfinished == 1 else ("are", "their")
        words.append(
            f"{units.plural(found.unfinished, 'run')} {are} unfinished: {their} points rest on fewer trials."
        )
    return " ".join(words)


def _followed(found: History) -> Iterator[str]:
    changed = sum(len(series.changes) for series in found.series)
    short = sum(not series.searched for series in found.series)
    yield f"{units.plural(changed, 'change')} of level in {units.plural(len(found.series), 'cell')}."
    if short:
        these = "all" if short == len(found.series) else str(short)
        yield f"Changes are looked for from {LEAST} runs of a cell on; {these} had fewer."
    if found.lone:
        yield f"{units.plural(found.lone, 'more cell')} {_be(found.lone)} measured in one run only."


def _be(count: int) -> str:
    return "was" if count == 1 else "were"


def how(found: History) -> str:
    """How changes were found; empty where there is no series."""
    if not found.series:
        return ""
    return (
        "Changes: PELT on the runs' means, in units of the series' own noise; where runs are independent,"
        " one history in a hundred shows a change that is none. A change's interval is over runs, and a"
        " little too narrow, since its place was found in the same data."
    )


def told(found: History, series: Series) -> Iterator[tuple[str, str]]:
    """A line for each change of a series, newest first, with its direction."""
    for change in reversed(series.changes):
        point = series.points[change.index]
        text = f"{change_text(found, change)} since {point.run}: {explained(change)}"
        yield direction(found, change), text


def render(found: History, console: "Console") -> None:
    """Print it: for each cell its bars, its level now and its changes."""
    from rich.text import Text

    console.print(Text(title(found), style="bold"))
    console.print(Text(summary(found)))
    for series in found.series:
        first = series.level[0]
        since = f"{units.plural(len(series.level), 'run')} since {first.at:%Y-%m-%d}"
        console.print(Text(f"\n{name(found, series)}", style="bold"))
        console.print(Text(f"  {bars(series)}  {level_text(found, series)}, {since}"))
        for verdict, text in told(found, series):
            console.print(Text(f"  {SIGNS[verdict]} {verdict} {text}", style=STYLES[verdict]))
    if found.series:
        console.print(Text(f"\n{how(found)}", style="dim"))


def rows(found: History) -> list[tuple[Series, tuple[str, ...], list[tuple[str, str]]]]:
    """Each series with its texts under ``HEADINGS`` but for the changes, and these."""
    return [
        (
            series,
            (
                name(found, series),
                str(len(series.points)),
                level_text(found, series),
                f"{series.level[0].at:%Y-%m-%d}",
            ),
            list(told(found, series)),
        )
        for series in found.series
    ]


def as_markdown(found: History) -> str:
    """The history as a table."""
    lines = [f"### {markdown.escape(title(found))}", "", summary(found)]
    if found.series:
        lines += ["", *_table(found), "", how(found)]
    return "\n".join(lines) + "\n"


def _table(found: History) -> Iterator[str]:
    yield from (f"| {' | '.join(HEADINGS)} |", f"|{' --- |' * len(HEADINGS)}")
    for _, texts, changes in rows(found):
        last = "; ".join(f"{SIGNS[verdict]} {verdict} {text}" for verdict, text in changes)
        yield f"| {' | '.join(map(markdown.escape, (*texts, last)))} |"


def as_json(found: History) -> dict[str, Any]:
    """All of it as plain data, SI units."""
    return {
        "format": model.FORMAT,
        "metric": found.metric,
        "runs": found.runs,
        "quick_runs_left_out": found.quick,
        "unfinished_runs": found.unfinished,
        "cells_in_one_run_only": found.lone,
        "series": [_series_json(found, series) for series in found.series],
    }


def _series_json(found: History, series: Series) -> dict[str, Any]:
    return {
        "scenario": series.scenario,
        "cell": series.cell.id,
        "differs": dict(series.differs),
        "settings": dict(series.settings),
        "machine": dict(series.machine),
        "searched": series.searched,
        "points": [
            {"run": p.run, "at": p.at.isoformat(), "point": p.estimate.point, "lower": p.estimate.lower,
             "upper": p.estimate.upper, "trials": p.estimate.n}
            for p in series.points
        ],
        "changes": [
            {"since": series.points[c.index].run, "verdict": direction(found, c),
             "ratio" if c.is_ratio else "difference": c.value, "lower": c.lower, "upper": c.upper,
             "differences": [dict(zip(("name", "before", "after"), d, strict=True)) for d in c.differences]}
            for c in series.changes
        ],
    }  # fmt: skip
