"""Doubts about the load: was it what the scenario asked for, and can it answer the question?"""

from collections.abc import Iterator, Mapping

from bench.doubts.rule import Evidence, rule
from bench.model import Estimate, Load
from bench.units import format_duration, plural

# Why each limit is where it is says the source of its rule.
LATE_S = 0.002  # of the p99 lateness
LATE_SHARE = 0.10  # of the median response
LOADER_CORES = 0.80

LATENESS = ("p99(lateness)", "p95(lateness)", "max(lateness)")
STATIONARY = ("flood", "constant", "closed")
"""Shapes that ask for one rate from beginning to end; the others are not meant to be steady."""


@rule(
    "unsteady",
    source="A rate is one of a steady window: MSER-5 (White, Simulation 69, 1997), and a trend below 5 %.",
    advice="Give the load more tasks or a longer duration.",
)
def unsteady(e: Evidence) -> str | None:
    verdicts = [str(r.steady.get("verdict")) for r in e.ok]
    never, drifting = verdicts.count("never"), verdicts.count("drifting")
    if "throughput" not in e.asked or e.cell.setup.load.shape not in STATIONARY or not never + drifting:
        return None
    why = next(str(r.steady.get("why", "")) for r in e.ok if r.steady.get("verdict") in ("never", "drifting"))
    seen = "never settled" if never else "drifted"
    instead = "; its throughput is completions ÷ makespan" if never else ""
    return f"The rate {seen} in {never or drifting} of {plural(len(e.ok), 'trial')} ({why}){instead}."


@rule(
    "late-load",
    source="2 ms is what the loader keeps with a core of its own at 1 000 tasks/s; from a tenth of the"
    " response on it is part of what is measured (coordinated omission; G. Tene, 2013).",
    advice="Lower the rate, or leave the loader a core of its own.",
)
def late_load(e: Evidence) -> str | None:
    for where, metrics in _scheduled(e):
        seen = next((m for m in LATENESS if m in metrics), None)
        if seen is None:
            continue
        late = metrics[seen].point
        response = metrics.get("p50(response)") or metrics.get("mean(response)")
        if late > max(LATE_S, LATE_SHARE * response.point if response else 0.0):
            part = f"{seen} is {format_duration(late)}, part of every wait and response"
            return f"The loader was late{where}: {part}."
    return None


def _scheduled(e: Evidence) -> Iterator[tuple[str, Mapping[str, Estimate]]]:
    """Where a schedule had to be kept: the whole trial, and each phase of a chained load by itself. A closed
    loop has no schedule; its clients publish when they are free.
    """
    load = e.cell.setup.load
    if load.shape != "closed":
        yield "", e.summary.metrics
    parts = load.phases if len(load.phases) == len(e.summary.phases) else ()
    for part, phase in zip(parts, e.summary.phases, strict=False):
        if part.shape != "closed":
            yield f" in phase {phase.name}", phase.metrics


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
