"""The command line: parse, one verb, exit code. The only place that prints and exits.

Everything heavy is imported inside the verb that needs it, so that ``--help`` answers at once.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import (
    EXIT_BUG,
    EXIT_ENVIRONMENT,
    EXIT_GATE_FAILED,
    EXIT_INCONCLUSIVE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TRIAL_FAILED,
    BenchError,
    UsageError,
)

if TYPE_CHECKING:
    from bench.model import Scenario
    from bench.store import Run

HELP = """\b
  celery-bench run quickstart      five pools on this machine, under four minutes
  celery-bench run my.yaml         your own question
  celery-bench show latest         its numbers again
  celery-bench report latest       its page again
"""
EXIT_CODES = """\b
Exit codes: 0 ok, 1 bug, 2 bad scenario or usage, 3 environment (no broker, missing
package, disk full), 4 a trial failed, 5 gate failed or regression, 6 inconclusive,
130 interrupted."""

folder = click.Path(path_type=Path, file_okay=False)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=EXIT_CODES
)
@click.version_option(package_name="celery-bench")
@click.option("--results", default="results", show_default=True, type=folder, help="Where runs are kept.")
@click.option(
    "--reports", default="reports", show_default=True, type=folder, help="Where reports are written."
)
@click.pass_context
def cli(context: click.Context, results: Path, reports: Path) -> None:
    context.obj = {"results": results, "reports": reports}


cli.help = (
    f"Measure which Celery pool, concurrency, prefetch and number of nodes suit your workload.\n\n{HELP}"
)


@cli.command()
@click.argument("files", nargs=-1, metavar="FILE…")
@click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a key: --set workers.nodes=2"
)
@click.option(
    "--only", multiple=True, metavar="PATH=VALUE", help="Keep these cells: --only workers.pool=gevent"
)
@click.option(
    "--repeats", type=click.IntRange(min=1), help="Blocks to run instead of the scenario's `repeats`."
)
@click.option("--broker", metavar="URL", help="Your broker instead of the scenario's; it is never flushed.")
@click.option("--seed", type=int, help="Order of trials and tasks; drawn and recorded when not given.")
@click.option("--resume", metavar="RUN", help="Go on with a run: only what is missing is run.")
@click.option(
    "--quick", is_flag=True, help="One repeat of a fifth of the load: for trying out, not for deciding."
)
@click.option("--yes", is_flag=True, help="Do not ask before a long session.")
@click.option("--no-report", is_flag=True, help="Do not write the report at the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON instead of a table.")
@click.pass_obj
def run(
    places: dict[str, Path],
    files: tuple[str, ...],
    sets: tuple[str, ...],
    only: tuple[str, ...],
    repeats: int | None,
    broker: str | None,
    seed: int | None,
    resume: str | None,
    quick: bool,
    yes: bool,
    no_report: bool,
    as_json: bool,
) -> None:
    """Run scenarios (files, or names of shipped ones) on real workers.

    \b
    celery-bench run quickstart --quick                  see it work in a minute
    celery-bench run my.yaml --only workers.pool=gevent  some of the cells
    celery-bench run --resume latest                     after Ctrl-C

    Trials run in blocks: every cell once, in random order, then all again. Each finished trial is stored
    at once under results/; Ctrl-C keeps them.
    """
    from bench import plan as plans
    from bench import store
    from bench.report import terminal
    from bench.run import session

    if resume is None:
        scenarios = _load(files, sets=sets, only=only, repeats=repeats, broker=broker, quick=quick)
        seed = _fresh_seed() if seed is None else seed
    else:
        _refuse_with_resume(files=files, sets=sets, only=only, repeats=repeats, seed=seed, quick=quick)
        old = store.open_run(places["results"], resume)
        scenarios, seed = _as_before(old, broker), int(old.meta["seed"])
    session.preflight(scenarios)
    planned = plans.trials(scenarios, seed)
    if resume is None:
        _ask_before_long(plans.estimate_seconds(scenarios), len(planned), yes)
        command = ["celery-bench", *sys.argv[1:]]
        meta = session.describe(scenarios, seed=seed, quick=quick, command=command)
        target = store.create(places["results"], None, meta)
    else:
        target = old
    with target.writing():
        missing = plans.missing(planned, {result.trial for result in target.results()})
        estimate_s = plans.estimate_seconds(scenarios) * len(missing) / len(planned)
        if resume is not None:
            _ask_before_long(estimate_s, len(missing), yes)
        try:
            with terminal.for_console(_console(stderr=True)) as progress:
                done = len(planned) - len(missing)
                whole = session.run(
                    target, missing, progress, total=len(planned), done=done, estimate_s=estimate_s
                )
        finally:
            target.discard_if_empty()
    sys.exit(_conclude(target, places["reports"], whole=whole, page=not no_report, as_json=as_json))


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def validate(files: tuple[str, ...]) -> None:
    """Check scenarios without running them: every mistake at once, with file and line."""
    from bench import plan as plans
    from bench.units import format_duration, plural

    for scenario in _load(files):
        trials = len(scenario.cells) * scenario.repeats
        about = format_duration(plans.estimate_seconds([scenario]))
        size = f"{plural(len(scenario.cells), 'cell')} × {scenario.repeats} = {plural(trials, 'trial')}"
        click.echo(f"{scenario.name}: {size}, about {about}")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from bench import scenario

    click.echo(json.dumps(scenario.schema(), indent=2, ensure_ascii=False))


@cli.command()
@click.argument("run", default="latest")
@click.option("--json", "as_json", is_flag=True, help="Every cell and metric with its interval, SI units.")
@click.pass_obj
def show(places: dict[str, Path], run: str, as_json: bool) -> None:
    """Print every cell and every metric of RUN (a name, a path or `latest`) with its interval."""
    from bench import store

    _show(store.open_run(places["results"], run), as_json=as_json, every=True)


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def list_(places: dict[str, Path], as_json: bool) -> None:
    """List the runs, newest first."""
    from bench import store
    from bench.report import show as shows

    runs = store.list_runs(places["results"])
    if as_json:
        click.echo(json.dumps(shows.listing_json(runs), indent=2, ensure_ascii=False))
    elif runs:
        _console().print(shows.listing(runs))
    else:
        click.echo(f"No runs in {places['results']}/ yet. Make one: celery-bench run quickstart")


@cli.command()
@click.argument("run", default="latest")
@click.pass_obj
def report(places: dict[str, Path], run: str) -> None:
    """Write the report of RUN: one HTML page, Markdown, CSV and the charts."""
    from bench import store
    from bench.report import page

    click.echo(page.write(store.open_run(places["results"], run), places["reports"]))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Every fact and doubt as JSON, SI units.")
@click.pass_obj
def doctor(places: dict[str, Path], as_json: bool) -> None:
    """Look at this machine before a session: is it idle, steady and fit to measure on?

    Takes two seconds and starts no worker. Exit code 6 when there is a doubt, 3 when no session can run here.
    """
    from dataclasses import asdict

    from bench.report import checkup
    from bench.run import doctor as doctors
    from bench.run import facts, session

    session.preflight([])
    found = facts.find(places["results"])
    doubts = doctors.doubts(found)
    impossible = any(doubt.kind in doctors.GRAVE for doubt in doubts)
    if as_json:
        data = {"possible": not impossible, "facts": asdict(found), "doubts": [asdict(d) for d in doubts]}
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        words = facts.in_words(found)
        checkup.render(words, doubts, about=doctors.ABOUT, grave=doctors.GRAVE, console=_console())
    sys.exit(EXIT_ENVIRONMENT if impossible else EXIT_INCONCLUSIVE if doubts else EXIT_OK)


def _load(files: Sequence[str], **changes: Any) -> list["Scenario"]:
    """Scenarios of all files. Raises ScenarioError with the mistakes of all of them."""
    from bench import gate, scenario
    from bench.errors import ScenarioError

    if not files:
        raise UsageError(
            "No scenario was given.",
            f"Name a file or a shipped scenario: {', '.join(path.stem for path in scenario.shipped())}.",
        )
    scenarios, mistakes = [], []
    for name in files:
        try:
            scenarios.append(scenario.load(scenario.find(name), check_gate=gate.parse, **changes))
        except ScenarioError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ScenarioError(mistakes)
    return scenarios


def _refuse_with_resume(**given: object) -> None:
    extra = [
        f"--{name}" if name != "files" else "FILE"
        for name, value in given.items()
        if value not in ((), None, False)
    ]
    if extra:
        raise UsageError(
            f"--resume goes on with the run as it was asked; it takes no {', '.join(extra)}.",
            "Leave them out, or start a new run.",
        )


def _as_before(old: "Run", broker: str | None) -> list["Scenario"]:
    """The run's own scenarios; a broker URL whose password was not stored must be given again."""
    from bench import scenario

    if broker is not None:
        return [scenario.with_broker(s, broker) for s in old.scenarios]
    if any("***" in (cell.setup.broker.url or "") for s in old.scenarios for cell in s.cells):
        raise UsageError(
            "The broker's password was not stored with the run.", "Give the URL again: --broker URL"
        )
    return list(old.scenarios)


