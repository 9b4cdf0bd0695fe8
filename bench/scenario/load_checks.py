"""What is wrong with a load though each key by itself is right: rates, times and numbers that clash."""

import re
from collections.abc import Iterator
from typing import Any

from bench import measured, model, units
from bench.scenario.fields import LONGEST_S
from bench.scenario.mistakes import Mistake, Steps, did_you_mean, shown

TASKS_MOST = 20_000_000
_SLO = re.compile(r"(?P<metric>[^<>=!]*)(?P<op>[<>=!]+)(?P<limit>.*)", re.DOTALL)
_PROMISED = ("response", "wait", "service", "broker_wait", "prefetch_wait")
SLO_METRICS = tuple(f"{s}({d})" for d in _PROMISED for s in measured.STATISTICS)

_SIZE = {
    "steps": ("rates", "for"),
    "ramp": ("for", "from", "to"),
    "burst": ("tasks", "every", "for"),
    "replay": ("file",),
}
"""The keys that make a load of this shape large, the one to name first; of others it is rate × for."""


def load_mistakes(load: model.Load) -> Iterator[Mistake]:
    """Every mistake in a load."""
    parts = load.phases or (load,)
    fine = True
    for index, part in enumerate(parts):
        for key, text, *others in _clashes(part):
            fine = False
            also: tuple[Steps, ...] = tuple(("load", index, other) for other in others)
            yield Mistake(path=("load", index, key), text=text, also=also)
    if fine and load.count > TASKS_MOST:
        yield from _too_many(load)


def _too_many(load: model.Load) -> Iterator[Mistake]:
    text = f"the load comes to {load.count} tasks; at most {TASKS_MOST}. Lower the rate or shorten it"
    if load.phases:
        yield Mistake(path=("load",), text=text)
    else:
        first, *others = _SIZE.get(load.shape, ("for", "rate"))
        yield Mistake(path=("load", 0, first), text=text, also=tuple(("load", 0, o) for o in others))


def _clashes(load: model.Load) -> Iterator[tuple[str, ...]]:
    """Key, sentence, and the other keys that play a part."""
    match load.shape:
        case "ramp" if max(load.rates) <= 0:
            yield "to", "a ramp from 0/s to 0/s publishes nothing. Raise one of the two", "from"
        case "sine" if (load.amplitude or 0.0) > (load.rate or 0.0):
            yield "amplitude", "is above the rate, which would fall below 0. Write at most the rate", "rate"
        case "burst" if load.every is None and load.duration is not None:
            yield "for", "a single burst takes no time. Add `every:`, or leave `for` out"
        case "burst" if load.every is not None and load.duration is None:
            yield "every", "bursts that repeat must end some time. Add `for:`, or leave `every` out"
        case "closed" if (load.clients or 0) > (load.tasks or 0):
            text = f"{load.clients} clients for {load.tasks} tasks: some would never ask. Write more tasks"
            yield "tasks", text, "clients"
        case "replay" if load.length > LONGEST_S:
            hint = "Offsets are seconds from the start of the load: subtract the first, or raise `speed`"
            yield (
                "file",
                f"the last task would be due after {units.format_duration(load.length)}. {hint}",
                "speed",
            )
        case "saturate":
            if text := slo_problem(load.slo):
                yield "slo", text


def slo_problem(slo: Any) -> str:
    """Why this is not a promise that a rate can keep, or nothing."""
    match = _SLO.fullmatch(slo)
    if match is None:
        return f"{shown(slo)} is not a promise: write METRIC < LIMIT, as in 'p95(response) < 500ms'"
    metric = re.sub(r"\s+", "", match["metric"])
    if metric not in SLO_METRICS:
        near = did_you_mean(metric, SLO_METRICS)
        near = near if near.startswith("Did") else f"Write p95, mean or max of {', '.join(_PROMISED)}"
        return f"{shown(metric)} is not a time that a higher rate makes longer. {near}"
    if match["op"] != "<":
        return f"{shown(match['op'])} cannot be promised of a time: write <, as in 'p95(response) < 500ms'"
    try:
        if not 0 < units.duration(match["limit"].strip()) < LONGEST_S:
            return f"the limit {match['limit'].strip()} is out of range. Write one such as 500ms"
    except ValueError as error:
        return str(error)
    return ""
