"""What several verbs share: scenarios from files, a run on the screen."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.model import Scenario
    from bench.store import Run


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


def show_run(run: "Run", *, as_json: bool, every: bool = False) -> None:
    from bench.report import show as shows

    if as_json:
        echo_json(shows.as_json(run))
    else:
        shows.render(run, console(), every=every)


def console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def echo_json(data: object) -> None:
    """Print ``data`` as JSON."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))
