"""``compare``: two runs, or two values of an axis, against each other."""

from pathlib import Path

import click

from bench.cli.common import FORMATS, Share, tell
from bench.errors import UsageError

MOST_ASKED = ("(response)", "(wait)", "(service)")
"""Suggested before others."""


@click.command()
@click.argument("base", metavar="BASE")
@click.argument("candidate", metavar="[CANDIDATE]", required=False)
@click.option("--by", metavar="AXIS", help="Compare inside one run: workers.pool, or only pool.")
@click.option("--baseline", metavar="VALUE", help="The value of --by that all others are held against.")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="Compare this (again for more): p99(response)."
)
@click.option(
    "--margin",
    type=Share(),
    default="2%",
    show_default=True,
    help="A change smaller than this does not matter.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
              help="html writes a page with pictures under the reports folder.")  # fmt: skip
@click.pass_obj
def compare(
    places: dict[str, Path],
    base: str,
    candidate: str | None,
    by: str | None,
    baseline: str | None,
    metrics: tuple[str, ...],
    margin: float,
    form: str,
) -> None:
    """Compare two runs (names, paths or `latest`), or two values of an axis inside one run.

    \b
    celery-bench compare monday tuesday                          cells matched by their settings
    celery-bench compare latest --by pool --baseline prefork     every other pool against prefork, by block

    Of each cell and metric: candidate ÷ base with its 95 % interval, and a verdict. Worse and better are
    shown to be beyond the margin, same lies within it; undecided is all else, with what would decide.
    """
    from bench import compare as compares
    from bench import store
    from bench.report import compare_page, comparison

    check_metrics(metrics)
    first = store.open_run(places["results"], base)
    if by is not None:
        if candidate is not None:
            raise UsageError("--by compares inside one run.", f"Leave out {candidate}, or --by.")
        if baseline is None:
            raise UsageError(
                "--by needs to know what to compare with.", "Name a value of the axis: --baseline VALUE"
            )
        second = first
        found = compares.within(first, by, baseline, metrics=metrics, margin=margin)
    else:
        if candidate is None:
            raise UsageError(
                "One run was given.", "Name two, or compare inside one: --by AXIS --baseline VALUE"
            )
        if baseline is not None:
            raise UsageError("--baseline is a value of an axis.", "Name the axis: --by AXIS")
        second = store.open_run(places["results"], candidate)
        if first.path.resolve() == second.path.resolve():
            raise UsageError(
                f"Both sides are {first.name}.", "Name two runs, or compare inside one: --by AXIS"
            )
        for run in (first, second):
            if not run.results():
                hint = f"celery-bench run --resume {run.name} measures what is missing."
                raise UsageError(f"{run.name} has no trial.", hint)
        found = compares.runs(first, second, metrics=metrics, margin=margin)
    tell(found, comparison, form, lambda: compare_page.write(found, (first, second), places["reports"]))


def check_metrics(metrics: tuple[str, ...]) -> None:
    """Raises UsageError for a name that is no metric."""
    from bench.measured import METRICS

    for name in metrics:
        if name not in METRICS:
            raise UsageError(f"{name!r} is not a metric.", _meant(name))


def _meant(name: str) -> str:
    """The metrics that begin with what was written, else the nearest one, else what kinds there are."""
    from bench.measured import DURATIONS, METRICS, PLAIN_METRICS, STATISTICS
    from bench.scenario.mistakes import did_you_mean

    begin = [metric for metric in METRICS if name and metric.startswith(name.lower())]
    begin.sort(key=lambda metric: next((n for n, of in enumerate(MOST_ASKED) if metric.endswith(of)), 9))
    if begin:
        return f"Did you mean {', '.join(begin[:5])}{' …' if len(begin) > 5 else ''}?"
    near = did_you_mean(name, METRICS)
    if near.startswith("Did"):
        return near
    return (
        f"Known: {', '.join(PLAIN_METRICS)}, and {', '.join(STATISTICS)} of {', '.join(DURATIONS)},"
        " written as p95(response)."
    )
