"""Doubts about the load: was it what the scenario asked for, and can it answer the question?"""

import math
from collections.abc import Iterator, Mapping

from bench import pacing
from bench.doubts.rule import Evidence, rule
from bench.model import Load
from bench.units import format_duration, format_rate, plural

# Why each limit is where it is says the source of its rule.
LATE_S = 0.002  # of the p99 lateness
LATE_SHARE = 0.10  # of the median response, or of the schedule
LOADER_CORES = 0.80

LATENESS = ("p99(lateness)", "p95(lateness)", "p90(lateness)", "mean(lateness)")


@rule(
    "unsteady",
    source="A rate is one of a steady window: MSER-5 (White, Simulation 69, 1997), and a trend below 5 %.",
    advice="Give the load more tasks or a longer duration.",
)
def unsteady(e: Evidence) -> str | None:
    verdicts = [str(r.steady.get("verdict")) for r in e.ok]
    never, drifting = verdicts.count("never"), verdicts.count("drifting")
    if "throughput" not in e.asked or not e.cell.setup.load.is_stationary or not never + drifting:
        return None
    why = next(str(r.steady.get("why", "")) for r in e.ok if r.steady.get("verdict") in ("never", "drifting"))
    seen = "never settled" if never else "drifted"
    instead = "; its throughput is completions ÷ makespan" if never else ""
    return f"The rate {seen} in {never or drifting} of {plural(len(e.ok), 'trial')} ({why}){instead}."


@rule(
    "late-load",
    source="2 ms is what the loader keeps with a core of its own at 1 000 tasks/s; from a tenth of the"
    " response on it is part of what is measured (coordinated omission; G. Tene, 2013), and from a tenth of"
    " the schedule on the rate was not the one asked for.",
    advice="Lower the rate, or leave the loader a core of its own.",
)
def late_load(e: Evidence) -> str | None:
    for where, metrics, length in _scheduled(e):
        seen = next((m for m in LATENESS if m in metrics), None)
        response = metrics.get("p50(response)", metrics.get("mean(response)", 0.0))
        if seen and metrics[seen] > max(LATE_S, LATE_SHARE * min(response, length)):
            late = f"{seen} is {format_duration(metrics[seen])}"
            return f"The loader was late{where}: {late}, part of every wait and response."
    return None


def _scheduled(e: Evidence) -> Iterator[tuple[str, Mapping[str, float], float]]:
    """Where a schedule had to be kept, with the metrics there and how long it was (s; without end where all
    was due at once): the whole trial, or each phase of a load that has phases, and the lowest rate that a
    search missed. A closed loop has no schedule; its clients publish when they are free.
    """
    load = e.cell.setup.load
    if load.shape in ("closed", "flood"):
        return
    if not e.summary.phases:  # over all phases the lateness of one would be held against another's response
        length = load.length if load.is_open else math.inf
        yield "", {name: found.point for name, found in e.summary.metrics.items()}, length or math.inf
    lengths = {phase.name: phase.end - phase.start for phase in pacing.phases(load)}
    for part in e.summary.phases:
        metrics = {name: found.point for name, found in part.metrics.items()}
        yield f" in phase {part.name}", metrics, lengths.get(part.name) or math.inf
    for r in e.ok:
        steps = zip(r.search.get("steps", ()), r.phases, strict=False)
        missed = [(step["rate"], entry["metrics"]) for step, entry in steps if not step["held"]]
        if missed:
            rate, metrics = min(missed, key=lambda step: step[0])
            yield f" at {format_rate(rate)}, which was missed", metrics, math.inf


@rule(
    "loader-busy",
    source="The loader is one Python process and the GIL gives it one core; at 80 % of it a call takes five"
    " times its own time (1/(1 − ρ), M/M/1).",
    advice="Offer a lower rate or fewer clients, or longer tasks: the workers may be able to do more.",
)
def loader_busy(e: Evidence) -> str | None:
    cores = e.cores_of("loader")
    if cores <= LOADER_CORES:
        return None
    return f"The loader used {cores:.2f} of the one core it can use: it may be the limit."


@rule(
    "flood-latency",
    source="All tasks of a flood are due at once: the n-th waits for the n − 1 before it.",
    advice="To ask for latency use load shape constant, at a rate below the throughput.",
)
def flood_latency(e: Evidence) -> str | None:
    asked = sorted(m for m in e.asked if m.endswith(("(wait)", "(response)", "(broker_wait)")))
    if not asked or not _has_flood(e.cell.setup.load):
        return None
    return f"In a flood {asked[0]} is a place in the queue, not a latency: read throughput only."


def _has_flood(load: Load) -> bool:
    return load.shape == "flood" or any(part.shape == "flood" for part in load.phases)
