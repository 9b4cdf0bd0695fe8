"""Doubts about what happened: trials that failed, tasks that did not end once, settings that did not take
effect, searches without an answer.
"""

from bench.doubts.rule import Evidence, rule
from bench.units import plural


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
    advice="Throughput leaves them out; find out why before comparing settings.",
)
def failed_tasks(e: Evidence) -> str | None:
    return _tasks(e, "failed", "failed")


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
    source="A highest rate that keeps the objective exists only where the lowest rate tried keeps it.",
    advice="Ask for less (a looser slo), or find what is slow without load: service time, boot, broker.",
)
def slo_unreachable(e: Evidence) -> str | None:
    return _search(e, "unreachable", "No rate kept the objective")


@rule(
    "search-open",
    source="A capacity is known only between a rate that kept the objective and one that did not.",
    advice="Read the capacity as a lower bound; let the search go on for longer or from a better guess.",
)
def search_open(e: Evidence) -> str | None:
    return _search(e, "open", "The search ended before it found a rate that is too high")


def _search(e: Evidence, outcome: str, what: str) -> str | None:
    ended = [str(r.search.get("why") or "") for r in e.ok if r.search.get("outcome") == outcome]
    if not ended:
        return None
    why = f": {ended[0].rstrip('.')}" if ended[0] else ""
    return f"{what} in {len(ended)} of {plural(len(e.ok), 'trial')}{why}."
