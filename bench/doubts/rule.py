"""What a doubt is made of: a rule with its source and its advice, and the evidence that it looks at."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from bench import grammar
from bench.measured import CellSummary, Doubt, TrialResult
from bench.model import Cell, Scenario
from bench.stats.intervals import arithmetic


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a rule may look at: one cell with its trials. ``cores`` of the machine; ``quick``: the run was
    cut short; ``usual_spin``: the median reference spin of the whole run (s), None where it has none.
    """

    scenario: Scenario
    cell: Cell
    summary: CellSummary
    results: tuple[TrialResult, ...]
    cores: int = 1
    quick: bool = False
    usual_spin: float | None = None

    @cached_property
    def ok(self) -> list[TrialResult]:
        return [r for r in self.results if r.ok]

    @cached_property
    def asked(self) -> set[str]:
        """The scenario's metric and those of its gates and of what its belief lets expect."""
        conditions = map(grammar.parse, (*self.scenario.gates, *self.scenario.expect))
        return {self.scenario.metric, *(side.metric for found in conditions for side in found.sides)}

    def count(self, name: str) -> int:
        return sum(r.counts.get(name, 0) for r in self.ok)

    def cores_of(self, group: str, what: str = "cpu") -> float:
        """Mean CPU of a process group (or another of its seconds) during the trials, in cores; 0 where not
        sampled.
        """
        used = [
            r.resources[group][what] / seconds(r)
            for r in self.ok
            if what in r.resources.get(group, {}) and seconds(r)
        ]
        return arithmetic(used).point if used else 0.0

    def most(self, reading: str) -> float:
        """The highest of a reading of the host (docs/results.md, ``host``) over the trials; 0 where none."""
        return max((r.host.get(reading, 0.0) for r in self.ok), default=0.0)


def seconds(r: TrialResult) -> float:
    """How long the trial's load took: its makespan, which a search has not; 0 where unknown."""
    return r.metrics.get("makespan") or r.timings.get("load", 0.0)


Seen = TypeVar("Seen")
"""What a rule looks at: the evidence of a cell, or what ``celery-bench doctor`` found on the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[Seen]):
    """One kind of doubt. ``look`` says in a sentence what was seen, or nothing; ``source`` says why the
    limit is where it is, ``advice`` what to do.
    """

    kind: str
    source: str
    advice: str
    look: Callable[[Seen], str | None]

    def __call__(self, seen: Seen) -> Doubt | None:
        text = self.look(seen)
        return Doubt(kind=self.kind, text=text, advice=self.advice, source=self.source) if text else None


def rule(kind: str, *, source: str, advice: str) -> Callable[[Callable[[Seen], str | None]], Rule[Seen]]:
    """Make the function below a rule."""
    return lambda look: Rule(kind=kind, source=source, advice=advice, look=look)
