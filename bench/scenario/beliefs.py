"""``belief:`` and ``expect:`` of a scenario: one needs the other, and what is expected is of its cells."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import grammar
from bench.scenario.matrix import Point
from bench.scenario.mistakes import Mistake


def belief_mistakes(data: Mapping[str, Any], points: Sequence[Point] | None) -> Iterator[Mistake]:
    """What is wrong with them. ``points``: the cells, None where they are not those of the file."""
    expected = data.get("expect")
    conditions = [expected] if isinstance(expected, str) else expected if isinstance(expected, list) else []
    if data.get("belief") and not expected:
        text = "nothing is expected of it. Say with `expect:` what would be measured if it held"
        yield Mistake(path=("belief",), text=text)
    if conditions and not data.get("belief"):
        yield Mistake(path=("expect",), text="of which belief? Say with `belief:` what people say")
    for index, text in enumerate(conditions):
        if isinstance(text, str):
            try:
                condition = grammar.parse(text, "an expectation")
                if points is not None:
                    grammar.check(condition, [point.settings for point in points])
            except ValueError as error:
                yield Mistake(path=("expect", index), text=str(error))
