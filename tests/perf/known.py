"""Tuners on grids whose truth is known: the same searches as in decide.py, where nothing is left to chance
but the trials themselves.

What a cell is worth is what fifteen recorded blocks say of it (docs/perf-decide-noisy.jsonl); a trial gives
that, times noise of a chosen size (lognormal, independent). So regret is what a search loses, and none of it
is the error of the blocks that value it, and one sees up to which noise the targets are met.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

import click
import numpy as np
from decide import REPLAYS, Grid, Lots, Outcome, grids, table_row
from decide import replay as replayed
from grids import KEPT, NOISY
from report import PAGE, between

NOISES = (0.03, 0.05, 0.08, 0.11)
"""Standard deviations of a trial's logarithm: from that of a quiet hour to that of the recorded trials."""

STRATEGIES = ("auto", "random", "optuna")

SEARCH, FRESH, TRUTH = range(1, 17), range(17, 25), (25,)
"""Blocks of a known grid."""


def known(grid: Grid, noise: float, seed: int) -> Grid:
    """Noisy blocks for a search and its confirmation, and one without noise that names and values."""
    rng = np.random.default_rng(seed)
    trials = {}
    for cell, own in grid.trials.items():
        first = next(iter(own.values()))
        truth = {name: grid.mean(cell, list(own), name) for name in KEPT if name in first}
        truth |= {"ok": True, "seconds": fmean(t["seconds"] for t in own.values())}
        factors = np.exp(rng.normal(0.0, noise, len(SEARCH) + len(FRESH)))
        noisy = ({**truth, "throughput": truth["throughput"] * float(f)} for f in factors)
        trials[cell] = dict(zip([*SEARCH, *FRESH, *TRUTH], [*noisy, truth], strict=True))
    return replace(grid, trials=trials)


def replay(grid: Grid, strategy: str, noise: float, seed: int) -> Outcome:
    """One search on a grid with this noise."""
    return replayed(known(grid, noise, seed), strategy, seed, Lots(SEARCH, FRESH, TRUTH, TRUTH))


def table(found: Mapping[tuple[float, str], Sequence[Outcome]]) -> Iterator[str]:
    """A row for each noise and strategy."""
    yield "| noise of a trial | way | regret: median | 90th percentile | time | inflation | violations |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for (noise, strategy), outcomes in found.items():
        yield f"| {noise * 100:.0f} % {table_row(strategy, outcomes)}"


def main() -> None:
    """Every strategy at every noise; writes the table."""
    recorded = grids(NOISY)
    found = {}
    for noise in NOISES:
        for strategy in STRATEGIES:
            outcomes = [replay(grid, strategy, noise, seed) for grid in recorded for seed in range(REPLAYS)]
            found[noise, strategy] = outcomes
            click.echo(f"{noise * 100:.0f} % {table_row(strategy, outcomes)}")
    PAGE.write_text(between(PAGE.read_text(), "known", "\n".join(table(found))))


if __name__ == "__main__":
    main()
