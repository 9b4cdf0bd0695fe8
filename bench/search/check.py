"""Which blocks a check still has to measure: a short look at everything, then fresh blocks of what is open.

All cells are measured in ``LOOKS[0]`` blocks. A pair (base and candidate) whose every metric is shown to be
no worse, or one of whose metrics is shown to be worse, is settled and measured no more; the rest gets fresh
blocks up to the next look, and so on. What no trial gives (a percentile of too few tasks) is not waited for,
and a pair of which one side has failed in every trial is not tried again.

**Error.** Looking several times gives chance several chances. The error rate is spent evenly: a look may err
with ``ERROR`` ÷ number of looks over all of its checks (Holm), so that all looks together err with ``ERROR``
at most (Bonferroni over looks; what is settled stays settled). The looks and their shares are fixed before
the first trial, whatever is seen.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bench import compare, plan
from bench.compare import Check, Comparison
from bench.effects import MARGIN
from bench.model import Scenario, Trial
from bench.store import Run

LOOKS = (5, 10, 20, 40, 80, 160)
"""Blocks after which the trials are looked at."""
ERROR = 0.05


class Checking:
    """A check of ``run``: values of the axis ``by`` against ``baseline``; ``expired`` says when time is over.

    ``trials`` is the plan; ``comparison`` what came of it, with every check as it was settled.
    """

    def __init__(
        self,
        run: Run,
        scenario: Scenario,
        *,
        by: str,
        baseline: str,
        seed: int,
        metrics: Sequence[str] = (),
        margin: float = MARGIN,
        looks: Sequence[int] = LOOKS,
        expired: Callable[[], bool] = lambda: False,
    ) -> None:
        self._run, self._scenario, self._seed = run, scenario, seed
        self._by, self._baseline, self._metrics, self._margin = by, baseline, metrics, margin
        self._looks, self._expired = looks, expired
        self._settled: dict[tuple[tuple[str, str], str], Check] = {}
        self.comparison: Comparison | None = None
        self.blocks = 0

    def trials(self) -> Iterator[Trial]:
        """The trials, block after block, until all is settled, the last look is over, or time is."""
        cells: set[str] | None = None
        done = 0
        for look in self._looks:
            while self.blocks < look and not (self._expired() and self.blocks):
                self.blocks += 1
                for trial in plan.block(self._scenario, self.blocks, self._seed, first=done + 1, only=cells):
                    yield trial
                    done += 1
            cells = self.look()
            if not cells or self._expired():
                return

    def look(self) -> set[str]:
        """Judge what there is; the cells that have to be measured again."""
        found = compare.within(
            self._run,
            self._by,
            self._baseline,
            metrics=self._metrics,
            margin=self._margin,
            alpha=ERROR / len(self._looks),
        )
        by_pair: dict[tuple[str, str], list[Check]] = {}
        for check in found.checks:
            by_pair.setdefault(check.pair.cells, []).append(check)
        open_: set[str] = set()
        for pair, checks in by_pair.items():
            left = [c for c in checks if not c.is_uncomputed]
            if any(c.verdict == compare.WORSE for c in checks) or (left and all(c.passes for c in left)):
                for check in checks:
                    self._settled.setdefault((pair, check.metric), check)
            elif left and all(checks[0].pair.trials) and (pair, checks[0].metric) not in self._settled:
                open_.update(pair)
        kept = tuple(self._settled.get((c.pair.cells, c.metric), c) for c in found.checks)
        self.comparison = replace(found, checks=kept)
        return open_
