"""What became of a belief, in the words of every medium: terminal, page, Markdown and JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bench import expect, units
from bench.expect import HELD, REFUTED, UNDECIDED, Belief, Expectation
from bench.measured import Estimate

SIGNS = {HELD: "✓", REFUTED: "✗", UNDECIDED: "?"}
CSS: Mapping[str, str] = {HELD: "pass", REFUTED: "fail", UNDECIDED: "open"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One verdict: ``word`` and ``sign`` say the same as the colour that ``css`` gives it."""

    outcome: str

    @property
    def word(self) -> str:
        return expect.WORDS[self.outcome]

    @property
    def sign(self) -> str:
        return SIGNS[self.outcome]

    @property
    def css(self) -> str:
        return CSS[self.outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationWords(Words):
    """``text``: what was expected; ``measured``: the ratio, how it was taken; ``sides``: each in its unit."""

    text: str
    measured: str
    sides: tuple[tuple[str, str], ...]
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BeliefWords(Words):
    """``text``: what people say."""

    text: str
    expectations: tuple[ExpectationWords, ...]


def words(belief: Belief) -> BeliefWords:
    """The belief and its expectations as texts."""
    return BeliefWords(
        outcome=belief.outcome, text=belief.text, expectations=tuple(map(_expectation, belief.expectations))
    )


def _expectation(found: Expectation) -> ExpectationWords:
    return ExpectationWords(
        outcome=found.outcome,
        text=found.condition.text,
        measured=f"{found.number}{_taken(found)}" if found.is_ratio and found.number else "",
        sides=tuple((side.text, f"{side.number}{_means(side)}") for side in found.sides),
        why=found.why,
    )


def _taken(found: Expectation) -> str:
    """Over what a ratio was taken."""
    if found.estimate is None or found.condition.counts:
        return ""
    pairs = f", each over {found.partners} pairs of cells" if found.partners > 1 else ""
    return f" in {units.plural(found.estimate.n, 'block')}{pairs}"


def _means(side: expect.Side) -> str:
    return f", mean of {len(side.cells)} cells" if len(side.cells) > 1 and side.estimate else ""


def as_json(belief: Belief) -> dict[str, Any]:
    """Verdicts and numbers, SI units; what is not known or not finite is null."""
    return {
        "scenario": belief.scenario.name,
        "question": belief.scenario.question,
        "belief": belief.text,
        "outcome": belief.outcome,
        "expectations": [
            {
                "text": found.condition.text,
                "outcome": found.outcome,
                "ratio": found.is_ratio,
                **_numbers(found.estimate),
                "op": found.condition.op,
                "limit": found.condition.limit,
                "partners": found.partners,
                "sides": [
                    {
                        "text": side.text,
                        "metric": side.metric,
                        "cells": list(side.cells),
                        **_numbers(side.estimate),
                    }
                    for side in found.sides
                ],
                "why": list(found.why),
            }
            for found in belief.expectations
        ],
    }


def _numbers(estimate: Estimate | None) -> dict[str, float | int | None]:
    if estimate is None:
        return {"point": None, "lower": None, "upper": None, "n": 0}
    ends = {"point": estimate.point, "lower": estimate.lower, "upper": estimate.upper}
    return {k: v if v is not None and isfinite(v) else None for k, v in ends.items()} | {"n": estimate.n}
