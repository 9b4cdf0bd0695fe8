"""The same workers with another mix of the tasks that were measured."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench import units
from bench.errors import UsageError
from bench.sizing.evidence import CONSUMER_S, Family, Floats, Sample

VALUES = 2000
"""Service times of a sample in the new mix: a kind with one task in a hundred still has twenty."""


def parse(text: str) -> tuple[float, ...]:
    """``3:1`` as weights. Raises ValueError."""
    weights = []
    for part in text.split(":"):
        try:
            weights.append(float(part))
        except ValueError:
            raise ValueError(f"{part.strip()!r} is not a weight") from None
    if not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
        raise ValueError(f"{text!r} is not a mix: weights are not negative, and one is above 0")
    return tuple(weights)


def shifted(family: Family, weights: Sequence[float]) -> Family:
    """The family as it would have been with these ``weights`` of the entries of its workload.

    Service times of each kind are kept as they were measured and counted anew; what a second of service
    computes stays the same. Raises UsageError where there are not as many kinds, or one was never seen.
    """
    calls = family.setup.workload
    names = ", ".join(call.name for call in calls)
    if len(weights) != len(calls):
        raise UsageError(
            f"The mix has {units.plural(len(weights), 'weight')}, and the workload"
            f" {units.plural(len(calls), 'kind')} of tasks: {names}.",
            "Write a weight for each, in this order: --mix " + ":".join("1" * len(calls)),
        )
    known = [_known(family, kind) for kind in range(len(calls))]
    for call, weight, values in zip(calls, weights, known, strict=True):
        if weight and not values.size:
            raise UsageError(
                f"No {call.name} has ended in these trials, so how long they take is not known.",
                "Give it a weight in the scenario, and measure again.",
            )
    mix = tuple(replace(call, weight=weight) for call, weight in zip(calls, weights, strict=True))
    return replace(
        family,
        setup=replace(family.setup, workload=mix),
        samples=tuple(_shifted(s, weights, known) for s in family.samples if s.services.size),
    )


def _known(family: Family, kind: int) -> Floats:
    return np.concatenate([s.services[s.kinds == kind] for s in family.samples] or [np.empty(0)])


def _shifted(sample: Sample, weights: Sequence[float], known: Sequence[Floats]) -> Sample:
    """A kind that this trial happened not to have takes as long as in the others."""
    parts: dict[int, Floats] = {}
    for kind, weight in enumerate(weights):
        own = sample.services[sample.kinds == kind]
        count = round(VALUES * weight / sum(weights)) or bool(weight)
        if count:
            at = (np.arange(count) + 0.5) / count
            parts[kind] = np.quantile(own if own.size else known[kind], at)
    services = np.concatenate(list(parts.values()))
    longer = float(services.mean() / sample.services.mean())
    fixed = min(sample.consumer_s, CONSUMER_S)
    return replace(
        sample,
        services=services,
        kinds=np.repeat(list(parts), [part.size for part in parts.values()]),
        consumer_s=fixed + (sample.consumer_s - fixed) * longer,
        work_s=sample.work_s * longer,
        points=(),
    )
