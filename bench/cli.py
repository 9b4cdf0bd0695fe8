"""The command line: parse, one verb, exit code. The only place that prints and exits.

Everything heavy is imported inside the verb that needs it, so that ``--help`` answers at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import (
    EXIT_BUG,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TRIAL_FAILED,
    BenchError,
    ScenarioError,
    UsageError,
)

if TYPE_CHECKING:
    from rich.console import Console

    from bench.store import Run

EXIT_CODES = """\b
Exit codes: 0 ok, 1 bug, 2 bad scenario or usage, 3 environment (no broker, missing
package, disk full), 4 a trial failed, 5 gate failed or regression, 6 inconclusive,
130 interrupted."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="celery-bench")
@click.option("--results", default="results", show_default=True, type=click.Path(path_type=Path), help="Folder of runs.")
@click.option("--reports", default="reports", show_default=True, type=click.Path(path_type=Path), help="Folder of reports.")
@click.pass_context
def cli(context: click.Context, results: Path, reports: Path) -> None:
    """Measure which Celery pool, concurrency, prefetch and number of nodes suit your workload.

    \b
    celery-bench run quickstart          five pools on this machine, about four minutes
    celery-bench run my.yaml             your own question
    celery-bench show latest             the numbers again
    celery-bench report latest           the page again
    """
    context.obj = {"results": results, "reports": reports}
