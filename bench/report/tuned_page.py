"""A search as a folder: ``index.html``, ``tuned.md``, ``tuned.json`` and the pictures."""

from pathlib import Path

from bench.report import draw_tuned, folder, page, tuned, tuned_words
from bench.report.charts import Chart
from bench.search.tuned import CONFIRMED, SEARCHED, Tuned


def write(found: Tuned, reports_root: Path) -> Path:
    """Write ``reports_root/<run>/`` and return its ``index.html``.

    Raises EnvironmentFault where nothing can be written.
    """
    return folder.write(reports_root, found.run, lambda path: _fill(found, path))


def _fill(found: Tuned, path: Path) -> None:
    page.fill(
        path, "tuned", tuned.as_markdown(found), tuned.as_json(found),
        title=tuned_words.title(found),
        question=found.question,
        headline=tuned_words.headline(found),
        css_of={CONFIRMED: "pass", SEARCHED: "open"}.get(found.state, "fail"),
        findings=list(tuned_words.findings(found)),
        command=tuned.command(found),
        pictures=page.pictures(_charts(found), path),
        grids=list(tuned.grids(found)),
        doubts=tuned_words.doubts(found),
        how=tuned_words.how(found),
    )  # fmt: skip


def _charts(found: Tuned) -> list[Chart]:
    if not found.shown:
        return []
    charts = [
        Chart(
            name="front",
            title="What candidates give and what they cost",
            caption="Each dot is a candidate: the mean of its trials in the search. On the line no other"
            " that keeps the conditions gives more for less.",
            figure=lambda: draw_tuned.front_figure(found),
        ),
        Chart(
            name="path",
            title="The search, trial by trial",
            caption="Each dot is a trial. The line is the mean of what had done best by then, conditions"
            " first: what a search sees of its winner is flattered, which is why it decides by what is to be"
            " expected (see the table), and why fresh trials follow.",
            figure=lambda: draw_tuned.path_figure(found),
        ),
    ]
    if found.importance:
        charts.append(
            Chart(
                name="importance",
                title="Which settings matter",
                caption="How much of the differences between candidates each setting explains by itself; what"
                " settings do only together is in none of the bars.",
                figure=lambda: draw_tuned.importance_figure(found),
            )
        )
    return charts
