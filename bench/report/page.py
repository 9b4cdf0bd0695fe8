"""The report of a run as a folder: one page that needs nothing else, Markdown for a pull request, the data.

``index.html`` holds its style and pictures inside; ``report.md``, ``cells.csv``, ``trials.csv`` and each
picture as SVG and PNG lie beside it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import measured, store, units
from bench.report import (
    answer,
    beliefs,
    commands,
    conditions,
    labels,
    markdown,
    palette,
    parts,
    phases,
    sheet,
    tables,
)
from bench.report import folder as folders
from bench.report.charts import Chart, charts, drift_chart, slug
from bench.report.view import GateView, ScenarioView, collect

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

HERE = Path(__file__).parent
FILTER_FROM = 8
"""Tables of more cells than this can be filtered."""
_INSIDE = re.compile(r"(?<=\d) (?=\d{3}|×|%|[µmn]?s\b|min\b|[KMG]iB\b)|(?<= -[cP]) ")
GATE_CSS = {"pass": "pass", "fail": "fail"}


def write(run: store.Run, reports_root: Path) -> Path:
    """Write the report of ``run`` to ``reports_root/<run>/`` and return its ``index.html``.

    Raises EnvironmentFault where the folder cannot be written.
    """
    return folders.write(reports_root, run.name, lambda folder: _fill(run, folder))


def _fill(run: store.Run, folder: Path) -> None:
    views = collect(run)
    sections = [_section(view, run, folder, several=len(views) > 1) for view in views]
    files = ["report.md", "cells.csv", "trials.csv"]
    (folder / "cells.csv").write_text(tables.cells_csv(views), encoding="utf-8")
    (folder / "trials.csv").write_text(tables.trials_csv(views), encoding="utf-8")
    told = {f"{what}s.csv": tables.phases_csv(views, what) for what in ("phase", "part", "attempt")}
    for name, text in (*told.items(), ("steps.csv", tables.steps_csv(views))):
        if text:
            (folder / name).write_text(text, encoding="utf-8")
            files.append(name)
    (folder / "report.md").write_text(markdown.report(run, views), encoding="utf-8")
    questions = [view.scenario.question for view in views]
    html = template("page.html.j2").render(
        title=f"{questions[0] if len(questions) == 1 else run.name} · celery-bench",
        run=run.name,
        subtitle=conditions.subtitle(run, views),
        css=css(),
        sections=sections,
        conditions=conditions.conditions(run, views),
        host=pictures(filter(None, [drift_chart(views)]), folder),
        files=files,
    )
    (folder / "index.html").write_text(html, encoding="utf-8")


def fill(folder: Path, name: str, text: str, data: object, **words: Any) -> None:
    """``index.html`` from the template of this name, with ``words``, and the same as Markdown and JSON."""
    html = template(f"{name}.html.j2").render(css=css(), **words)
    (folder / "index.html").write_text(html, encoding="utf-8")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    plain = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / f"{name}.json").write_text(f"{plain}\n", encoding="utf-8")


def css() -> "Markup":
    """The style of every page."""
    from markupsafe import Markup

    return Markup((HERE / "page.css").read_text(encoding="utf-8"))


def template(name: str) -> "Template":
    """The template in the file of this name, which may use the macros of the others."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole"] = _whole
    return environment.get_template(name)


def _whole(text: str) -> str:
    """The text with spaces inside numbers, before units and in ``-c 2`` that do not break a line."""
    return _INSIDE.sub("\N{NO-BREAK SPACE}", text)


