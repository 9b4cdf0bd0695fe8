"""A load in words: ``50/s for 20 s``, ``10 clients, 500 tasks``."""

from collections.abc import Callable, Mapping
from pathlib import PurePath

from bench.model import Load
from bench.units import format_duration, format_rate, plural


def load_text(load: Load) -> str:
    """What a load does; phases are joined by ``then``."""
    if load.phases:
        return ", then ".join(load_text(part) for part in load.phases)
    words = _WORDS.get(load.shape)
    return words(load) if words else load.shape


def number(n: int) -> str:
    """``12 000``: thousands apart, so that zeros need not be counted."""
    return f"{n:,}".replace(",", " ")


def _tasks(load: Load) -> str:
    n = load.tasks or 0
    return f"{number(n)} task{'' if n == 1 else 's'}"


def _for(load: Load) -> str:
    return f"for {format_duration(load.duration or 0.0)}"


def _rate(load: Load) -> str:
    return format_rate(load.rate or 0.0)


def _bare(rate: float) -> str:
    """The number alone, where the unit follows."""
    return format_rate(rate).removesuffix("/s")


def _steps(load: Load) -> str:
    each = format_duration((load.duration or 0.0) / max(1, len(load.rates)))
    return f"steps of {', '.join(map(_bare, load.rates))}/s, {each} each"


def _ramp(load: Load) -> str:
    seconds = format_duration(load.duration or 0.0)
    return f"{' → '.join(map(_bare, load.rates))}/s over {seconds}"


def _sine(load: Load) -> str:
    swing, wave = format_rate(load.amplitude or 0.0), format_duration(load.period or 0.0)
    return f"{_bare(load.rate or 0.0)} ± {swing}, a wave each {wave}, {_for(load)}"


def _burst(load: Load) -> str:
    if load.bursts == 1:
        return f"a burst of {_tasks(load)}"
    return f"bursts of {number(load.tasks or 0)} every {format_duration(load.every or 0.0)} {_for(load)}"


def _replay(load: Load) -> str:
    faster = f", {load.speed:g} × as fast" if load.speed != 1 else ""
    return f"replay of {PurePath(load.file).name} ({_tasks(load)}{faster})"


_WORDS: Mapping[str, Callable[[Load], str]] = {
    "flood": lambda load: f"a flood of {_tasks(load)}",
    "constant": lambda load: f"{_rate(load)} {_for(load)}",
    "poisson": lambda load: f"poisson {_rate(load)} {_for(load)}",
    "steps": _steps,
    "ramp": _ramp,
    "sine": _sine,
    "burst": _burst,
    "replay": _replay,
    "closed": lambda load: f"{plural(load.clients or 1, 'client')}, {_tasks(load)}",
    "saturate": lambda load: f"the highest rate with {load.slo}",
}
