"""The command line: parse, one verb, exit code. The only room that prints and exits.

Everything heavy is imported inside the verb that needs it, so that ``--help`` answers at once.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from bench.cli import baseline, beliefs, check, compare, export, history, look, plan, prepare, run, tune
from bench.disk import FULL
from bench.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_UNREAD, BenchError, EnvironmentFault

HELP = """\b
  celery-bench doctor              is this machine fit to measure on?
  celery-bench run quickstart      five pools on this machine, under four minutes
  celery-bench run my.yaml         your own question
  celery-bench tune my.yaml        search for the best setting, and confirm it
  celery-bench show latest         its numbers again
  celery-bench report latest       its page again
  celery-bench compare A B         two runs against each other: worse, better, same or undecided
  celery-bench plan latest --rate 500/s --slo "p95(response) < 2s"    how many workers is that?
  celery-bench beliefs             is what people say about Celery so? the page over all runs
"""
EXIT_CODES = """\b
Exit codes: 0 ok, 1 bug, 2 bad scenario or usage, 3 environment (no broker, missing
package, disk full), 4 a trial failed, 5 gate failed or regression, 6 inconclusive,
130 interrupted, 141 nobody read the output to its end (as in `… | head`)."""

folder = click.Path(path_type=Path, file_okay=False)


class _Verbs(click.Group):
    def invoke(self, ctx: click.Context) -> None:
        """A verb; when nobody reads what it prints, or the disk that takes it is full, that is no bug."""
        try:
            super().invoke(ctx)
        except OSError as error:
            unread = isinstance(error, BrokenPipeError)
            if not unread and error.errno not in FULL:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if unread:
                sys.exit(EXIT_UNREAD)
            raise EnvironmentFault(
                "the disk that this is written to is full", "Free some room, then try again."
            ) from error


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="celery-bench")
@click.option("--results", default="results", show_default=True, type=folder, help="Where runs are kept.")
@click.option(
    "--reports", default="reports", show_default=True, type=folder, help="Where reports are written."
)
@click.option(
    "-A", "--app", help="Your Celery app, for scenarios that name none (also: celery -A proj bench run …)."
)
@click.pass_context
def cli(context: click.Context, results: Path, reports: Path, app: str | None) -> None:  # noqa: ARG001
    context.obj = {"results": results, "reports": reports}


cli.help = (
    f"Measure which Celery pool, concurrency, prefetch and number of nodes suit your workload.\n\n{HELP}"
)

for verb in (
    run.run,
    tune.tune,
    prepare.validate,
    prepare.schema,
    look.show,
    look.list_,
    look.report,
    compare.compare,
    check.check,
    baseline.baseline,
    history.history,
    plan.plan,
    export.export,
    beliefs.beliefs,
    prepare.doctor,
):
    cli.add_command(verb)


def _stop(_number: int, _frame: FrameType | None) -> None:
    """Ctrl-C and SIGTERM end a verb alike, and what it has started and written is cleaned up."""
    sys.exit(EXIT_INTERRUPTED)


MOST_LINES = 40
"""Of an error: one mistake may stand in every cell of a matrix."""


def main() -> None:
    """Entry point: every reason to stop becomes a sentence and an exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        cli(prog_name="celery-bench")
    except BenchError as error:
        lines = error.message.splitlines()
        shown = [*lines[:MOST_LINES], f"… and {len(lines) - MOST_LINES} more."]
        text = error.message if len(lines) <= MOST_LINES else "\n".join(shown)
        click.echo(click.style("error: ", fg="red") + text, err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        sys.exit(error.exit_code)
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("This is a bug in celery-bench; please report it with the lines above.", err=True)
        sys.exit(EXIT_BUG)
