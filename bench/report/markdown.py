"""The report for a pull request: the answer, the gates, one table a circumstance, the doubts; no pictures."""

import re
from collections.abc import Sequence

from bench import store, units
from bench.expect import HELD, REFUTED, UNDECIDED
from bench.report import answer, beliefs, commands, conditions, parts, phases, searches, tables
from bench.report.view import Part, ScenarioView

MOST_COLUMNS = 6
VERDICTS = {HELD: "✅", REFUTED: "❌", UNDECIDED: "❔"}
SIGNS = {"pass": "✅ pass", "fail": "❌ fail"}

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def escape(text: str) -> str:
    """The text as GitHub shows it literally: no markup, no HTML, no mention of a person, one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("@", "@\u200b")


def report(run: store.Run, views: Sequence[ScenarioView]) -> str:
    """The whole file."""
    blocks = [f"## celery-bench: {escape(run.name)}", escape(conditions.subtitle(run, views))]
    for view in views:
        blocks += _section(view, run)
    rows = [f"- {escape(what)}: {escape(value)}" for what, value in conditions.conditions(run, views)]
    blocks += [_folded("Host, versions, command", "\n".join(rows))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _section(view: ScenarioView, run: store.Run) -> list[str]:
    out = [f"### {escape(view.scenario.question)}"]
    out += ["\n".join(f"- {escape(finding.text)}" for finding in answer.findings(view))]
    out += [escape(remark) for remark in conditions.remarks(view, run)]
    out += [belief_text(beliefs.words(view.belief)) if view.belief else "", _gates(view)]
    metrics = tables.main_metrics(view)[:MOST_COLUMNS]
    out += [_table(part, metrics) for part in view.parts]
    by_phase = phases.metric_by_phase(view)
    out += [_grid(grid) for part in view.parts if (grid := phases.compact(part, by_phase))]
    out += ["Mean of the trials (95 % interval). Bold: the best, or perhaps as good."]
    to_paste = "\n\n".join(
        f"{escape(c.title)}\n\n```\n{c.text}\n```" + (f"\n\n{escape(c.note)}" if c.note else "")
        for c in commands.of(view)
    )
    each = [phases.of_cell(p, cell) for p in view.parts for cell in p.cells if cell.summary.phases]
    out += [_folded("Every phase", "\n\n".join(_grid(grid) for grid in each))]
    out += [_folded("Parts and attempts", "\n\n".join(_grid(grid) for grid in parts.grids(view)))]
    steps = "\n\n".join(_grid(grid) for grid in searches.step_grids(view))
    out += [_folded("Steps of the search", steps)]
    out += [_folded("To use it", to_paste), _folded("Doubts", _doubts(view))]
    return [*out, _folded("Failed trials", _failures(view))]


def belief_text(belief: beliefs.BeliefWords) -> str:
    """What people say, the verdict, and for each expectation what was measured."""
    lines = [f"> {escape(belief.text)}", "", f"{VERDICTS[belief.outcome]} **{belief.word}**", ""]
    for found in belief.expectations:
        sign = f"{VERDICTS[found.outcome]} " if len(belief.expectations) > 1 else ""
        lines.append(f"- {sign}expected {_code(found.text)}")
        lines += [f"  - measured **{escape(found.measured)}**"] if found.measured else []
        lines += [f"  - {_code(side)} {escape(number)}" for side, number in found.sides]
        lines += [f"  - {escape(why)}" for why in found.why]
    return "\n".join(lines)


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _gates(view: ScenarioView) -> str:
    lines = []
    for gate in view.gates:
        head = f"- {SIGNS.get(gate.outcome, '❔ undecided')}: {_code(gate.text)}"
        lines += [
            head,
            *(f"  - {escape(problem.replace(f'{gate.text} ', '', 1))}" for problem in gate.cases),
        ]
    return "\n".join(lines)


def _table(part: Part, metrics: Sequence[str]) -> str:
    head = [escape(part.title) if part.title else "settings", *map(tables.heading, metrics), "trials"]
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    for row in tables.rows(part, metrics):
        name = escape(row.cell.label)
        cells = [str(n) if n else "–" for n in row.numbers]
        trials = row.cell.trouble or str(len(row.cell.results))
        lines.append(f"| {f'**{name}**' if row.level else name} | {' | '.join(cells)} | {trials} |")
    return "\n".join(lines)


def _grid(grid: phases.Grid) -> str:
    lines = [
        f"**{escape(grid.title)}**",
        "",
        f"| {' | '.join(map(escape, (grid.corner, *grid.columns)))} |",
        f"| --- |{' ---: |' * len(grid.columns)}",
    ]
    for name, texts in grid.rows:
        head = f"**{escape(name)}**" if name in grid.best else escape(name)
        lines.append(f"| {' | '.join((head, *(escape(text or '–') for text in texts)))} |")
    return "\n".join(lines)


def _doubts(view: ScenarioView) -> str:
    lines = []
    for group in tables.doubt_groups(view):
        lines.append(
            f"- **{escape(group.kind)}** ({units.plural(group.cells, 'cell')}): {escape(group.advice)}"
        )
        lines += [f"  - {escape(where)}: {escape(text)}" for where, text in group.cases]
        lines += [f"  - <sub>Why: {escape(group.source)}</sub>"] if group.source else []
    return "\n".join(lines)


def _failures(view: ScenarioView) -> str:
    return "\n".join(
        f"- {escape(tables.cell_name(part, cell))}, block {result.block}:"
        f" {escape(result.reason or 'no reason given')}"
        for part in view.parts
        for cell in part.cells
        for result in cell.results
        if not result.ok
    )


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>" if body else ""
