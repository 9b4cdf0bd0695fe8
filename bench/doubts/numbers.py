"""Doubts about the numbers themselves: too few tasks, too few trials, too wide an interval."""

from bench.doubts.rule import Evidence, rule
from bench.stats.quantiles import BEYOND, LEVELS, needed
from bench.units import format_metric, plural

# Why each limit is where it is says the source of its rule.
FEW_TRIALS = 3
WIDE = 0.10  # half-width of an interval, relative to its point


@rule(
    "few-tasks",
    source=f"{BEYOND} tasks must lie beyond a quantile: with fewer it is the maximum under another name"
    " (binomial; docs/methodology.md).",
    advice="Give the load more tasks, or ask for a lower percentile.",
)
def few_tasks(e: Evidence) -> str | None:
    missing = sorted(m for m in e.asked if m.split("(")[0] in LEVELS and m not in e.summary.metrics)
    if not missing or not e.ok:
        return None
    least = needed(LEVELS[missing[0].split("(")[0]])
    most = max(r.counts["completed"] + r.counts["failed"] for r in e.ok)
    if most >= least:
        return f"{missing[0]} was not computed: too few of the {most} ended tasks have that duration."
    return f"{missing[0]} needs {least} ended tasks a trial ({BEYOND} beyond it), there were {most}."


@rule(
    "quick",
    source="--quick takes one repeat of a fifth of the load: no interval, and mostly warm-up.",
    advice="Run it without --quick.",
)
def quick(e: Evidence) -> str | None:
    if not e.ok or not e.quick:
        return None
    return f"This was a quick run ({_trials(e)}): a look, not a measurement."


@rule(
    "few-trials",
    source="Student's t for two trials is 12.7 standard errors, for five 2.8; for one there is none.",
    advice="Measure again with --repeats 5.",
)
def few_trials(e: Evidence) -> str | None:
    if not e.ok or e.quick or len(e.ok) >= FEW_TRIALS:
        return None
    if len(e.ok) > 1:
        return f"Only {_trials(e)}: the interval rests on too little to be trusted."
    interval = "that of one search alone" if e.ok[0].search else "missing"
    return f"Only {_trials(e)}: the interval is {interval}."


def _trials(e: Evidence) -> str:
    return f"{plural(len(e.ok), 'trial')} a cell"


@rule(
    "wide-interval",
    source="± 10 %: differences between pools that are worth acting on are seldom smaller.",
    advice="More repeats or longer trials narrow it; a quieter machine does more.",
)
def wide_interval(e: Evidence) -> str | None:
    found = e.summary.metrics.get(e.scenario.metric)
    if found is None or found.lower is None or found.upper is None or len(e.ok) < FEW_TRIALS:
        return None
    half = (found.upper - found.lower) / 2
    if half <= WIDE * abs(found.point):
        return None
    unit = format_metric(e.scenario.metric, half)
    share = f", {half / abs(found.point) * 100:.0f} % of it" if found.point else ""
    return f"The interval of {e.scenario.metric} is wide: ± {unit}{share}."
