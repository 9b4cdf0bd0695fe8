"""Pure: what a burst does to a plan. Does the SLO hold through it? If not, what heaps up, and until when?"""

import re
from dataclasses import dataclass

from bench import units
from bench.sizing.advise import Ask, keeps
from bench.sizing.model import Model
from bench.sizing.predict import Layout, Prediction, capacity, predict

_BURST = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[x×]\s+for\s+(\S+?)\s+every\s+(\S+?)\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """``factor`` times the wanted rate for ``seconds``, again ``every`` so many seconds."""

    factor: float
    seconds: float
    every: float

    def __str__(self) -> str:
        return (
            f"{self.factor:g}x for {units.format_duration(self.seconds)}"
            f" every {units.format_duration(self.every)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridden:
    """``during``: the burst as a steady rate, where the layout keeps up with it, and whether it ``holds`` the
    SLO. Else ``backlog`` (tasks) at its end, the ``wait`` (s) of the task that comes last, and the seconds
    until it is ``drained``: None where the next burst comes before.
    """

    burst: Burst
    rate: float
    holds: bool
    during: Prediction
    backlog: float
    wait: float
    drained: float | None


def parse(text: str) -> Burst:
    """The burst in ``3x for 10m every 1h``. Raises ValueError with what to write instead."""
    found = _BURST.match(text)
    if not found:
        raise ValueError(f"{text!r} is not a burst: write how often, how long and when again, as in"
                         " '3x for 10m every 1h'")  # fmt: skip
    burst = Burst(factor=float(found[1]), seconds=units.duration(found[2]), every=units.duration(found[3]))
    if not (burst.factor > 1 and 0 < burst.seconds < burst.every):
        raise ValueError(
            f"{text!r}: a burst is more than 1x the rate and shorter than the time until the next"
        )
    return burst


def ride(model: Model, ask: Ask, layout: Layout, burst: Burst) -> Ridden:
    """What becomes of the layout. Where it does not keep up, by flows: the backlog rises by what comes beyond
    its capacity, and falls by what its capacity exceeds the usual rate (Newell, *Applications of Queueing
    Theory*, 1982, ch. 2). Against the minutes of a burst, chance within it does not matter.
    """
    rate, most = ask.rate * burst.factor, capacity(model, layout, ask.host.cores)
    during = predict(model, layout, rate, ask.host.cores, arrivals=ask.arrivals)
    backlog = max(0.0, rate - most) * burst.seconds
    spare = most - ask.rate
    drained = backlog / spare if spare > 0 else None
    in_time = drained is not None and drained <= burst.every - burst.seconds
    return Ridden(
        burst=burst,
        rate=rate,
        holds=keeps(ask, during),
        during=during,
        backlog=backlog,
        wait=backlog / most,
        drained=drained if in_time else None,
    )
