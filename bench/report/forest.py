"""Ratios with their intervals on one axis, a row each: expectations of beliefs, checks of a comparison.

Plain data; the drawing is elsewhere (``draw_forest``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite

from bench.expect import Belief, Expectation

REACH = 10.0
"""The axis reaches at most this many times beyond points and limits; what is longer ends in an arrow."""
ROOM = 1.3
"""And at least this many times, so that nothing touches the frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """One ratio. ``head`` is empty on the second and later rows that share it, ``whole`` the verdict on all
    of these, on the first of several, else empty too; ``detail``: what the ratio is of.

    ``point``, ``lower`` and ``upper`` are None where there is no ratio. ``band``: the ratios that are marked
    as expected or harmless, None in a row that needs no axis; ``limit``: a line at one of its ends.
    ``number``: what was measured, in words.
    """

    head: str
    whole: str = ""
    detail: str
    outcome: str
    number: str
    point: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    band: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """The rows from above, and the ends of the axis they share (None: no row has a ratio)."""

    rows: tuple[ForestRow, ...]
    ends: tuple[float, float] | None


def of_beliefs(beliefs: Sequence[Belief]) -> Forest:
    """One row for each expectation, in the given order."""
    rows = tuple(
        _row(
            found,
            head=f"“{belief.text}”" if i == 0 else "",
            whole=belief.outcome if i == 0 and len(belief.expectations) > 1 else "",
        )
        for belief in beliefs
        for i, found in enumerate(belief.expectations)
    )
    return Forest(rows=rows, ends=ends_of(rows))


def _row(found: Expectation, *, head: str, whole: str) -> ForestRow:
    limit = found.condition.limit if found.is_ratio else None
    above, below = (limit or 0.0, inf), (0.0, limit or 0.0)
    row = ForestRow(
        head=head,
        whole=whole,
        detail=found.condition.text,
        outcome=found.outcome,
        number=found.number or _without_number(found),
        limit=limit,
        band=None if limit is None else above if found.condition.op.startswith(">") else below,
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


def ends_of(rows: Sequence[ForestRow]) -> tuple[float, float] | None:
    """The ends of the axis that shows all rows; None where no row has a ratio or a band."""
    fixed = [
        value
        for row in rows
        for value in (row.point, *(row.band or ()))
        if value is not None and 0 < value < inf
    ]
    if not fixed:
        return None
    low, high = min(*fixed, 1.0), max(*fixed, 1.0)
    loose = [value for row in rows for value in (row.lower, row.upper) if value]
    low_end, high_end = min([low, *loose]), max([high, *loose])
    return max(low_end, low / REACH) / ROOM, min(high_end, high * REACH) * ROOM
