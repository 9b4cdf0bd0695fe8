"""``beliefs``: what people say about Celery, and what became of it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import run as runs
from bench.cli.common import load
from bench.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_TRIAL_FAILED, EnvironmentFault, UsageError

if TYPE_CHECKING:
    from bench.model import Scenario, Trial
    from bench.store import Run


@click.command(short_help="Write the page of what people believe and what became of it.")
@click.argument("refs", nargs=-1, metavar="[RUN]…")
@click.option(
    "--run", "measure", is_flag=True, help="First run what ships and states a belief; go on where it stopped."
)
@click.pass_obj
def beliefs(places: dict[str, Path], refs: tuple[str, ...], measure: bool) -> None:
    """Write the page of what people believe and what became of it, from RUNs (default: all there are).

    \b
    celery-bench beliefs --run       run every shipped scenario that states a belief, then write the page
    celery-bench beliefs latest      the page of one run

    Of several runs of a scenario the newest whole one counts. With --run, a scenario that was run before, as
    it is now, is not run again; after Ctrl-C the same command goes on.
    """
    from bench import store
    from bench.report import beliefs_page

    if measure and refs:
        raise UsageError("--run measures what ships; it takes no RUN.", "Leave one of them out.")
    if measure:
        found = _measure_all(places["results"])
    elif refs:
        found = [store.open_run(places["results"], ref) for ref in refs]
    else:
        found = store.list_runs(places["results"])
    page = beliefs_page.write(found, places["reports"])
    for entry in beliefs_page.collect(found):
        click.echo(f"{entry.belief.outcome:<10} {entry.name}: {entry.belief.text}")
    click.echo(f"Report: {page}")
    failed = measure and any(not result.ok for run in found for result in run.results())
    sys.exit(EXIT_TRIAL_FAILED if failed else EXIT_OK)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A scenario to be measured: ``run`` has what is there already, ``left_s`` is what the rest takes."""

    scenario: "Scenario"
    run: "Run | None"
    seed: int
    planned: "list[Trial]"
    left_s: float


def _measure_all(results: Path) -> list["Run"]:
    """A whole run of each shipped scenario that states a belief, made or completed where there is none.

    What needs something that this machine has not (a RabbitMQ server) is left out, and said.
    """
    from bench import scenario, store
    from bench.units import format_duration

    shipped = load([str(path) for path in scenario.shipped()])
    before = store.list_runs(results)[::-1]
    jobs = [_job(each, before) for each in _possible([s for s in shipped if s.belief])]
    found = []
    for k, job in enumerate(jobs, start=1):
        left = format_duration(sum(each.left_s for each in jobs[k - 1 :]))
        state = f"about {left} left" if job.left_s else "was run before"
        click.echo(f"[{k} of {len(jobs)}, {state}] {job.scenario.question}", err=True)
        found.append(_measured(job, results))
    return found


def _possible(asked: Sequence["Scenario"]) -> list["Scenario"]:
    """Those for which everything is there. Raises EnvironmentFault where none is possible."""
    from bench.run import session

    possible, missing = [], None
    for each in asked:
        try:
            session.preflight([each])
            possible.append(each)
        except EnvironmentFault as error:
            missing = error
            click.echo(f"{each.name} is left out: {error.message} {error.hint}", err=True)
    if missing and not possible:
        raise missing
    return possible


def _job(asked: "Scenario", before: Sequence["Run"]) -> Job:
    from bench import plan

    old = next((run for run in before if _asks(run, asked)), None)
    seed = int(old.meta["seed"]) if old else runs.fresh_seed()
    planned = plan.trials([asked], seed)
    left_s = runs.left_of(old, [asked], planned)[1] if old else plan.estimate_seconds([asked])
    return Job(scenario=asked, run=old, seed=seed, planned=planned, left_s=left_s)


def _asks(run: "Run", asked: "Scenario") -> bool:
    """Whether the run asked this scenario as it is now, whole, and nothing else."""

    def asks(scenario: "Scenario") -> object:
        return scenario.name, scenario.source, scenario.repeats, [cell.id for cell in scenario.cells]

    return not run.quick and [asks(each) for each in run.scenarios] == [asks(asked)]


def _measured(job: Job, results: Path) -> "Run":
    """The job's run with nothing left; ends the program where it is interrupted."""
    from bench import store
    from bench.run import session

    target = job.run
    if target is None:
        command = ["celery-bench", *sys.argv[1:]]
        meta = session.describe([job.scenario], seed=job.seed, quick=False, command=command)
        target = store.create(results, None, meta)
    if job.left_s and not runs.measure(target, [job.scenario], job.planned):
        click.echo("Interrupted; finished trials are kept. The same command goes on.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    return target
