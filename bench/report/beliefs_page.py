"""What people believe and what became of it: the page over several runs, as Markdown and JSON too.

``reports/beliefs/`` holds ``index.html``, ``beliefs.md``, ``beliefs.json`` and the picture as SVG and PNG.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import expect, model, store, units
from bench.errors import UsageError
from bench.expect import Belief
from bench.report import beliefs, conditions, draw_forest, folder, forest, markdown, page, tables, view
from bench.report.charts import Chart, slug

NAME = "beliefs"
TITLE = "What people believe about Celery, put to the test"
ORDER = (expect.REFUTED, expect.HELD, expect.UNDECIDED)
"""First what surprises."""
CAPTION = (
    "Each row is an expectation. Vertical line: the limit; grey: where the ratio lies if the belief holds;"
    " mark and bar: the measured ratio with its 95 % interval, taken block by block. Held: all of the bar"
    " lies in the grey; refuted: none of it; undecided: the limit lies within the bar, or trials are too few."
    " Dotted: both sides equal. Of several expectations all must hold."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A belief with the run that judged it; ``missing`` trials were planned and not run (yet)."""

    belief: Belief
    run: store.Run
    trials: int
    missing: int
    doubts: tuple[tables.DoubtGroup, ...]

    @property
    def name(self) -> str:
        return self.belief.scenario.name


def collect(runs: Sequence[store.Run]) -> list[Entry]:
    """Every belief that the runs state, refuted ones first.

    Of several runs of one scenario the newest that is whole and not quick, else the newest.
    """
    found: dict[str, list[Entry]] = {}
    for run in sorted(runs, key=lambda run: (str(run.meta.get("created", "")), run.name)):
        for each in view.collect(run) if any(scenario.belief for scenario in run.scenarios) else ():
            if each.belief:
                found.setdefault(each.scenario.name, []).append(_judged(run, each, each.belief))
    best = [max(entries[::-1], key=lambda e: not e.missing and not e.run.quick) for entries in found.values()]
    return sorted(best, key=lambda e: (ORDER.index(e.belief.outcome), e.name))


def _judged(run: store.Run, seen: view.ScenarioView, belief: Belief) -> Entry:
    ran, planned = len(seen.results), len(seen.cells) * seen.scenario.repeats
    doubts = tuple(tables.doubt_groups(seen))
    return Entry(belief=belief, run=run, trials=ran, missing=planned - ran, doubts=doubts)


def write(runs: Sequence[store.Run], reports_root: Path) -> Path:
    """Write ``reports_root/beliefs/`` and return its ``index.html``.

    Raises UsageError where no run states a belief, EnvironmentFault where nothing can be written.
    """
    entries = collect(runs)
    if not entries:
        raise UsageError(
            "None of these runs states a belief.",
            "A scenario does with `belief:` and `expect:`. Those that ship: celery-bench beliefs --run",
        )
    return folder.write(reports_root, NAME, lambda path: _fill(entries, path))


def _fill(entries: Sequence[Entry], path: Path) -> None:
    data = forest.of_beliefs([entry.belief for entry in entries])
    chart = Chart(
        name=NAME,
        title=TITLE,
        caption=CAPTION,
        figure=lambda: draw_forest.forest(data, draw_forest.BELIEFS),
    )
    page.fill(
        path,
        NAME,
        _markdown(entries),
        as_json(entries),
        title=f"{TITLE} · celery-bench",
        heading=TITLE,
        tally=tally(entries),
        picture_of_all=page.pictures([chart], path)[0],
        entries=[_entry(entry) for entry in entries],
        machines=machines(entries),
    )


def tally(entries: Sequence[Entry]) -> list[tuple[beliefs.Words, int]]:
    """How many beliefs came to each verdict."""
    found = [entry.belief.outcome for entry in entries]
    return [(beliefs.Words(outcome=outcome), found.count(outcome)) for outcome in ORDER if outcome in found]


def _entry(entry: Entry) -> dict[str, Any]:
    scenario = entry.belief.scenario
    return {
        "id": f"belief-{slug(scenario.name)}",
        "question": scenario.question,
        "belief": beliefs.words(entry.belief),
        "remark": remark(entry),
        "doubts": [page.doubt(group) for group in entry.doubts],
        "scenario": scenario.name,
        "shape": _shape(entry),
        "command": f"celery-bench run {scenario.name}",
        "run": entry.run.name,
        "source": scenario.source,
    }


def _shape(entry: Entry) -> str:
    cells = len(entry.belief.scenario.cells)
    return f"{units.plural(cells, 'cell')}, {units.plural(entry.trials, 'trial')}"


def remark(entry: Entry) -> str:
    """What qualifies the verdict: trials that are missing, a run that was cut short."""
    words = [f"{units.plural(entry.missing, 'trial')} not run yet"] if entry.missing else []
    words += ["quick: shortened, not for decisions"] if entry.run.quick else []
    return "; ".join(words)


def _doubts(entry: Entry) -> str:
    kinds = [f"{group.kind} ({units.plural(group.cells, 'cell')})" for group in entry.doubts]
    return f"Doubts: {', '.join(kinds)}." if kinds else ""


def machines(entries: Sequence[Entry]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each machine with its versions once: its scenarios (empty if there is one machine) and its facts."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for entry in entries:
        found.setdefault(tuple(conditions.machine(entry.run)), []).append(entry.name)
    return [(", ".join(names) if len(found) > 1 else "", list(facts)) for facts, names in found.items()]


def as_json(entries: Sequence[Entry]) -> dict[str, Any]:
    """Every belief with its verdict and numbers, and what it was run on."""
    return {
        "format": model.FORMAT,
        "beliefs": [
            {
                **beliefs.as_json(entry.belief),
                "run": entry.run.name,
                "created": entry.run.meta.get("created"),
                "trials": entry.trials,
                "missing": entry.missing,
                "quick": entry.run.quick,
                "doubts": [{"kind": group.kind, "cells": group.cells} for group in entry.doubts],
                "host": entry.run.meta.get("host", {}),
                "versions": entry.run.meta.get("versions", {}),
            }
            for entry in entries
        ],
    }


def _markdown(entries: Sequence[Entry]) -> str:
    counted = ", ".join(f"{n} {words.word}" for words, n in tally(entries))
    blocks = [
        f"# {TITLE}",
        f"{units.plural(len(entries), 'belief')}: {counted}.",
        f"![{TITLE}]({NAME}.svg)",
        CAPTION,
    ]
    for entry in entries:
        scenario = entry.belief.scenario
        blocks += [
            f"## {markdown.escape(scenario.question)}",
            markdown.belief_text(beliefs.words(entry.belief)),
            markdown.escape(remark(entry)),
            markdown.escape(_doubts(entry)),
            f"`celery-bench run {scenario.name}`: {_shape(entry)}, run {markdown.escape(entry.run.name)}.",
        ]
    blocks += ["## Measured on"]
    for names, facts in machines(entries):
        blocks += [markdown.escape(names), "\n".join(f"- {k}: {markdown.escape(v)}" for k, v in facts)]
    return "\n\n".join(filter(None, blocks)) + "\n"
