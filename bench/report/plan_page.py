"""A plan as a folder: ``index.html``, ``plan.md``, ``plan.json`` and the pictures."""

from pathlib import Path

from bench.report import draw_plan, folder, labels, page, plan_words, plans
from bench.report.charts import Chart, slug
from bench.report.plan_words import Told


def write(found: Told, reports_root: Path) -> Path:
    """Write ``reports_root/plan-…/`` and return its ``index.html``.

    Raises EnvironmentFault where nothing can be written.
    """
    name = f"plan-{slug(found.plans.run)}"
    return folder.write(reports_root, name, lambda path: _fill(found, path))


def _fill(found: Told, path: Path) -> None:
    metric = labels.metric_text(found.ask.slo.metric)
    dots = (
        " Hollow dots were measured with just these workers (trials at one rate, and steps of a search that"
        " were held); where they lie off the line, trust them."
    )
    charts = [
        Chart(
            name="rate",
            title=f"{metric[0].upper()}{metric[1:]} against the rate",
            caption="What the planned workers are expected to do as the rate rises to all they get through."
            " Left of the knee more rate costs little time, right of it much. The band is the same line where"
            " everything is as much slower or faster as the ends of its capacity's interval; the bar is where"
            " one more trial at the wanted rate is expected, 19 times of 20."
            f"{dots if draw_plan.dots(found) else ''}",
            figure=lambda: draw_plan.curve(found),
        ),
        Chart(
            name="slowdown",
            title="How busy slots slow each other down",
            caption="Each dot is a trial: how long its tasks took, among how many busy slots. The line is"
            " what the plan was made with: what the cores explain, and for the rest the Universal"
            " Scalability Law.",
            figure=lambda: draw_plan.slowdown(found),
        ),
    ]
    page.fill(
        path, "plan", plans.as_markdown(found), plans.as_json(found),
        title=plan_words.title(found),
        sentence=plan_words.sentence(found.best),
        facts=plan_words.said(found),
        command="\n".join(plan_words.lines(found.best)),
        note=plan_words.note(found.best),
        pictures=page.pictures(charts, path),
        grids=plans.grids(found),
        doubts=found.best.doubts,
        how=plan_words.how(),
    )  # fmt: skip
