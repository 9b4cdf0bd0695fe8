"""What a search is after: one number to bring up or down, and conditions that must hold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import grammar
from bench.errors import UsageError
from bench.grammar import Condition
from bench.measured import COUNTS, HIGHER_IS_BETTER, METRICS, TrialResult
from bench.model import Scenario
from bench.scenario.mistakes import did_you_mean, sentence
from bench.stats.quantiles import LEVELS, needed

COST = "cost"
"""Of a million tasks, in the currency of the scenario's price."""

SURE = 0.95
"""Chance from which on a condition counts as met."""

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """``metric`` (one of METRICS, or cost) as high or as low as possible, subject to ``conditions``."""

    metric: str
    maximize: bool
    conditions: tuple[Condition, ...] = ()
    price: Mapping[str, float] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        return 1 if self.maximize else -1

    @property
    def text(self) -> str:
        """``highest throughput with p99(response) < 250ms``."""
        way = "highest" if self.maximize else "lowest"
        return " and ".join([f"{way} {self.metric}", *(c.text for c in self.conditions)]).replace(
            " and ", " with ", 1
        )

    def number(self, result: TrialResult) -> float | None:
        """The metric of a trial; None where it has none, or failed."""
        if not result.ok:
            return None
        return cost(result, self.price) if self.metric == COST else result.metrics.get(self.metric)

    def score(self, result: TrialResult) -> float:
        """Logarithm of the metric, turned so that more is better; −∞ for what was not reached at all."""
        found = self.number(result)
        if found is None or found <= 0:
            return -math.inf
        return self.sign * math.log(found)

    def value(self, score: float) -> float:
        """The metric that has this score."""
        return math.exp(self.sign * score)


def cost(result: TrialResult, price: Mapping[str, float]) -> float | None:
    """Of a million tasks: the CPU time they use, and the memory for as long as they take."""
    found = [result.metrics.get(name) for name in ("cpu_per_task", "memory", "throughput")]
    cpu, memory, rate = found
    if cpu is None or memory is None or not rate:
        return None
    hours = cpu * price["core_hour"] + memory / GIB / rate * price["gib_hour"]
    return hours * 1e6 / 3600


def of(
    scenario: Scenario,
    maximize: str | None,
    minimize: str | None,
    subject_to: Sequence[str],
) -> Goal:
    """The goal as a command line states it; by default the scenario's own metric. Raises UsageError."""
    if maximize and minimize:
        raise UsageError("One number can be tuned at a time.", "Keep --maximize or --minimize.")
    metric = "".join((maximize or minimize or scenario.metric).split())
    if metric != COST and metric not in METRICS:
        known = [COST, *(name for name in METRICS if name not in COUNTS)]
        raise UsageError(f"There is no metric {metric!r}.", did_you_mean(metric, known))
    high = metric in HIGHER_IS_BETTER
    if (maximize and not high) or (minimize and high):
        way = "--maximize" if high else "--minimize"
        raise UsageError(f"{metric} is better {'high' if high else 'low'}.", f"Say {way} {metric}.")
    if metric in COUNTS:
        raise UsageError(f"{metric} is a count, and mostly zero.", f"Say --subject-to '{metric} < 1'.")
    if metric == COST and not any(scenario.price.values()):
        raise UsageError(
            "cost needs a price.", "Say --set price.core_hour=0.04 --set price.gib_hour=0.005, or `price:`."
        )
    conditions = tuple(_condition(text) for text in subject_to)
    _check_together(conditions)
    for each in (metric, *(condition.metric for condition in conditions)):
        _check_load(scenario, each)
    return Goal(metric=metric, maximize=high, conditions=conditions, price=scenario.price)


def _condition(text: str) -> Condition:
    try:
        found = grammar.parse(text, "a condition")
    except ValueError as error:
        raise UsageError(f"--subject-to {sentence(str(error))}", "See docs/scenarios.md, gates.") from None
    if not found.is_everywhere:
        raise UsageError(
            f"--subject-to {text!r} names cells.", "Every candidate must keep it: write the metric alone."
        )
    return found


def _check_together(conditions: Sequence[Condition]) -> None:
    """That a number can keep all limits of a metric. Raises UsageError."""
    for low in (c for c in conditions if c.op.startswith(">")):
        for high in (c for c in conditions if c.op.startswith("<") and c.metric == low.metric):
            if low.limit > high.limit or (low.limit == high.limit and "=" not in low.op + high.op):
                raise UsageError(
                    f"No {low.metric} keeps both {low.text} and {high.text}.", "Leave one of them out."
                )


def _check_load(scenario: Scenario, metric: str) -> None:
    """That trials of this load can give the metric. Raises UsageError."""
    loads = [load for cell in scenario.cells for load in cell.setup.load.phases or (cell.setup.load,)]
    shapes = {load.shape for load in loads}
    if metric.endswith(("(wait)", "(broker_wait)", "(response)")) and "flood" in shapes:
        raise UsageError(
            f"In a flood {metric} is a place in the queue, not a latency.",
            "Use a load of shape closed, constant, poisson or saturate.",
        )
    for ending, shape in (("capacity", "saturate"), ("(roundtrip)", "closed")):
        if metric.endswith(ending) and shape not in shapes:
            raise UsageError(
                f"A load of shape {loads[0].shape} gives no {metric}.", f"Use one of shape {shape}."
            )
    tasks = min((cell.setup.load.count for cell in scenario.cells), default=0)
    level = LEVELS.get(metric.partition("(")[0])
    if tasks and level and tasks < needed(level):
        raise UsageError(
            f"{metric} takes {needed(level)} tasks a trial, and this load has {tasks}.",
            "Give it more tasks, or a longer duration.",
        )
