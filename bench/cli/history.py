"""``history``: one metric over all runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.common import FORMATS, tell
from bench.cli.compare import check_metrics
from bench.errors import UsageError
from bench.units import plural

if TYPE_CHECKING:
    from bench.store import Run


@click.command()
@click.argument("metric")
@click.option("--scenario", default="", metavar="NAME", help="Only cells of this scenario.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
              help="html writes a page with a picture under the reports folder.")  # fmt: skip
@click.pass_obj
def history(places: dict[str, Path], metric: str, scenario: str, form: str) -> None:
    """Follow METRIC over all runs under the results folder: where did its level change?

    \b
    celery-bench history throughput
    celery-bench history "p99(response)" --scenario nightly --format html

    A line for each cell that was measured with the same setup on the same machine, its level now, and each
    change of level with what else is new since then: versions, kernel, the commit of the folder. Runs of
    --quick do not count. Of eight runs on, changes are looked for.
    """
    from bench import history as histories
    from bench import store
    from bench.report import history as words
    from bench.report import history_page

    check_metrics((metric,))
    runs = store.list_runs(places["results"])
    found = histories.of(runs, metric, scenario)
    other = store.passed_over(places["results"], runs) + found.damaged
    if other:
        click.echo(f"{plural(other, 'run')} of another format or damaged: passed over.", err=True)
    if not runs:
        raise UsageError(f"There are no runs in {places['results']}.", "celery-bench run SCENARIO makes one.")
    if not found.series and not found.lone:
        raise _nothing(runs, metric, scenario)
    tell(found, words, form, lambda: history_page.write(found, places["reports"], scenario))


def _nothing(runs: list["Run"], metric: str, scenario: str) -> UsageError:
    """Why there is no series."""
    from bench.scenario.mistakes import did_you_mean

    names = dict.fromkeys(each.name for run in runs for each in run.scenarios)
    if scenario and scenario not in names:
        return UsageError(f"No run is of a scenario {scenario!r}.", did_you_mean(scenario, list(names)))
    of = f" of {scenario}" if scenario else ""
    return UsageError(
        f"No whole run{of} has {metric}.", "Runs of --quick do not count; celery-bench list shows all runs."
    )
