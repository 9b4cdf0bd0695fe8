"""What several verbs share: scenarios from files, a run on the screen, options with units."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.model import Scenario
    from bench.scenario.space import Space
    from bench.store import Run

FORMATS = ("text", "markdown", "json", "html")


def load(files: Sequence[str], **changes: Any) -> list["Scenario"]:
    """Scenarios of all files. Raises ScenarioError with the mistakes of all of them."""
    from bench import scenario
    from bench.errors import ScenarioError
    from bench.run.apps import OUTSIDE

    if not files:
        raise UsageError(
            "No scenario was given.",
            f"Name a file or a shipped scenario: {', '.join(path.stem for path in scenario.shipped())}.",
        )
    app = click.get_current_context().find_root().params["app"]
    scenarios, mistakes, hints = [], [], []
    for name in files:
        try:
            path = scenario.find(name)
            scenarios.append(scenario.load(path, outside=OUTSIDE, app=app, **changes))
        except ScenarioError as error:
            mistakes += error.mistakes
            hints += [error.hint] if error.hint else []
    if mistakes:
        raise ScenarioError(mistakes, "\n".join(dict.fromkeys(hints)))
    return scenarios


def load_space(name: str, **changes: Any) -> "Space":
    """What a scenario file wants to be searched. Raises ScenarioError with all of its mistakes."""
    from bench import scenario
    from bench.run.apps import OUTSIDE

    app = click.get_current_context().find_root().params["app"]
    return scenario.load_space(scenario.find(name), outside=OUTSIDE, app=app, **changes)


def show_run(run: "Run", *, as_json: bool, every: bool = False) -> None:
    from bench.report import show as shows

    if "tune" in run.meta:
        show_tuned(run, as_json=as_json)
        return
    if as_json:
        echo_json(shows.as_json(run))
    else:
        shows.render(run, console(), every=every)


def show_tuned(run: "Run", *, as_json: bool) -> None:
    """The answer of a search."""
    from bench.report import tuned as words
    from bench.search import tuned

    found = tuned.of_run(run)
    if as_json:
        echo_json(words.as_json(found))
    else:
        words.render(found, console())


def show_listing(runs: "Sequence[Run]", nothing: str, *, as_json: bool) -> None:
    """The runs, newest first (they come oldest first), or the sentence ``nothing``."""
    from bench.report import show as shows

    if as_json:
        echo_json(shows.listing_json(runs[::-1]))
    elif runs:
        console().print(shows.listing(runs[::-1]))
    else:
        click.echo(nothing)


def tell(found: Any, words: Any, form: str, page: Callable[[], Path]) -> None:
    """What was found in one of ``FORMATS``, as the module ``words`` says it; ``page`` writes the page."""
    if form == "text":
        words.render(found, console())
    elif form == "markdown":
        click.echo(words.as_markdown(found), nl=False)
    elif form == "json":
        echo_json(words.as_json(found))
    else:
        click.echo(page())


def console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    class Terminal(Console):
        def on_broken_pipe(self) -> None:
            """Nobody reads any more: the group of verbs says what that comes to."""
            raise BrokenPipeError

    return Terminal(stderr=stderr, highlight=False)


def echo_json(data: object) -> None:
    """Print ``data`` as JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


class Share(click.ParamType):  # type: ignore[type-arg]
    """A share written as ``2%`` or ``0.02``, from 0 to below ``most``."""

    name = "percentage"

    def __init__(self, most: float = 1) -> None:
        self._most = most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share as a number."""
        from bench.units import quantity

        if isinstance(value, float):
            return value
        try:
            found = quantity(str(value))
        except ValueError:
            found = -1.0
        if not 0 <= found < self._most:
            most = f"{self._most * 100:g}%"
            self.fail(f"{value!r} is no share from 0 to below {most}: write 2% or 0.02.", param, ctx)
        return found


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A duration with its unit: 90s, 10m."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        from bench.units import duration

        if isinstance(value, float):
            return value
        try:
            found = duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0 < found < float("inf"):
            self.fail(f"{value!r} is no time to do anything in: write 90s or 10m.", param, ctx)
        return found
