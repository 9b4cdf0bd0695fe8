"""``validate``, ``schema``, ``doctor``: before a session."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.common import console, echo_json, load, load_space
from bench.errors import EXIT_ENVIRONMENT, EXIT_INCONCLUSIVE, EXIT_OK, ScenarioError, UsageError

if TYPE_CHECKING:
    from bench.model import Scenario


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def validate(files: tuple[str, ...]) -> None:
    """Check scenarios without running them: every mistake at once, with file and line."""
    from bench import plan as plans
    from bench.units import format_duration, plural

    for file, scenario in zip(files, _checked(files), strict=True):
        trials = len(scenario.cells) * scenario.repeats
        about = format_duration(plans.estimate_seconds([scenario]))
        size = f"{plural(len(scenario.cells), 'cell')} × {scenario.repeats} = {plural(trials, 'trial')}"
        searched = f"; tune: {len(load_space(file).candidates)} candidates" if scenario.has_tune else ""
        click.echo(f"{scenario.name}: {size}, about {about}{searched}")


def _checked(files: Sequence[str]) -> list["Scenario"]:
    """The scenarios. Raises ScenarioError with what is wrong with them and with what they want searched."""
    scenarios, mistakes, hint = [], [], ""
    try:
        scenarios = load(files)
    except ScenarioError as error:
        mistakes, hint = list(error.mistakes), error.hint
    mistakes += [text for text in _of_search(files) if text not in mistakes]
    if mistakes:
        raise ScenarioError(mistakes, hint)
    return scenarios


def _of_search(files: Sequence[str]) -> Iterator[str]:
    """What is wrong with the ``tune`` of those that have one."""
    from bench import scenario

    for file in files:
        try:
            if "tune:" in scenario.find(file).read_text(encoding="utf-8", errors="replace"):
                load_space(file)
        except ScenarioError as error:
            yield from error.mistakes
        except UsageError:
            continue  # nothing is wrong with it, but nothing can be searched: told by its own line


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from bench import scenario

    echo_json(scenario.schema())


@click.command()
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
        echo_json(data)
    else:
        words = facts.in_words(found)
        checkup.render(words, doubts, about=doctors.ABOUT, grave=doctors.GRAVE, console=console())
    sys.exit(EXIT_ENVIRONMENT if impossible else EXIT_INCONCLUSIVE if doubts else EXIT_OK)
