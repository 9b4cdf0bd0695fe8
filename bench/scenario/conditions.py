"""Conditions in a scenario: its ``gates``, and its ``belief:`` with what to ``expect:`` of it. What they name
are the scenario's cells.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import grammar
from bench.scenario.matrix import Point
from bench.scenario.mistakes import Mistake


def condition_mistakes(data: Mapping[str, Any], points: Sequence[Point] | None) -> Iterator[Mistake]:
    """What is wrong with them. ``points``: the cells, None where they are not those of the file."""
    yield from _each("gates", data.get("gates"), "a gate", points)
    expected = data.get("expect")
    conditions = [expected] if isinstance(expected, str) else expected if isinstance(expected, list) else []
    if data.get("belief") and not expected:
        text = "nothing is expected of it. Say with `expect:` what would be measured if it held"
        yield Mistake(path=("belief",), text=text)
    if conditions and not data.get("belief"):
        yield Mistake(path=("expect",), text="of which belief? Say with `belief:` what people say")
    yield from _each("expect", conditions, "an expectation", points)


def _each(key: str, conditions: Any, noun: str, points: Sequence[Point] | None) -> Iterator[Mistake]:
    for index, text in enumerate(conditions) if isinstance(conditions, list) else ():
        if isinstance(text, str):
            try:
                condition = grammar.parse(text, noun)
                if points is not None:
                    grammar.check(condition, [point.settings for point in points])
            except ValueError as error:
                yield Mistake(path=(key, index), text=str(error))
