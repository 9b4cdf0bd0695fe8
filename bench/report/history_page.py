"""A history as a folder: ``index.html``, ``history.md``, ``history.json`` and the picture."""

from hashlib import sha256
from pathlib import Path

from bench.history import History
from bench.report import draw_history, folder, history, page
from bench.report.charts import Chart, slug


def write(found: History, reports_root: Path, scenario: str = "") -> Path:
    """Write ``reports_root/history-…/`` and return its ``index.html``; ``scenario``: the only one that was
    asked for.

    Raises EnvironmentFault where nothing can be written.
    """
    name = "-".join(filter(None, ["history", slug(found.metric), _own(scenario)]))
    return folder.write(reports_root, name, lambda path: _fill(found, path))


def _own(scenario: str) -> str:
    """The name as part of a folder's that no other scenario has: with a hash where ``slug`` changes it."""
    short = sha256(scenario.encode()).hexdigest()[:6]
    return scenario if scenario in ("", slug(scenario)) else f"{slug(scenario)}-{short}"


def _fill(found: History, path: Path) -> None:
    shown = draw_history.drawn(found)
    left = len(found.series) - len(shown)
    chart = Chart(
        name="history",
        title="Run by run",
        caption="Each dot is the mean of a run's trials with its 95 % interval, oldest on the left;"
        " the runs stand side by side, whatever time lies between them. Axes need not begin at zero."
        + (f" {left} more in the table." if left else ""),
        figure=lambda: draw_history.history_figure(found),
    )
    page.fill(
        path, "history", history.as_markdown(found), history.as_json(found),
        title=history.title(found),
        summary=history.summary(found),
        pictures=page.pictures([chart] if shown else [], path),
        headings=history.HEADINGS,
        rows=history.rows(found),
        signs=history.SIGNS,
        css_of={history.BETTER: "pass", history.WORSE: "fail"},
        how=history.how(found),
    )  # fmt: skip
