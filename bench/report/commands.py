"""Lines to paste: how to start the workers that the answer advises."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from bench import model, settings
from bench.report import answer, labels
from bench.report.view import CellView, ScenarioView


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start the workers that are advised: what it is for, lines to paste, a remark."""

    title: str
    text: str
    note: str


def of(view: ScenarioView) -> list[Command]:
    """Lines to paste for every cell that is advised, each once."""
    wanted: dict[str, tuple[CellView, list[str]]] = {}
    for finding in answer.findings(view):
        if finding.advised is not None and len(view.cells) > 1:
            wanted.setdefault(finding.advised.choice_key, (finding.advised, []))[1].append(finding.title)
    return [command(cell.setup, cell.label, [t for t in titles if t]) for cell, titles in wanted.values()]


def command(setup: model.Setup, label: str, titles: Sequence[str] = ()) -> Command:
    """Lines to paste for the workers of this setup; ``titles``: the kinds of work they are advised for."""
    note = "Lines with app.conf go into the app's configuration. "
    several = [group.nodes for group in setup.fleet if group.nodes > 1]
    if several:
        note += f"Start {' and '.join(map(str, several))} of these, each with a name of its own. "
    if any(group.prefetch == 0 for group in setup.fleet):
        note += "0 is unlimited. It must stand in the configuration: Celery ignores --prefetch-multiplier 0."
    for_what = f"For {labels.listed(titles)}: " if titles else ""
    return Command(title=f"{for_what}{label}", text="\n".join(lines(setup)), note=note.strip())


def lines(setup: model.Setup) -> list[str]:
    """How to start one node of each group, and the settings of the app."""
    told = []
    for number, group in enumerate(setup.fleet, start=1):
        name = f' -n "worker{number}@%h"' if len(setup.groups) > 1 else ""
        queues = f" -Q {','.join(group.queues)}" if group.queues else ""
        told.append(f"celery -A {setup.app or 'yourapp'} worker {shlex.join(_told(group))}{name}{queues}")
    asked = {k: v for group in setup.fleet for k, v in settings.configuration(setup, group).items()}
    if options := settings.transport_options(setup):
        asked["broker_transport_options"] = options
    if setup.routes:
        asked["task_routes"] = {pattern: {"queue": queue} for pattern, queue in setup.routes.items()}
    return told + [f"app.conf.{name} = {value!r}" for name, value in asked.items()]


def _told(group: model.Workers) -> list[str]:
    """The options that somebody has to write: mingle and gossip are Celery's default, off in a trial only."""
    return [word for word in settings.options(group) if word not in ("--without-mingle", "--without-gossip")]
