"""``plan``: how many workers a rate needs under an SLO, from a run that measured a few."""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.cli.common import FORMATS, Share, tell
from bench.errors import EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from bench.model import Cell
    from bench.report.plan_words import Told
    from bench.sizing.advise import Ask
    from bench.sizing.burst import Burst
    from bench.sizing.plan import Plans
    from bench.sizing.predict import Host
    from bench.store import Run

VERIFIES = "verifies"
"""In run.json of a verification: the run that the plan was made from."""


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--rate", required=True, metavar="RATE", help="Tasks to get through: 500/s, 30000/min.")
@click.option("--slo", required=True, metavar="CONDITION", help='What must hold: "p95(response) < 2s".')
@click.option("--headroom", type=Share(most=10), default="20%", show_default=True,
              help="The SLO must hold at so much more than the rate.")  # fmt: skip
@click.option("--host", metavar="SIZE", help="One machine: cores=8,memory=16GiB  [default: the run's]")
@click.option("--burst", metavar="PATTERN", help='What a burst does to it: "3x for 10m every 1h".')
@click.option("--arrivals", type=click.Choice(["poisson", "constant"]), default="poisson", show_default=True,
              help="Independent tasks, or one at fixed intervals.")  # fmt: skip
@click.option("--mix", metavar="WEIGHTS", help="Another mix of the measured tasks, in their order: 3:1")
@click.option(
    "--only", multiple=True, metavar="PATH=VALUE", help="Plan with these cells: --only workers.pool=gevent"
)
@click.option("--nodes", type=click.IntRange(min=1), help="Fix the number of nodes.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Fix the concurrency of a node.")
@click.option(
    "--prefetch",
    type=click.IntRange(min=0),
    help="Fix the prefetch multiplier, 0 = unlimited.",
)
@click.option("--verify", is_flag=True, help="Run the plan on this machine, where it fits (some minutes).")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True,
              help="html writes a page with pictures under the reports folder.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.pass_obj
def plan(
    places: dict[str, Path],
    run: str,
    rate: str,
    slo: str,
    headroom: float,
    host: str | None,
    burst: str | None,
    arrivals: str,
    mix: str | None,
    only: tuple[str, ...],
    nodes: int | None,
    concurrency: int | None,
    prefetch: int | None,
    verify: bool,
    form: str,
    as_json: bool,
) -> None:
    """Say how many workers a rate needs, from the trials of RUN (a name, a path or `latest`).

    \b
    celery-bench plan latest --rate 500/s --slo "p95(response) < 2s"
    celery-bench plan latest --rate 500/s --slo "p95(response) < 2s" --host cores=8,memory=16GiB
    celery-bench plan latest --rate 40/s --slo "p99(wait) < 5s" --burst "3x for 10m every 1h" --verify

    The run must have measured at least two concurrencies. Measured service times are simulated on nodes,
    slots and prefetch; concurrencies up to twice the largest measured are tried. Of several pools each is
    planned, and the cheapest that holds comes first: fewest hosts, then least memory.

    \b
    With --verify: exit code 0 the SLO holds, 5 it does not, 6 undecided or it does not fit this machine.
    """
    from bench.report import plan_page, plans
    from bench.report.plan_words import Told
    from bench.search.step import parse as parse_slo
    from bench.sizing.advise import Ask
    from bench.sizing.burst import parse as parse_burst
    from bench.sizing.mix import parse as parse_mix

    wanted = _parsed(parse_slo, slo, "--slo 'p95(response) < 2s'")
    expected = _parsed(parse_burst, burst, "--burst '3x for 10m every 1h'") if burst is not None else None
    weights = _parsed(parse_mix, mix, "--mix 3:1") if mix is not None else ()
    at = _rate(rate)
    sizes = _parsed(_sizes, host, "--host cores=8,memory=16GiB") if host is not None else {}
    source = _source(places["results"], run)
    ask = Ask(
        rate=at, slo=wanted, headroom=headroom, host=_host({**_of_run(source), **sizes}), arrivals=arrivals,
        nodes=nodes, concurrency=concurrency, prefetch=prefetch,
        mix=weights,
    )  # fmt: skip
    told, code = Told(plans=_plans(source, ask, only, expected)), EXIT_OK
    if verify:
        told, code = _verified(told, places["results"])
    tell(told, plans, "json" if as_json else form, lambda: plan_page.write(told, places["reports"]))
    sys.exit(code)


