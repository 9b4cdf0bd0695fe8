"""Every expectation of every belief on one axis: its ratio with interval beside the limit that was expected.

Plain data; the drawing is elsewhere (``draw_forest``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from bench.expect import Belief, Expectation

REACH = 10.0
"""The axis reaches at most this many times beyond points and limits; what is longer ends in an arrow."""
ROOM = 1.3
"""And at least this many times, so that nothing touches the frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """One expectation. ``belief`` is empty on the second and later ones of the same belief, ``whole`` the
    belief's own verdict on the first of several, else empty too.

    ``point``, ``lower``, ``upper`` and ``limit`` are ratios; all None where the expectation is of one side,
    the first three where there is no ratio. ``more``: whether a larger ratio than the limit was expected.
    ``number``: what was measured, in words.
    """

    belief: str
    whole: str
    expected: str
    outcome: str
    number: str
    point: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    more: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """The rows from above, and the ends of the axis they share (None: no row has a ratio)."""

    rows: tuple[ForestRow, ...]
    ends: tuple[float, float] | None


def forest(beliefs: Sequence[Belief]) -> Forest:
    """One row for each expectation, in the given order."""
    rows = tuple(
        _row(
            found,
            belief=belief.text if i == 0 else "",
            whole=belief.outcome if i == 0 and len(belief.expectations) > 1 else "",
        )
        for belief in beliefs
        for i, found in enumerate(belief.expectations)
    )
    return Forest(rows=rows, ends=_ends(rows))


def _row(found: Expectation, *, belief: str, whole: str) -> ForestRow:
    row = ForestRow(
        belief=belief,
        whole=whole,
        expected=found.condition.text,
        outcome=found.outcome,
        number=found.number or _without_number(found),
        limit=found.condition.limit if found.is_ratio else None,
        more=found.condition.op.startswith(">"),
    )
    ratio = found.estimate
    if not found.is_ratio or ratio is None or not isfinite(ratio.point) or ratio.point <= 0:
        return row
    return replace(row, point=ratio.point, lower=ratio.lower, upper=ratio.upper)


def _without_number(found: Expectation) -> str:
    """Instead of a ratio: the two sides if they were measured (one may be zero)."""
    if any(side.estimate is None for side in found.sides):
        return "not measured"
    return " against ".join(side.number for side in found.sides)


def _ends(rows: Sequence[ForestRow]) -> tuple[float, float] | None:
    fixed = [value for row in rows for value in (row.point, row.limit) if value]
    if not fixed:
        return None
    low, high = min(*fixed, 1.0), max(*fixed, 1.0)
    loose = [value for row in rows for value in (row.lower, row.upper) if value]
    low_end, high_end = min([low, *loose]), max([high, *loose])
    return max(low_end, low / REACH) / ROOM, min(high_end, high * REACH) * ROOM
