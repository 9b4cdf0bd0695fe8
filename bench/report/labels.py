"""What a cell, an axis and a circumstance are called in a picture, a table and a sentence."""

from collections.abc import Iterable, Mapping, Sequence

from bench.model import Label, is_circumstance

POOL = "workers.pool"
PREFETCH = "workers.prefetch"
CONCURRENCY = "workers.concurrency"
NODES = "workers.nodes"
UNLIMITED = "unlimited"
BARE = (POOL, "workload", "load", "workers", "broker")
"""Axes whose values speak for themselves."""

_STATISTIC_WORDS = {"p50": "median", "mean": "mean", "max": "longest"}
_METRIC_WORDS = {"cpu_per_task": "CPU per task", "cpu": "CPU", "memory": "peak memory"}
_DURATION_WORDS = {"roundtrip": "round trip"}


def split_settings(settings: Mapping[str, Label]) -> tuple[dict[str, Label], dict[str, Label]]:
    """(circumstance, choice) of a cell's settings, each in axis order."""
    circumstance = {k: v for k, v in settings.items() if is_circumstance(k)}
    choice = {k: v for k, v in settings.items() if k not in circumstance}
    return circumstance, choice


def varying(cells: Iterable[Mapping[str, Label]]) -> tuple[str, ...]:
    """The axes on which these settings differ, in axis order; an axis some cells lack differs."""
    rows = list(cells)
    axes = dict.fromkeys(axis for row in rows for axis in row)
    return tuple(a for a in axes if len({repr(row.get(a)) for row in rows}) > 1)


def axis_names(axes: Sequence[str]) -> dict[str, str]:
    """The shortest ends of the paths that tell them apart: ``workers.prefetch`` → ``prefetch``."""
    names: dict[str, str] = {}
    for axis in axes:
        parts = axis.split(".")
        for n in range(1, len(parts) + 1):
            end = parts[-n:]
            if end[0].isdigit() and n < len(parts):
                continue
            if not any(other.split(".")[-n:] == end for other in axes if other != axis):
                break
        names[axis] = " ".join(end)
    return names


def value_text(axis: str, value: Label | None) -> str:
    """A setting's value for people: prefetch 0 is ``unlimited``."""
    if value is None:
        return "–"
    if axis == PREFETCH and value in (0, "0") and not isinstance(value, bool):
        return UNLIMITED
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_text(settings: Mapping[str, Label], axes: Sequence[str] | None = None) -> str:
    """``prefork -c 2 · prefetch 4``: the settings on ``axes`` (default: all), the pool first."""
    shown = [a for a in (settings if axes is None else axes) if a in settings]
    shown.sort(key=lambda axis: axis != POOL)
    names = axis_names(shown)
    words = []
    for axis in shown:
        value = value_text(axis, settings[axis])
        if axis == POOL and CONCURRENCY in shown:
            words.append(f"{value} -c {value_text(CONCURRENCY, settings[CONCURRENCY])}")
        elif axis == NODES:
            words.append(f"{value} node{'' if value == '1' else 's'}")
        elif axis in BARE or axis.endswith(".task"):
            words.append(value)
        elif axis != CONCURRENCY or POOL not in shown:
            words.append(f"{names[axis]} {value}")
    return " · ".join(words) or "the only cell"


def metric_text(metric: str) -> str:
    """``p95(broker_wait)`` → ``95 % of broker waits``-like words: ``p95 broker wait``."""
    if metric in _METRIC_WORDS:
        return _METRIC_WORDS[metric]
    if metric.endswith(")") and "(" in metric:
        statistic, duration = metric[:-1].split("(", 1)
        return f"{_STATISTIC_WORDS.get(statistic, statistic)} {duration_text(duration)}"
    return metric.replace("_", " ")


def duration_text(duration: str) -> str:
    """``prefetch wait``, ``round trip``."""
    return _DURATION_WORDS.get(duration, duration.replace("_", " "))


def duration_title(duration: str) -> str:
    """``Response time``, ``Round trip``."""
    text = duration_text(duration).capitalize()
    return text if duration in _DURATION_WORDS else f"{text} time"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def first_of(words: Sequence[str], most: int) -> list[str]:
    """The first ``most`` and how many more there are."""
    return [*words[:most], *([f"{len(words) - most} more"] if len(words) > most else [])]
