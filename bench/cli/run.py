"""``run``: scenarios on real workers."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.common import console, load, show_run
from bench.errors import (
    EXIT_GATE_FAILED,
    EXIT_INCONCLUSIVE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TRIAL_FAILED,
    EnvironmentFault,
    UsageError,
)
from bench.units import plural

if TYPE_CHECKING:
    from bench.model import Scenario, Trial
    from bench.store import Run


@click.command()
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

    if resume is None:
        scenarios = load(files, sets=sets, only=only, repeats=repeats, broker=broker, quick=quick)
        seed = fresh_seed() if seed is None else seed
    else:
        _refuse_with_resume(files=files, sets=sets, only=only, repeats=repeats, seed=seed, quick=quick)
        old = store.open_run(places["results"], resume)
        if "tune" in old.meta:
            raise UsageError(f"{old.name} is a search.", f"celery-bench tune --resume {resume}")
        scenarios, seed = _as_before(old, broker), int(old.meta["seed"])
    from bench.run import session  # takes a second: mistakes of a scenario need not wait for it

    session.preflight(scenarios)
    planned = plans.trials(scenarios, seed)
    if resume is None:
        _ask_before_long(plans.estimate_seconds(scenarios), len(planned), yes)
        command = ["celery-bench", *sys.argv[1:]]
        meta = session.describe(scenarios, seed=seed, quick=quick, command=command)
        target = store.create(places["results"], None, meta)
    else:
        target = old
        left, estimate_s = left_of(target, scenarios, planned)
        _ask_before_long(estimate_s, len(left), yes)
    whole, fault = False, None
    try:
        whole = measure(target, scenarios, planned)
    except EnvironmentFault as error:
        fault = error
    _show(target, places["reports"], page=not no_report, as_json=as_json)
    if not whole:
        _tell_kept(target, "Stopped" if fault else "Interrupted", len(planned))
    if fault:
        raise fault
    sys.exit(exit_code(target) if whole else EXIT_INTERRUPTED)


def left_of(
    target: "Run", scenarios: Sequence["Scenario"], planned: Sequence["Trial"]
) -> tuple[list["Trial"], float]:
    """The planned trials that the run has not stored, and roughly the seconds they take."""
    from bench import plan as plans

    left = plans.missing(planned, {result.trial for result in target.results()})
    return left, plans.estimate_seconds(scenarios) * len(left) / len(planned)


def measure(target: "Run", scenarios: Sequence["Scenario"], planned: Sequence["Trial"]) -> bool:
    """Run what is left of the plan and store it; False where it was interrupted."""
    from bench.report import terminal
    from bench.run import session

    with target.writing():
        left, estimate_s = left_of(target, scenarios, planned)
        try:
            with terminal.for_console(console(stderr=True)) as progress:
                total = len(planned)
                return session.run(
                    target, left, progress, total=total, done=total - len(left), estimate_s=estimate_s
                )
        finally:
            target.discard_if_empty()


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


def fresh_seed() -> int:
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


def _show(run: "Run", reports: Path, *, page: bool, as_json: bool) -> None:
    """Print what was found so far and write the report."""
    if not run.results():
        return
    show_run(run, as_json=as_json)
    if page:
        from bench.report import page as pages

        click.echo(f"Report: {pages.write(run, reports)}", err=as_json)


def _tell_kept(run: "Run", why: str, planned: int) -> None:
    """How much is there of a run that ended early, and how it goes on."""
    done = len(run.results())
    again = f"celery-bench --results {run.path.parent} run --resume {run.name}"
    told = (
        f"{done} of {plural(planned, 'trial')} are kept. Go on: {again}" if done else "no trial had finished."
    )
    click.echo(f"{why}; {told}", err=True)


def exit_code(run: "Run") -> int:
    """What a whole run comes to."""
    if any(not result.ok for result in run.results()):
        return EXIT_TRIAL_FAILED
    return _exit_code_of_gates(run)


def _exit_code_of_gates(run: "Run") -> int:
    from bench import doubts, gate

    summaries, results = doubts.summarise_run(run), run.results()
    outcomes = {verdict.outcome for _, verdict in gate.of_run(run.scenarios, summaries, results)}
    if "fail" in outcomes:
        return EXIT_GATE_FAILED
    undecided = "undecided" in outcomes and not run.quick  # one trial decides nothing, and --quick says so
    return EXIT_INCONCLUSIVE if undecided else EXIT_OK