T = TypeVar("T")


def _source(results: Path, ref: str) -> "Run":
    """The run; of one that verified a plan, the run that the plan was made from: it has one layout only."""
    from bench import store

    found = store.open_run(results, ref)
    made_from = found.meta.get(VERIFIES)
    return store.open_run(results, made_from) if made_from else found


def _parsed(parse: Callable[[str], T], text: str, example: str) -> T:
    """What the text says. Raises UsageError."""
    from bench.scenario.mistakes import sentence

    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(sentence(str(error)), f"As in {example}") from None


def _rate(text: str) -> float:
    from bench import units

    rate = _parsed(units.rate, text, "--rate 500/s")
    if rate == float("inf"):
        raise UsageError(f"No workers get through {text}.", "Write how many tasks come: --rate 500/s")
    if not rate > 0:
        raise UsageError(f"A rate of {text} needs no workers.", "Write how many tasks come: --rate 500/s")
    return rate


def _sizes(text: str) -> dict[str, float]:
    """``cores=8,memory=16GiB``, or one of them."""
    from bench import units

    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if name not in ("cores", "memory") or not equals:
            raise ValueError(f"{text!r} is not a host")
        if name in found:
            raise ValueError(f"{text!r} is not a host: {name} stands twice")
        found[name] = units.size(value) if name == "memory" else _cores(value)
        if not found[name] > 0:
            raise ValueError(f"{text!r} is not a host: {name} must be above 0")
    return found


def _cores(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{text!r} is not a number of cores")
    return found


def _of_run(source: "Run") -> dict[str, float]:
    """The machine of the run; of one that does not say, a core and a gigabyte."""
    return _sizes_of(source.meta.get("host", {}))


def _sizes_of(host: Mapping[str, Any]) -> dict[str, float]:
    cores = float(host.get("cores") or 1)
    quota = float(host.get("quota_cores") or cores)
    return {"cores": min(cores, quota), "memory": float(host.get("memory") or 2**30)}


def _host(sizes: Mapping[str, float]) -> "Host":
    from bench.sizing.predict import Host

    return Host(cores=sizes["cores"], memory=sizes["memory"])


def _plans(source: "Run", ask: "Ask", only: Sequence[str], burst: "Burst | None") -> "Plans":
    from bench.scenario.options import pick
    from bench.sizing import evidence
    from bench.sizing import plan as sizing

    cells: list[Cell] = [cell for scenario in source.scenarios for cell in scenario.cells]
    families = list(evidence.families(source, pick(cells, only)))
    return sizing.of(source.name, families, ask, _of_run(source)["cores"], burst)


def _verified(told: "Told", results: Path) -> tuple["Told", int]:
    """The plan run on this machine, and the exit code; told why where it does not fit."""
    from bench import plan as trials
    from bench import store
    from bench.cli.run import exit_code, fresh_seed, measure
    from bench.run import host, session
    from bench.sizing import verify

    reason = verify.hindrance(told.best, _host(_sizes_of(host.fingerprint())))
    if reason:
        click.echo(f"Not verified: {reason}.", err=True)
        return told, EXIT_INCONCLUSIVE
    asked = verify.scenario(told.best, told.plans.run)
    session.preflight([asked])
    seed = fresh_seed()
    command = ["celery-bench", *sys.argv[1:]]
    meta = session.describe([asked], seed=seed, quick=False, command=command)
    target = store.create(results, None, {**meta, VERIFIES: told.plans.run})
    if not measure(target, [asked], trials.trials([asked], seed)):
        click.echo("Interrupted: the plan is not verified.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    checked = verify.compare(told.best, target.results())
    return replace(told, verified=checked, run=target.name), exit_code(target)