def _fresh_seed() -> int:
    import secrets

    return secrets.randbelow(1_000_000)


def _ask_before_long(estimate_s: float, trials: int, yes: bool) -> None:
    from bench.plan import BIG
    from bench.units import format_duration

    if estimate_s <= BIG or yes:
        return
    about = f"{trials} trials would take about {format_duration(estimate_s)}."
    if not (sys.stdin.isatty() and click.confirm(f"{about} Go on?", err=True)):
        raise UsageError(
            about, "Say --yes to go on, or keep fewer cells: --only PATH=VALUE, --repeats N, --quick."
        )


def _conclude(run: "Run", reports: Path, *, whole: bool, page: bool, as_json: bool) -> int:
    """Print what was found, write the report, and say it all in one exit code."""
    results = run.results()
    if results:
        _show(run, as_json=as_json)
        if page:
            from bench.report import page as pages

            click.echo(f"Report: {pages.write(run, reports)}", err=as_json)
    if not whole:
        click.echo(
            f"Interrupted; finished trials are kept. Go on: celery-bench run --resume {run.name}", err=True
        )
        return EXIT_INTERRUPTED
    if any(not result.ok for result in results):
        return EXIT_TRIAL_FAILED
    return _exit_code_of_gates(run)


def _exit_code_of_gates(run: "Run") -> int:
    from bench import doubts, gate

    outcomes = gate.outcomes(run.scenarios, doubts.summarise_run(run))
    if "fail" in outcomes:
        return EXIT_GATE_FAILED
    undecided = "undecided" in outcomes and not run.quick  # one trial decides nothing, and --quick says so
    return EXIT_INCONCLUSIVE if undecided else EXIT_OK


def _show(run: "Run", *, as_json: bool, every: bool = False) -> None:
    from bench.report import show as shows

    if as_json:
        click.echo(json.dumps(shows.as_json(run), indent=2, ensure_ascii=False))
    else:
        shows.render(run, _console(), every=every)


def _console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def main() -> None:
    """Entry point: every reason to stop becomes a sentence and an exit code."""
    try:
        cli(standalone_mode=True)
    except BenchError as error:
        click.echo(click.style("error: ", fg="red") + error.message, err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.exit(EXIT_OK)
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("This is a bug in celery-bench; please report it with the lines above.", err=True)
        sys.exit(EXIT_BUG)


if __name__ == "__main__":
    main()
