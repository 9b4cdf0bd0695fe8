"""``check``: did this change make it slower? One answer and one exit code, for CI."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.common import Seconds, Share, console, echo_json, load
from bench.cli.compare import check_metrics
from bench.cli.run import fresh_seed
from bench.errors import (
    EXIT_ENVIRONMENT,
    EXIT_GATE_FAILED,
    EXIT_INCONCLUSIVE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    BenchError,
    EnvironmentFault,
    UsageError,
)

if TYPE_CHECKING:
    from bench.compare import Comparison
    from bench.model import Scenario, Trial
    from bench.report.ci import Verdict
    from bench.store import Run

SUMMARY = "GITHUB_STEP_SUMMARY"
INTERRUPTED = "Interrupted: there is no verdict."


@click.command()
@click.argument("file", metavar="SCENARIO")
@click.option("--base", metavar="ENV", help="What to compare with: a variant of the scenario, or see below.")
@click.option(
    "--head", metavar="ENV", help="What is checked; by default the environment of celery-bench itself."
)
@click.option("--baseline", metavar="NAME", help="A baseline of this machine instead of --base.")
@click.option("--force", is_flag=True, help="Compare with a baseline of another machine or other versions.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Check this (again for more).")
@click.option(
    "--margin", type=Share(), default="2%", show_default=True, help="A slowdown that does not matter."
)
@click.option(
    "--budget",
    type=Seconds(),
    default="10m",
    show_default=True,
    help="No block begins after that, but for the first.",
)
@click.option(
    "--undecided", type=click.Choice(["pass", "fail"]), default="fail", show_default=True,
    help="Whether what stays open ends with exit code 0 or 6.",
)  # fmt: skip
@click.option("--seed", type=int, help="Order of trials and tasks; drawn and recorded when not given.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict and every check as JSON.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML to this file."
)
@click.option(
    "--markdown", type=click.Path(path_type=Path, dir_okay=False), envvar=SUMMARY, show_envvar=True,
    help="Append Markdown for a pull request to this file.",
)  # fmt: skip
@click.pass_obj
def check(
    places: dict[str, Path],
    file: str,
    base: str | None,
    head: str | None,
    baseline: str | None,
    force: bool,
    metrics: tuple[str, ...],
    margin: float,
    budget: float,
    undecided: str,
    seed: int | None,
    as_json: bool,
    junit: Path | None,
    markdown: Path | None,
) -> None:
    """Check that SCENARIO did not become slower from --base to --head, in one session.

    \b
    celery-bench check s.yaml --base celery==5.6.* --head celery==5.7.*    packages (several: quote them)
    celery-bench check s.yaml --base ../proj@main --head ../proj           a commit, and the folder as it is
    celery-bench check s.yaml --base /venvs/old/bin/python                 against what is installed here
    celery-bench check s.yaml                                              the scenario's own `variants`
    celery-bench check s.yaml --baseline main                              on a machine of your own

    Trials of both sides run in turn, in blocks. A short look comes first; only what is not settled then is
    measured again, with fresh blocks, until all is settled or the budget is spent. With --baseline as many
    blocks are measured as it has, and nothing else may differ. Gates of the scenario hold for the head.

    \b
    Exit code 0 no regression, 5 regression, 6 undecided, 3 could not measure.
    """
    check_metrics(metrics)
    _check_sides(base, head, baseline, force=force)
    scenarios = load([file], variants=_sides(base, head))
    files = Files(junit=junit, markdown=markdown)
    from bench.report import ci, comparison  # take a second: mistakes of a scenario need not wait for it
    from bench.run import session

    question = Question(
        scenario=scenarios[0], seed=fresh_seed() if seed is None else seed, metrics=metrics, margin=margin,
        budget=budget,
    )  # fmt: skip
    began = time.monotonic()
    try:
        session.preflight(scenarios, tell=lambda text: click.echo(text, err=True))
        if baseline:
            found, target = _against(baseline, question, places["results"], force=force)
        else:
            found, target = _in_turn(question, places["results"])
    except (BenchError, SystemExit) as stop:
        told = f"{stop.message}\n{stop.hint}" if isinstance(stop, BenchError) else INTERRUPTED
        as_markdown, as_junit, data = ci.unmeasured(told.strip())
        files.write(as_markdown, as_junit)
        if as_json:
            echo_json(data)
        raise
    gates = ci.gates(target, [pair.cells[1] for pair in found.matched.pairs])
    blocks = max((result.block for result in target.results()), default=0)
    whole = ci.verdict(found, gates, blocks=blocks, seconds=time.monotonic() - began)
    if baseline:
        whole = ci.forced(whole, found)
    if as_json:
        echo_json(ci.as_json(found, gates, whole))
    else:
        comparison.render(found, console())
        click.echo(f"{whole.word.capitalize()}: {whole.text}\n({whole.how})")
    as_junit = ci.as_junit(found, gates, whole, undecided_passes=undecided == "pass")
    files.write(ci.as_markdown(found, gates, whole), as_junit)
    sys.exit(_exit_code(whole, undecided))


def _check_sides(base: str | None, head: str | None, baseline: str | None, *, force: bool) -> None:
    """Raises UsageError where the options contradict each other, or compare a thing with itself."""
    if baseline and (base or head):
        raise UsageError("A baseline is compared with what is here.", "Leave out --base and --head.")
    if force and not baseline:
        raise UsageError("--force is about a baseline.", "Name it: --baseline NAME")
    for name, text in (("base", base), ("head", head)):
        if text is not None and not text.strip():
            raise UsageError(f"--{name} is empty.", "Name an environment. Is a variable of the CI job empty?")
    if base is not None and base == head:
        raise UsageError(f"Both sides are {base}.", "Name two environments: --base .@main --head .")


class Files:
    """Where the verdict is written besides the terminal; EnvironmentFault at once where it cannot be."""

    def __init__(self, *, junit: Path | None, markdown: Path | None) -> None:
        from bench import disk

        if junit and markdown and junit.resolve() == markdown.resolve():
            raise UsageError(f"--junit and --markdown are both {junit}.", "Name two files.")
        self._junit, self._markdown = junit, markdown
        for path in filter(None, (junit, markdown)):
            with disk.refusals(path):
                path.open("a").close()

    def write(self, markdown: str, junit: str) -> None:
        """JUnit XML anew, Markdown after what is there."""
        from bench import disk

        if self._junit:
            with disk.refusals(self._junit):
                self._junit.write_text(junit, encoding="utf-8")
        if self._markdown:
            with disk.refusals(self._markdown), self._markdown.open("a", encoding="utf-8") as file:
                file.write(markdown)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is checked: see the options of the command."""

    scenario: "Scenario"
    seed: int
    metrics: tuple[str, ...]
    margin: float
    budget: float


