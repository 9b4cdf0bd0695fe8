"""``tune``: search for the best setting, confirm it with fresh trials, and say what to paste."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bench.cli.common import Seconds, console, load_space, show_tuned
from bench.cli.run import fresh_seed
from bench.errors import (
    EXIT_GATE_FAILED,
    EXIT_INCONCLUSIVE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TRIAL_FAILED,
    UsageError,
)

if TYPE_CHECKING:
    from bench.scenario.space import Space
    from bench.search.tuned import Tuned
    from bench.store import Run

STRATEGIES = ("auto", "race", "model", "random", "grid", "optuna")


@click.command()
@click.argument("file", metavar="SCENARIO", required=False)
@click.option("--maximize", metavar="METRIC", help="Tune this up: throughput, items, capacity, utilisation.")
@click.option(
    "--minimize",
    metavar="METRIC",
    help="Or this down: makespan, p95(response), cpu_per_task, memory, cost …; by default the scenario's own"
    " metric is tuned.",
)
@click.option(
    "--subject-to", "conditions", multiple=True, metavar="CONDITION",
    help="What must hold with a chance of 95 %, like 'memory < 1GiB' (again for more).",
)  # fmt: skip
@click.option(
    "--budget", type=Seconds(), default="10m", show_default=True, help="Time for search and confirmation."
)
@click.option(
    "--strategy", type=click.Choice(STRATEGIES), default="auto", show_default=True,
    help="How to search; auto: a race of up to 30 candidates, a model of more.",
)  # fmt: skip
@click.option("--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change the scenario, as in run.")
@click.option("--only", multiple=True, metavar="PATH=LABEL", help="Keep these candidates, as in run.")
@click.option("--broker", metavar="KIND|URL", help="Use this broker instead of the scenario's.")
@click.option("--seed", type=int, help="Order of trials and tasks; drawn and recorded when not given.")
@click.option("--resume", metavar="RUN", help="Go on with this search (a name or `latest`).")
@click.option("--no-report", is_flag=True, help="Don't write the page.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_obj
def tune(
    places: dict[str, Path],
    file: str | None,
    maximize: str | None,
    minimize: str | None,
    conditions: tuple[str, ...],
    budget: float,
    strategy: str,
    sets: tuple[str, ...],
    only: tuple[str, ...],
    broker: str | None,
    seed: int | None,
    resume: str | None,
    no_report: bool,
    as_json: bool,
) -> None:
    """Find the best setting for SCENARIO, and measure it again to be sure.

    \b
    celery-bench tune my.yaml                                        the scenario's own metric
    celery-bench tune my.yaml --maximize throughput --subject-to 'memory < 1GiB'
    celery-bench tune my.yaml --minimize cost --set price.core_hour=0.04
    celery-bench tune --resume latest                                after Ctrl-C

    Candidates are the combinations of the scenario's `tune:` (ranges and choices), else of its `matrix:`.
    The search spends its trials where they tell most; then the winner, the runner-up and Celery's default
    are measured again, block by block, and only these fresh trials are reported.

    \b
    Exit code 0 confirmed, 5 none of the candidates keeps the conditions, 6 not confirmed.
    """
    if resume is None:
        if file is None:
            raise UsageError("No scenario was given.", "celery-bench tune FILE, or --resume RUN.")
        space = load_space(file, sets=sets, only=only, broker=broker)
        asked = _asked(space, maximize, minimize, conditions, budget, strategy, seed)
        target = _begun(places["results"], space, asked)
    else:
        target = _gone_on_with(places["results"], resume)
    from bench.report import tuned_page  # takes a second: mistakes of a scenario need not wait for it
    from bench.search import tuned

    whole = _measure(target)
    if not target.results():
        click.echo("Interrupted before the first trial had ended: nothing is kept.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    found = tuned.of_run(target)
    show_tuned(target, as_json=as_json)
    if not no_report:
        click.echo(f"Report: {tuned_page.write(found, places['reports'])}", err=as_json)
    if not whole:
        click.echo(f"Stopped; go on with: celery-bench tune --resume {target.name}", err=True)
    sys.exit(_exit_code(found) if whole else EXIT_INTERRUPTED)


def _begun(results: Path, space: "Space", asked: dict[str, Any]) -> "Run":
    """A new search, with nothing measured yet."""
    from bench import store
    from bench.run import session

    session.preflight([space.scenario])
    command = ["celery-bench", *sys.argv[1:]]
    meta = session.describe([space.scenario], seed=asked["seed"], quick=False, command=command)
    return store.create(results, None, {**meta, "tune": asked["tune"]})


def _gone_on_with(results: Path, resume: str) -> "Run":
    """A search that was begun before; UsageError for options that would change it."""
    from bench import store
    from bench.run import session

    ctx = click.get_current_context()
    given = [
        param.opts[0] if param.param_type_name == "option" else "SCENARIO"
        for param in ctx.command.params
        if param.name not in ("resume", "no_report", "as_json")
        and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(
            f"--resume goes on with the search as it was asked, and {given[0]} would change it.",
            "Leave that out, or start another search.",
        )
    target = store.open_run(results, resume)
    if "tune" not in target.meta:
        raise UsageError(f"{target.name} is no search.", f"celery-bench run --resume {resume}")
    session.preflight(target.scenarios)
    return target


def _asked(
    space: "Space",
    maximize: str | None,
    minimize: str | None,
    conditions: tuple[str, ...],
    budget: float,
    strategy: str,
    seed: int | None,
) -> dict[str, Any]:
    """What run.json keeps of the question; UsageError where it makes no sense."""
    from bench.search import goal as goals
    from bench.search import tune as tunes

    goal = goals.of(space.scenario, maximize, minimize, conditions)
    seed = fresh_seed() if seed is None else seed
    cells = {cell.id: cell for cell in space.scenario.cells}
    tunes.check_budget(cells, space.candidates, space.default, goal, strategy, seed, budget)
    told = {
        "metric": goal.metric,
        "maximize": goal.maximize,
        "subject_to": [condition.text for condition in goal.conditions],
        "budget": budget,
        "strategy": strategy,
        "candidates": list(space.candidates),
        "default": space.default,
    }
    return {"seed": seed, "tune": told}


def _measure(target: "Run") -> bool:
    """Search and confirm what is missing; False where it was interrupted."""
    from bench.report import terminal
    from bench.run import session
    from bench.search import tuned
    from bench.search.tune import Tuning

    goal, asked = tuned.goal_of(target), target.meta["tune"]
    done = target.results()
    spent = sum(result.seconds for result in done)
    began = time.monotonic()
    tuning = Tuning(
        target,
        goal=goal,
        candidates=asked["candidates"],
        default=asked["default"],
        name=asked["strategy"],
        seed=int(target.meta["seed"]),
        budget=asked["budget"],
        clock=lambda: spent + time.monotonic() - began,
    )
    with target.writing(), terminal.for_console(console(stderr=True), asked["budget"]) as progress:
        try:
            return session.run(
                target,
                tuning.trials(),
                progress,
                total=tuning.most,
                done=len(done),
                estimate_s=asked["budget"],
            )
        finally:
            target.discard_if_empty()


def _exit_code(found: "Tuned") -> int:
    from bench.search import tuned

    return {
        tuned.CONFIRMED: EXIT_OK,
        tuned.SEARCHED: EXIT_INCONCLUSIVE,
        tuned.BROKEN: EXIT_INCONCLUSIVE,
        tuned.UNMET: EXIT_GATE_FAILED if found.tried == len(found.candidates) else EXIT_INCONCLUSIVE,
        tuned.NOTHING: EXIT_TRIAL_FAILED,
    }[found.state]
