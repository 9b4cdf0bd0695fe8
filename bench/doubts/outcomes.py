"""Doubts about what happened: trials that failed, tasks that did not end once, settings that did not take
effect, searches without an answer.
"""

from collections.abc import Mapping
from typing import Any

from bench.doubts.rule import Evidence, rule
from bench.units import plural

KINDS = 3
"""How many reasons a doubt names before it counts the rest."""


@rule(
    "failed-trials",
    source="A trial that failed has no metrics: it enters no estimate, and the rest may be the lucky ones.",
    advice="Read their logs, trials/*/*.log in the run's folder; the numbers are those of the other trials.",
)
def failed_trials(e: Evidence) -> str | None:
    failed = [r for r in e.results if not r.ok]
    if not failed:
        return None
    reason = failed[0].reason.rstrip(".") or "no reason was recorded"
    return f"{len(failed)} of {plural(len(e.results), 'trial')} failed: {reason}."


@rule(
    "lost-tasks",
    source="A task that never ended is in no duration: percentiles over the others flatter.",
    advice="Percentiles leave them out; read the worker's log for why they vanished.",
)
def lost_tasks(e: Evidence) -> str | None:
    return _tasks(e, "lost", "never ended")


@rule(
    "failed-tasks",
    source="Throughput counts completions only, and a task that fails early costs less than one that works.",
    advice="Throughput leaves them out; mend that before comparing settings. Tracebacks: trials/*/errors.log"
    " in the run's folder.",
)
def failed_tasks(e: Evidence) -> str | None:
    text = _tasks(e, "failed", "failed")
    reasons = list(dict.fromkeys(map(_reason, (each for r in e.results for each in r.errors))))
    if not text or not reasons:
        return text
    more = f" (and {len(reasons) - KINDS} more kinds)" if len(reasons) > KINDS else ""
    return f"{text.rstrip('.')}: {'; '.join(reasons[:KINDS])}{more}."


def _reason(error: Mapping[str, Any]) -> str:
    """``proj.tasks.send: TypeError: no such thing (tasks.py:12)``."""
    file, colon, line = str(error["where"]).rpartition(":")
    at = f" ({file.rpartition('/')[2]}{colon}{line})" if file else ""
    return f"{error['task']}: {str(error['error']).rstrip('.')}{at}"


@rule(
    "other-tasks",
    source="What tasks call runs on the same slots: it is in makespan, utilisation and CPU, and in no other"
    " number.",
    advice="Read throughput and response as those of the tasks that were published. Where tasks were left,"
    " raise limits.stall, or call nothing with a long countdown.",
)
def other_tasks(e: Evidence) -> str | None:
    ended = sum(r.others.get("ended", 0) for r in e.results)
    left = sum(r.others.get("left", 0) for r in e.results)
    if not ended and not left:
        return None
    text = f"The tasks called {plural(round(ended + left), 'other task')}, which ran beside them"
    return f"{text}; {round(left)} had not ended when the trial was over." if left else f"{text}."


@rule(
    "duplicated-tasks",
    source="Celery delivers at least once: work that is done twice takes slots but is counted once.",
    advice="Look for redelivery: visibility timeout, acks_late, lost workers.",
)
def duplicated_tasks(e: Evidence) -> str | None:
    return _tasks(e, "duplicated", "ended more than once")


def _tasks(e: Evidence, count: str, what: str) -> str | None:
    n = e.count(count)
    return f"{n} of {plural(e.count('published'), 'task')} {what}." if n else None


@rule(
    "mismatch",
    source="What really ran is read back from the running worker and compared with the scenario.",
    advice="Read the numbers as those of what ran, or correct the scenario.",
)
def mismatch(e: Evidence) -> str | None:
    seen = list(dict.fromkeys(text for r in e.results for text in r.mismatches))
    if not seen:
        return None
    more = f" (and {len(seen) - 1} more)" if len(seen) > 1 else ""
    return f"What ran is not what was asked for: {seen[0].rstrip('.')}{more}."


@rule(
    "slo-unreachable",
    source="Where the workers are idle nine tenths of the time and the SLO is missed, slower is not faster"
    " (docs/methodology.md, Capacity).",
    advice="Ask for a looser slo, or find what is slow without load: the task itself, or what it calls.",
)
def slo_unreachable(e: Evidence) -> str | None:
    return _search(e, "unreachable", "No rate kept the SLO")


@rule(
    "search-open",
    source="A capacity is known where a rate that was held and one that was missed lie within 5 %"
    " (docs/methodology.md, Capacity).",
    advice="Read the capacity as a lower bound. Longer steps settle verdicts that contradict each other.",
)
def search_open(e: Evidence) -> str | None:
    return _search(e, "open", "The search for the highest rate ended open")


@rule(
    "thin-steps",
    source="10 tasks must lie beyond a quantile: in a step with fewer the SLO judges chance, and the verdicts"
    " only count tasks (docs/methodology.md, Capacity).",
    advice="Ask for a lower percentile in the slo, or for longer steps: load.for.",
)
def thin_steps(e: Evidence) -> str | None:
    thin = sum(bool(r.search.get("thin")) for r in e.ok)
    if not thin:
        return None
    slo = e.cell.setup.load.slo
    return f"Steps of {thin} of {plural(len(e.ok), 'search')} had too few tasks for {slo}."


def _search(e: Evidence, outcome: str, what: str) -> str | None:
    ended = [str(r.search.get("why") or "") for r in e.ok if r.search.get("outcome") == outcome]
    if not ended:
        return None
    why = f": {ended[0].rstrip('.')}" if ended[0] else ""
    return f"{what} in {len(ended)} of {plural(len(e.ok), 'trial')}{why}."
