"""Paper and ink for the pictures: sheets of panels, legends, axes in human units, saving as SVG and PNG."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import units
from bench.report import palette

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("report.mplstyle")
WIDTH_IN = 10.0
COLUMNS = 3
FONTS = "'DejaVu Sans', Verdana, sans-serif"
THEMED = {
    palette.INK: "ink",
    palette.FAINT: "faint",
    palette.GRID: "grid",
    palette.PAPER: "paper",
    palette.IDLE: "idle",
    palette.LONG_KIND: "long",
    palette.GOOD: "good",
    palette.BAD: "bad",
    palette.OPEN: "open",
}
"""Colours the page may change for a dark screen."""


@contextmanager
def style() -> Iterator[None]:
    """Draw and save inside this: the look of all pictures, whatever the user's own matplotlib settings.

    Letters that our font lacks are no reason for a warning: the text of an SVG is drawn by who shows it.
    """
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        mpl.rcdefaults()
        mpl.rcParams.update(mpl.rc_params_from_file(STYLE, use_default_template=False))
        yield


def grid(panels: int, height_in: float) -> tuple["Figure", list[tuple["Axes", bool]]]:
    """A sheet of ``panels`` axes, at most three abreast, and whether each is the first of its line."""
    columns = 2 if panels == 4 else min(COLUMNS, max(1, panels))
    lines = -(-max(1, panels) // columns)
    figure = sheet(height_in * lines + 0.35)
    cells = figure.subplots(lines, columns, squeeze=False)
    flat = [(axes, i % columns == 0) for i, axes in enumerate(cells.flat)]
    for axes, _ in flat[panels:]:
        axes.remove()
    return figure, flat[:panels]


def sheet(height_in: float) -> "Figure":
    """An empty figure that makes room for its labels by itself."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.04)  # type: ignore[union-attr, call-arg]
    return figure


def handle(label: str, **look: Any) -> "Artist":
    """A legend entry drawn as a line or marker."""
    from matplotlib.lines import Line2D

    look = {"linestyle": "-" if "lw" in look else "none", **look}
    return Line2D([], [], label=label, **look)


def patch(label: str, **look: Any) -> "Artist":
    """A legend entry drawn as a box."""
    from matplotlib.patches import Patch

    return Patch(label=label, **look)


def legend(figure: "Figure", handles: Sequence["Artist"]) -> None:
    """Below all panels, never on the data."""
    if handles:
        columns = min(len(handles), 6)
        figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, handlelength=1.4)


def scale_of(metric: str, high: float) -> tuple[float, str]:
    """(divisor, unit) for an axis that reaches ``high`` (SI)."""
    if metric.endswith(")") or metric in ("makespan", "cpu_per_task"):
        for unit, scale in (("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
            if high >= (180.0 if unit == "min" else 0.8 * scale):
                return scale, unit
        return 1.0, "s"
    if metric == "memory":
        return (2.0**30, "GiB") if high >= 2.0**30 else (2.0**20, "MiB")
    plain = {
        "throughput": (1.0, "tasks/s"),
        "items": (1.0, "items/s"),
        "capacity": (1.0, "tasks/s"),
        "utilisation": (0.01, "%"),
        "cpu": (1.0, "cores"),
    }
    return plain.get(metric, (1.0, ""))


def duration_axis(axes: "Axes", seconds: Sequence[float], *, log: bool) -> None:
    """An x axis of durations written with their units."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    high = max(seconds, default=1.0)
    if log:
        low = min(seconds)
        axes.set_xscale("log")
        axes.set_xlim(low / 1.25, high * 1.25)
        subs = (1.0,) if high > 200 * low else (1.0, 2.0, 5.0)
        axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, high * 1.08)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _tick(x)))


def log_ticks(axis: "Axis", low: float, high: float, *, apart: float = 0.2) -> None:
    """Ticks of a logarithmic axis at round numbers, as many as lie ``apart`` (a share of its length), none
    without a label.
    """
    from matplotlib.ticker import FixedLocator, NullLocator

    axis.set_major_locator(FixedLocator(_round_numbers(low, high, apart)))
    axis.set_minor_locator(NullLocator())


def _round_numbers(low: float, high: float, apart: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    least = apart * math.log(high / low)
    ticks: list[float] = []
    for steps in ((1, 1.5, 2, 3, 4, 5, 7), (1, 1.5, 2, 3, 5, 7), (1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**n for n in exponents for step in steps if low <= step * 10.0**n <= high]
        if all(math.log(b / a) >= least for a, b in pairwise(ticks)):
            return ticks
    return ticks[:: math.ceil(least / math.log(10))]


def human(axis: "Axis", metric: str) -> None:
    """Ticks with their units."""
    from matplotlib.ticker import FuncFormatter

    timed = metric.endswith(")") or metric in ("makespan", "cpu_per_task")
    text = _tick if timed else lambda value: units.format_metric(metric, value)
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))


def whole_numbers(axis: "Axis") -> None:
    """Ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))


def _tick(seconds: float) -> str:
    number, _, unit = units.format_duration(seconds).partition(" ")
    return f"{float(number):g} {unit}" if re.fullmatch(r"\d+\.\d+", number) else f"{number} {unit}"


def svg(figure: "Figure", name: str) -> str:
    """The picture as SVG text: the same for the same data; ids start with ``name``, so several fit a page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    return text.strip().replace("'DejaVu Sans'", FONTS) + "\n"


def png(figure: "Figure", path: Path) -> None:
    """The same picture as a PNG file, without time stamps."""
    figure.savefig(path, format="png", metadata={"Software": None})


def inline(text: str, description: str) -> str:
    """SVG for inside a page: no namespaces, scaled by the page, theme colours as variables, a label."""
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
        rf'<svg \1 role="img" aria-label="{description}">',
        text,
        count=1,
    )
    for colour, name in THEMED.items():
        text = re.sub(rf"(?<=[ :\"]){colour}\b", f"var(--fig-{name})", text)
    return text