def _in_turn(asked: Question, results: Path) -> tuple["Comparison", "Run"]:
    """Base and head measured in turn, in looks."""
    from bench.search.check import LOOKS, Checking

    cells = asked.scenario.cells
    base, *others = dict.fromkeys(str(cell.settings.get("variant", "")) for cell in cells)
    if not base or not others:
        raise UsageError(
            "There is nothing to compare.",
            "Name --base, --baseline, or at least two `variants` in the scenario.",
        )
    target = _run(asked, results, blocks=LOOKS[0])
    began = time.monotonic()
    checking = Checking(
        target, asked.scenario, by="variant", baseline=base, seed=asked.seed, metrics=asked.metrics,
        margin=asked.margin, expired=lambda: time.monotonic() - began > asked.budget,
    )  # fmt: skip
    _measure(target, checking.trials(), asked, blocks=LOOKS[-1])
    assert checking.comparison is not None
    return checking.comparison, target


def _against(name: str, asked: Question, results: Path, *, force: bool) -> tuple["Comparison", "Run"]:
    """What is here, as many blocks of it as the baseline has, against the baseline."""
    from bench import baselines, compare, plan
    from bench.report import comparison

    kept = baselines.find(results, name)
    blocks = max((result.block for result in kept.results()), default=0)
    target = _run(asked, results, blocks=blocks)
    try:
        differences = compare.runs(kept, target, metrics=asked.metrics).matched.differences
        if differences and not force:
            raise EnvironmentFault(
                f"The baseline {name} was measured with something else: {comparison.differing(differences)}.",
                "Measure a new one (celery-bench baseline save), or say --force, and the verdict says so.",
            )
    except UsageError as error:
        target.discard_if_empty()
        here = (text.replace(target.name, "this scenario") for text in (error.message, error.hint))
        raise UsageError(*here) from None
    except BenchError:
        target.discard_if_empty()
        raise
    began = time.monotonic()
    planned = plan.trials([replace(asked.scenario, repeats=blocks)], asked.seed)
    in_time = (t for t in planned if t.block == 1 or time.monotonic() - began < asked.budget)
    _measure(target, in_time, asked, blocks=blocks)
    return compare.runs(kept, target, metrics=asked.metrics, margin=asked.margin), target


def _run(asked: Question, results: Path, *, blocks: int) -> "Run":
    """A run that is whole after so many blocks, however many repeats the scenario has elsewhere."""
    from bench import store
    from bench.run import session

    command = ["celery-bench", *sys.argv[1:]]
    scenario = replace(asked.scenario, repeats=blocks)
    meta = session.describe([scenario], seed=asked.seed, quick=False, command=command)
    return store.create(results, None, meta)


def _sides(base: str | None, head: str | None) -> dict[str, str] | None:
    """The two variants as the command line names them; None: those of the scenario."""
    if base is None and head is None:
        return None
    if base is None:
        raise UsageError("--head needs something to be compared with.", "Name --base, too.")
    return {"base": base, "head": head or ""}


def _measure(target: "Run", trials: "Iterable[Trial]", asked: Question, *, blocks: int) -> None:
    """Run these trials, at most so many ``blocks``; ends the program where that was interrupted."""
    from bench import plan
    from bench.report import terminal
    from bench.run import session

    most = blocks * len(asked.scenario.cells)
    longest = plan.estimate_seconds([replace(asked.scenario, repeats=blocks)])
    with target.writing(), terminal.for_console(console(stderr=True), asked.budget) as progress:
        try:
            whole = session.run(target, trials, progress, total=most, done=0, estimate_s=longest)
        finally:
            target.discard_if_empty()
    if not whole:
        click.echo(INTERRUPTED, err=True)
        sys.exit(EXIT_INTERRUPTED)


def _exit_code(whole: "Verdict", undecided: str) -> int:
    from bench.report import ci

    return {
        ci.NO_REGRESSION: EXIT_OK,
        ci.REGRESSION: EXIT_GATE_FAILED,
        ci.UNDECIDED: EXIT_INCONCLUSIVE if undecided == "fail" else EXIT_OK,
        ci.NOT_MEASURED: EXIT_ENVIRONMENT,
    }[whole.word]
