"""A forest plot drawn from its data (``forest``): thin, no decisions about what is shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bench import expect
from bench.report import beliefs, palette, sheet
from bench.report.forest import Forest, ForestRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABEL_WIDTH = 50
NUMBER_WIDTH = 30
LINE_IN = 0.165
PAD_IN = 0.17


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is told apart how: for each outcome its sign, its words in the legend and whether its mark is
    hollow or a cross; what the band means, what the axis is, and what stands in a row without one.
    """

    signs: Mapping[str, str]
    words: Mapping[str, str]
    hollow: frozenset[str]
    crossed: frozenset[str]
    band: str
    axis: str
    no_axis: str = ""

    def mark(self, outcome: str) -> dict[str, Any]:
        """The look of the outcome's mark."""
        colour = palette.VERDICT_COLOURS[outcome]
        return {
            "marker": "X" if outcome in self.crossed else "o",
            "color": colour,
            "mfc": palette.PAPER if outcome in self.hollow else colour,
        }


BELIEFS = Look(
    signs=beliefs.SIGNS,
    words=expect.WORDS,
    hollow=frozenset({expect.UNDECIDED}),
    crossed=frozenset({expect.REFUTED}),
    band="expected: from the limit on",
    axis="ratio of the two sides, log scale",
    no_axis="one side, in its own unit",
)

Line = tuple[str, str, float, str]
"""Words, colour, size in points, weight."""


def forest(data: Forest, look: Look) -> "Figure":
    """A row for each ratio: left what it is of, in the middle the ratio and its band, right the verdict."""
    rows = [(row, _left(row, look), _right(row, look)) for row in data.rows]
    heights = [LINE_IN * max(2, len(left), len(right)) + PAD_IN for _, left, right in rows]
    figure = sheet.sheet(sum(heights) + 1.0)
    axes = figure.subplots()
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks([])
    axes.grid(visible=False)
    if data.ends:
        _axis(axes, data.ends, look)
    top = 0.0
    for (row, left, right), height in zip(rows, heights, strict=True):
        if row.head and top:
            axes.axhline(top, color=palette.GRID, lw=0.8)
        middle = top + height / 2
        _column(axes, middle, left, side=0)
        _column(axes, middle, right, side=1)
        if row.band is None or not data.ends:
            _note(axes, middle, look.no_axis)
        else:
            _ratio(axes, middle, row, data.ends, height / 2 - 0.05, look)
        top += height
    _legend(figure, look, {row.outcome for row in data.rows})
    return figure


def _left(row: ForestRow, look: Look) -> list[Line]:
    """The head, what became of it as a whole, and what the ratio is of."""
    said = wrap(row.head, LABEL_WIDTH, max_lines=2, placeholder=" …”" if row.head[:1] == "“" else " …")
    detail = wrap(row.detail, LABEL_WIDTH + 8, max_lines=2, placeholder=" …")
    return [
        *((line, palette.INK, 9.0, "normal") for line in said),
        *([_verdict(row.whole, look)] if row.whole else []),
        *((line, palette.FAINT, 7.8, "normal") for line in detail),
    ]


def _right(row: ForestRow, look: Look) -> list[Line]:
    """The verdict and the numbers."""
    numbers = wrap(row.number, NUMBER_WIDTH, max_lines=2, placeholder=" …")
    return [_verdict(row.outcome, look), *((line, palette.INK, 8.2, "normal") for line in numbers)]


def _verdict(outcome: str, look: Look) -> Line:
    return f"{look.signs[outcome]} {outcome}", palette.VERDICT_COLOURS[outcome], 8.2, "bold"


def _column(axes: "Axes", y: float, lines: Sequence[Line], *, side: int) -> None:
    """Lines of text beside the axis, left of it (0) or right (1)."""
    for i, (text, colour, size, weight) in enumerate(lines):
        axes.annotate(
            text, (side, y + LINE_IN * (i - (len(lines) - 1) / 2)), xytext=(8 if side else -8, 0),
            xycoords=("axes fraction", "data"), textcoords="offset points", ha="left" if side else "right",
            va="center", fontsize=size, color=colour, fontweight=weight,
        )  # fmt: skip


def _note(axes: "Axes", y: float, text: str) -> None:
    axes.annotate(
        text, (0.5, y), xycoords=("axes fraction", "data"), ha="center", va="center", fontsize=8,
        fontstyle="italic", color=palette.FAINT, bbox={"fc": palette.PAPER, "lw": 0, "pad": 1.5},
    )  # fmt: skip


def _axis(axes: "Axes", ends: tuple[float, float], look: Look) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_xscale("log")
    axes.set_xlim(*ends)
    sheet.log_ticks(axes.xaxis, *ends)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ×"))
    axes.axvline(1.0, color=palette.FAINT, lw=0.8, linestyle=":")
    axes.set_xlabel(look.axis)


def _ratio(
    axes: "Axes", y: float, row: ForestRow, ends: tuple[float, float], half: float, look: Look
) -> None:
    """The band, the limit at its end, and the ratio with its interval."""
    assert row.band is not None
    low, high = ends
    left, right = max(row.band[0], low), min(row.band[1], high)
    axes.fill_betweenx([y - half, y + half], left, right, color=palette.IDLE, lw=0, zorder=1)
    if row.limit is not None:
        axes.plot([row.limit] * 2, [y - half, y + half], color=palette.INK, lw=1.6, zorder=2)
    if row.point is None:
        return
    colour = palette.VERDICT_COLOURS[row.outcome]
    if row.lower is not None and row.upper is not None:
        axes.plot([max(row.lower, low), min(row.upper, high)], [y, y], color=colour, lw=2.5, zorder=3)
        axes.plot([row.lower, row.upper], [y, y], "|", ms=9, mew=1.5, color=colour, zorder=3)
        for end, beyond, arrow in ((low, row.lower < low, "<"), (high, row.upper > high, ">")):
            if beyond:
                axes.plot([end], [y], arrow, ms=5, color=colour, clip_on=False, zorder=4)
    axes.plot([row.point], [y], ms=4.5, mew=1.2, zorder=4, **look.mark(row.outcome))


def _legend(figure: "Figure", look: Look, seen: Collection[str]) -> None:
    sheet.legend(
        figure,
        [
            *(sheet.handle(words, ms=5.5, **look.mark(o)) for o, words in look.words.items() if o in seen),
            sheet.handle("95 % interval", color=palette.NEUTRAL, lw=2.5),
            sheet.patch(look.band, facecolor=palette.IDLE, edgecolor=palette.INK, lw=0.8),
        ],
    )