def _section(view: ScenarioView, run: store.Run, folder: Path, *, several: bool) -> dict[str, Any]:
    """Everything the template shows of one scenario, as plain values."""
    scenario = view.scenario
    prefix = f"{slug(scenario.name)}-" if several else ""
    by_phase = phases.metric_by_phase(view)
    return {
        "id": f"question-{slug(scenario.name)}",
        "question": scenario.question,
        "answer": answer.findings(view),
        "remarks": conditions.remarks(view, run),
        "commands": commands.of(view),
        "belief": beliefs.words(view.belief) if view.belief else None,
        "gates": [_gate(g, len(view.cells)) for g in view.gates],
        "doubts": [doubt(group) for group in tables.doubt_groups(view)],
        "figures": pictures(charts(view, run, prefix), folder),
        "table": _table(view),
        "phases": [grid for part in view.parts if (grid := phases.compact(part, by_phase))],
        "parts": parts.grids(view),
        "failures": _failures(view),
        "scenario_name": scenario.name,
        "shape": f"{units.plural(len(scenario.cells), 'cell')}, {scenario.repeats} × each",
        "source": scenario.source,
    }


def pictures(found: Iterable[Chart], folder: Path) -> list[dict[str, Any]]:
    """Draw each chart once, keep it as SVG and PNG, and hand its SVG to the page."""
    from markupsafe import Markup, escape

    out = []
    with sheet.style():
        for chart in found:
            figure = chart.figure()
            text = sheet.svg(figure, chart.name)
            (folder / f"{chart.name}.svg").write_text(text, encoding="utf-8")
            sheet.png(figure, folder / f"{chart.name}.png")
            inline = Markup(sheet.inline(text, str(escape(chart.title))))
            words = {"name": chart.name, "title": chart.title, "caption": chart.caption}
            out.append({**words, "svg": inline, "tables": chart.tables})
    return out


def _gate(gate: GateView, cells: int) -> dict[str, Any]:
    problems = [line.replace(f"{gate.text} ", "", 1) for line in gate.cases]
    kept = f"{gate.passed} of {units.plural(cells, 'cell')} {'passes' if cells == 1 else 'pass'}"
    kept = "between cells" if gate.passed is None else kept
    css = GATE_CSS.get(gate.outcome, "open")
    return {"text": gate.text, "outcome": gate.outcome, "css": css, "problems": problems, "summary": kept}


def doubt(group: tables.DoubtGroup) -> dict[str, Any]:
    """A kind of doubt as the template shows it."""
    return {
        "kind": group.kind.replace("_", " ").replace("-", " ").capitalize().replace("Slo ", "SLO "),
        "cells": units.plural(group.cells, "cell"),
        "cases": [{"where": where, "text": text} for where, text in group.cases],
        "advice": group.advice,
        "source": group.source,
    }


def _table(view: ScenarioView) -> dict[str, Any]:
    metrics = tables.main_metrics(view)
    parts = [
        {"title": part.title, "rows": [_row(row) for row in tables.rows(part, metrics)]}
        for part in view.parts
    ]
    return {
        "head": [tables.heading(m) for m in metrics],
        "parts": parts,
        "filter": len(view.cells) > FILTER_FROM,
        "note": "Mean of the trials, below it the 95 % interval. Bold: the best by"
        f" {labels.metric_text(view.scenario.metric)}, or perhaps as good. All metrics: cells.csv.",
    }


def _row(row: tables.TableRow) -> dict[str, Any]:
    cell = row.cell
    return {
        "label": cell.label,
        "colour": palette.pool_colour(cell.pool),
        "numbers": row.numbers,
        "trials": cell.trouble.replace(" trials", "") or str(len(cell.results)),
        "best": row.level,
    }


def _failures(view: ScenarioView) -> Sequence[dict[str, Any]]:
    """Trials of a cell that failed for the same reason together, with the log of the first."""
    found: dict[tuple[str, str], list[measured.TrialResult]] = {}
    for part in view.parts:
        for cell in part.cells:
            for result in cell.results:
                if not result.ok:
                    found.setdefault((tables.cell_name(part, cell), result.reason), []).append(result)
    return [
        {
            "cell": name,
            "blocks": f"block {labels.listed([str(t.block) for t in trials])}",
            "reason": reason or "no reason given",
            "log": next((t.log_tail.strip() for t in trials if t.log_tail), ""),
        }
        for (name, reason), trials in found.items()
    ]
