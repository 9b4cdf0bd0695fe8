"""Two sides of one question against each other: two runs, or two values of an axis inside one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench import gate, speed, units
from bench.baselines import BASELINE_OF
from bench.compare.checks import BESIDES, checks
from bench.compare.checks import BETTER as BETTER
from bench.compare.checks import SAME as SAME
from bench.compare.checks import UNDECIDED as UNDECIDED
from bench.compare.checks import VERDICTS as VERDICTS
from bench.compare.checks import WORSE as WORSE
from bench.compare.checks import Check as Check
from bench.compare.checks import Pair as Pair
from bench.compare.sides import Difference, Matched, of_runs
from bench.compare.sides import within as _within
from bench.effects import MARGIN, SIGNIFICANCE
from bench.measured import Doubt
from bench.model import Scenario
from bench.store import Run

MACHINE = ("cpu", "cores", "quota_cores", "memory", "machine")
"""What makes it another machine, of the host's fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All checks of ``candidate`` against ``base`` (names of runs, or of values of the axis ``by``).

    ``by_block``: trials are paired, as they come from one run. ``margin``: 0.02 is 2 %. ``confidence`` of the
    intervals.
    """

    base: str
    candidate: str
    by: str
    by_block: bool
    margin: float
    matched: Matched
    checks: tuple[Check, ...]
    doubts: tuple[Doubt, ...] = ()
    confidence: float = 1 - SIGNIFICANCE

    def count(self, verdict: str) -> int:
        """How many checks have this verdict."""
        return sum(check.verdict == verdict for check in self.checks)


def runs(base: Run, candidate: Run, *, metrics: Sequence[str] = (), margin: float = MARGIN) -> Comparison:
    """Every cell that two runs have in common. Raises UsageError where there is none."""
    matched = of_runs(base, candidate)
    return Comparison(
        base=base.name,
        candidate=candidate.name,
        by="",
        by_block=False,
        margin=margin,
        matched=matched,
        checks=checks(matched.pairs, _by_scenario(candidate, metrics), by_block=False, margin=margin),
        doubts=_doubts(base, candidate, matched.differences),
    )


def within(
    run: Run,
    by: str,
    baseline: str,
    *,
    metrics: Sequence[str] = (),
    margin: float = MARGIN,
    alpha: float = SIGNIFICANCE,
) -> Comparison:
    """Each other value of the axis ``by`` against ``baseline``, block by block; ``alpha`` as in ``checks``.

    Raises UsageError where there is no such axis or value.
    """
    matched = _within(run, by, baseline)
    others = dict.fromkeys(pair.candidate for pair in matched.pairs)
    return Comparison(
        base=baseline,
        candidate=", ".join(others),
        by=by,
        by_block=True,
        margin=margin,
        matched=matched,
        checks=checks(matched.pairs, _by_scenario(run, metrics), by_block=True, margin=margin, alpha=alpha),
        confidence=1 - alpha,
    )


def _by_scenario(run: Run, metrics: Sequence[str]) -> dict[str, Sequence[str]]:
    """What is compared in the cells of each scenario: these metrics, or what it is about."""
    once = tuple(dict.fromkeys(metrics))
    return {scenario.name: once or metrics_of([scenario]) for scenario in run.scenarios}


def metrics_of(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """What is compared where nobody says: the metric that answers, those of the gates, and ``BESIDES``."""
    asked = [
        metric
        for scenario in scenarios
        for metric in (scenario.metric, *(gate.parse(text).metric for text in scenario.gates))
    ]
    return tuple(dict.fromkeys([*asked, *BESIDES]))


def _doubts(base: Run, candidate: Run, differences: Sequence[Difference]) -> tuple[Doubt, ...]:
    """Trials of two sessions did not run close together, so what the host did to each does not cancel."""
    advice = "Compare within one run: name both as variants, or use celery-bench check."
    found = [Doubt(kind="other-session", text=_drift(base, candidate), advice=advice)]
    kept = any(BASELINE_OF in run.meta for run in (base, candidate))  # with it only as many are measured
    for run in () if kept else (base, candidate):
        done = len(run.results())
        if done < run.planned:
            text = f"Of {run.name} {done} of {units.plural(run.planned, 'trial')} are there."
            rest = f"celery-bench run --resume {run.name} measures the rest."
            found.append(Doubt(kind="unfinished", text=text, advice=rest))
    hosts = [d for d in differences if d.path in {f"host.{name}" for name in MACHINE}]
    if hosts:
        what = ", ".join(f"{d.path.removeprefix('host.')} {d.base} and {d.candidate}" for d in hosts)
        found.append(Doubt(kind="other-machine", text=f"The machines differ: {what}.", advice=advice))
    return tuple(found)


def _drift(base: Run, candidate: Run) -> str:
    spins = [[spin for r in run.results() for spin in speed.spins(r)] for run in (base, candidate)]
    text = "The two sides were measured in different sessions."
    if not all(spins):
        return text
    change = median(spins[1]) / median(spins[0]) - 1
    if abs(change) < 0.005:
        return f"{text} By the reference spin the host was as fast in both."
    how = "slower" if change > 0 else "faster"
    return f"{text} By the reference spin the host was {abs(change) * 100:.0f} % {how} in the candidate's."
