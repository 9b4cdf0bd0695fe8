"""Equal trials beside the reference spin: does host speed explain why they differ? ``equal.py RUN-FOLDER``

Each cell of the run must be the same thing measured many times. Printed for each cell: how much its trials
spread, how that goes with the spin, and what the spin as a covariate does to the intervals of ``SLICE``
trials in a row, judged by the mean over all trials, which is as near to the truth as one can come.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.measured import TrialResult
from bench.stats.covariate import Adjusted, Group, adjusted, narrows
from bench.stats.intervals import Interval, arithmetic
from bench.store import open_run

SLICE = 5
METRIC = "throughput"


def main(folder: Path) -> None:
    run = open_run(folder.parent, folder.name)
    cells: dict[str, list[TrialResult]] = {}
    for result in run.results():
        if result.ok and METRIC in result.metrics and "spin_before" in result.host:
            cells.setdefault("; ".join(map(str, result.settings.values())), []).append(result)
    cells = {name: results for name, results in cells.items() if len(results) >= 2 * SLICE}
    if not cells:
        sys.exit(f"{folder} has no cell of at least {2 * SLICE} trials with a {METRIC} and a spin.")
    columns = "cell | trials | spread (CV) | r with the spin | spread left"
    print(f"| {columns} |\n|{' --- |' * 5}")
    for name, results in cells.items():
        y, x = logs(results)
        r = float(np.corrcoef(y, x)[0, 1])
        left = y.std(ddof=1) * (1 - r**2) ** 0.5
        print(f"| {name} | {len(y)} | {y.std(ddof=1):.1%} | {r:+.2f} | {left:.1%} |")
    print()
    inside(cells)


def logs(results: Sequence[TrialResult]) -> tuple[np.ndarray, np.ndarray]:
    """Log metric and log mean spin of each trial."""
    y = np.log([r.metrics[METRIC] for r in results])
    x = np.log([(r.host["spin_before"] + r.host["spin_after"]) / 2 for r in results])
    return y, x


def slices(cells: dict[str, list[TrialResult]]) -> Iterator[list[Group]]:
    """Runs of ``SLICE`` blocks: the same blocks of every cell."""
    data = {name: logs(results) for name, results in cells.items()}
    blocks = min(len(y) for y, _ in data.values())
    for start in range(0, blocks - SLICE + 1, SLICE):
        at = slice(start, start + SLICE)
        yield [Group(y=tuple(y[at]), x=tuple(x[at])) for y, x in data.values()]


def inside(cells: dict[str, list[TrialResult]]) -> None:
    truths = [float(logs(results)[0].mean()) for results in cells.values()]
    used = total = 0
    plain, shown = Seen(), Seen()
    for groups in slices(cells):
        total += 1
        found = adjusted(groups)
        use = narrows(found)
        used += use
        for n, (group, truth) in enumerate(zip(groups, truths, strict=True)):
            alone = arithmetic(list(group.y))
            plain.add(alone, truth)
            shown.add(found.means[n] if use and found else alone, truth)
    print(f"{total} runs of {SLICE} blocks; the covariate would be used in {used}.")
    print(f"without: {plain}")
    print(f"shown:   {shown}")


@dataclass
class Seen:
    """Intervals beside the truth."""

    hits: list[bool] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, found: Interval | Adjusted, truth: float) -> None:
        lower, upper = found.lower or truth, found.upper or truth
        self.hits.append(lower <= truth <= upper)
        self.widths.append(upper - lower)

    def __str__(self) -> str:
        return f"{np.mean(self.hits):.0%} hold the mean of all trials, width {np.mean(self.widths):.1%}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
