"""``--quick``: a fifth of the work, to see that all runs, not which setting is best."""

from dataclasses import replace

from bench import model
from bench.scenario import replay

QUICK_PART = 5
_ROUNDS = 2
"""Tasks for each slot that even a quick load keeps."""
_LEAST_S = 1.0
_STEP_S = 5.0
"""Of a search for the capacity, where the scenario does not say how long a step takes."""


def quicken(setup: model.Setup) -> model.Setup:
    """The setup with a fifth of its load, but not less than two tasks for each slot and one second."""
    return replace(setup, load=_shorter(setup.load, setup.slots))


def _shorter(load: model.Load, slots: int) -> model.Load:
    if load.phases:
        return replace(load, phases=tuple(_shorter(part, slots) for part in load.phases))
    if load.shape == "saturate":
        return replace(load, duration=max(_LEAST_S, (load.duration or _STEP_S) / QUICK_PART))
    if load.tasks is not None and not load.every:
        return _fewer(load, max(_ROUNDS * slots, load.clients or 1))
    return _briefer(load, slots)


def _fewer(load: model.Load, least: int) -> model.Load:
    """A fifth of the tasks; of a trace the first ones, as long as they take."""
    tasks = load.tasks or 1
    kept = max(tasks // QUICK_PART, 1, min(tasks, least))
    shorter = replace(load, tasks=kept)
    if load.shape == "replay":
        due, _ = replay.schedule(shorter)
        return replace(shorter, duration=float(due[-1]))
    return shorter


def _briefer(load: model.Load, slots: int) -> model.Load:
    """A fifth of the time; waves keep their number, so that the load looks the same in small."""
    duration = load.duration or _LEAST_S
    rate = load.count / duration
    least = min(duration, max(_LEAST_S, _ROUNDS * slots / rate))
    brief = max(duration / QUICK_PART, least)
    return replace(
        load, duration=brief, period=load.period * brief / duration if load.period is not None else None
    )
