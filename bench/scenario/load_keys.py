"""The keys below ``load:``, one model for each shape, and a list of them for phases.

A new shape is a model here, its checks are in ``load_checks.py``, its due times in ``bench/pacing.py``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from bench import model
from bench.scenario.fields import AsSchema, Duration, Keys, Rate, RateFromZero, Schema

_SHAPE = "How tasks arrive; in a list of loads each is a phase, one after another"
_TASKS = "flood: how many fill the queue; burst: how many at once; closed: how many in all"
_RATE = (
    "constant, poisson: tasks due in a second (or `/min`, `/h`); sine: the mean; saturate: the first tried"
)
_FOR = "How long tasks are due; steps: all together; burst: with `every`; saturate: the least time of a step"
_TASKS_MOST = 20_000_000
_CLIENTS_MOST = 10_000
_LIST_MOST = 1000


class FloodKeys(Keys):
    """All tasks at once, then the queue is drained."""

    shape: Literal["flood"] = Field(description=_SHAPE)
    tasks: int = Field(ge=1, le=_TASKS_MOST, description=_TASKS, examples=[400])


class ConstantKeys(Keys):
    """A steady stream, whose due times never wait for the workers."""

    shape: Literal["constant"] = Field(description=_SHAPE)
    rate: Rate = Field(description=_RATE, examples=["50/s"])
    duration: Duration = Field(alias="for", description=_FOR, examples=["20s"])


class PoissonKeys(Keys):
    """A stream of independent arrivals."""

    shape: Literal["poisson"] = Field(description=_SHAPE)
    rate: Rate = Field(description=_RATE, examples=["50/s"])
    duration: Duration = Field(alias="for", description=_FOR, examples=["20s"])


class StepsKeys(Keys):
    """Steady streams of several rates, one after another."""

    shape: Literal["steps"] = Field(description=_SHAPE)
    rates: list[Rate] = Field(
        min_length=1,
        max_length=_LIST_MOST,
        description="steps: one rate after the other, equally long",
        examples=[["10/s", "20/s", "40/s"]],
    )
    duration: Duration = Field(alias="for", description=_FOR, examples=["30s"])


class RampKeys(Keys):
    """A stream that grows or shrinks evenly."""

    shape: Literal["ramp"] = Field(description=_SHAPE)
    start: RateFromZero = Field(
        alias="from", description="ramp: the rate at the start; 0/s is one", examples=["10/s"]
    )
    end: RateFromZero = Field(alias="to", description="ramp: the rate at the end", examples=["100/s"])
    duration: Duration = Field(alias="for", description=_FOR, examples=["30s"])


class SineKeys(Keys):
    """A stream that swings around its mean."""

    shape: Literal["sine"] = Field(description=_SHAPE)
    rate: Rate = Field(description=_RATE, examples=["50/s"])
    amplitude: Rate = Field(
        description="sine: how far the rate swings to both sides, at most the rate", examples=["30/s"]
    )
    period: Duration = Field(description="sine: how long one wave takes", examples=["10s"])
    duration: Duration = Field(alias="for", description=_FOR, examples=["60s"])


class BurstKeys(Keys):
    """Many tasks at once while the workers wait for them, once or again and again."""

    shape: Literal["burst"] = Field(description=_SHAPE)
    tasks: int = Field(ge=1, le=_TASKS_MOST, description=_TASKS, examples=[500])
    every: Duration | None = Field(
        default=None,
        description="burst: from one burst to the next; without it there is one",
        examples=["10s"],
    )
    duration: Duration | None = Field(default=None, alias="for", description=_FOR, examples=["60s"])


class ReplayKeys(Keys):
    """What arrived somewhere once, from a file."""

    shape: Literal["replay"] = Field(description=_SHAPE)
    file: str = Field(
        min_length=1,
        description="replay: a CSV or Parquet file with the column `offset` (seconds) and perhaps `task` and "
        "`kwargs`; its path starts at the scenario's folder",
        examples=["trace.csv"],
    )
    speed: float = Field(
        default=1.0, ge=0.001, le=1000, description="replay: how many times faster than it was", examples=[2]
    )


class ClosedKeys(Keys):
    """Clients that wait for a result before they ask for the next."""

    shape: Literal["closed"] = Field(description=_SHAPE)
    clients: int = Field(
        ge=1, le=_CLIENTS_MOST, description="closed: how many wait for results at a time", examples=[10]
    )
    tasks: int = Field(ge=1, le=_TASKS_MOST, description=_TASKS, examples=[500])


class SaturateKeys(Keys):
    """The highest rate that keeps a promise is looked for."""

    shape: Literal["saturate"] = Field(description=_SHAPE)
    slo: str = Field(
        description="saturate: what the rate must keep, a percentile, mean or max of a time below a limit",
        examples=["p95(response) < 500ms"],
    )
    rate: Rate | None = Field(default=None, description=_RATE, examples=["50/s"])
    duration: Duration | None = Field(default=None, alias="for", description=_FOR, examples=["5s"])


OpenKeys = ConstantKeys | PoissonKeys | StepsKeys | RampKeys | SineKeys | BurstKeys
LoadKeys = OpenKeys | FloodKeys | ReplayKeys | ClosedKeys | SaturateKeys

LOAD_KEYS: Mapping[str, type[Keys]] = {
    "flood": FloodKeys,
    "constant": ConstantKeys,
    "poisson": PoissonKeys,
    "steps": StepsKeys,
    "ramp": RampKeys,
    "sine": SineKeys,
    "burst": BurstKeys,
    "replay": ReplayKeys,
    "closed": ClosedKeys,
    "saturate": SaturateKeys,
}
PHASE_SHAPES = ("constant", "poisson", "steps", "ramp", "sine", "burst")

ONE, PHASES = "<one load>", "<phases>"
"""What pydantic calls the two ways to write a load; explain.py takes it out of paths."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _one_or_phases(value: Any) -> str:
    return PHASES if isinstance(value, list) and len(value) > 1 else ONE


def _as_written(made: Schema) -> Schema:
    """One load, or a list of open ones."""
    one, phases = made.get("oneOf") or made["anyOf"]
    return {"anyOf": [one["items"], phases]}


Loads = Annotated[
    Annotated[list[Annotated[LoadKeys, Field(discriminator="shape")]], Field(min_length=1), Tag(ONE)]
    | Annotated[
        list[Annotated[OpenKeys, Field(discriminator="shape")]], Field(max_length=_LIST_MOST), Tag(PHASES)
    ],
    Discriminator(_one_or_phases),
    BeforeValidator(_listed),
    AsSchema(_as_written),
]


def load_noun(keys: list[Any]) -> model.Load:
    """The validated load in the program's own noun; a list of one is just that load."""
    if len(keys) > 1:
        return model.Load(shape=model.CHAINED, phases=tuple(load_noun([part]) for part in keys))
    (load,) = keys
    given = {name: getattr(load, name) for name in type(load).model_fields}
    if isinstance(load, RampKeys):
        given["rates"] = (given.pop("start"), given.pop("end"))
    if isinstance(load, StepsKeys):
        given["rates"] = tuple(load.rates)
    return model.Load(**given)


def keys_of(shape: str) -> list[str]:
    """The keys that a load of this shape has, as they are written."""
    return [field.alias or name for name, field in LOAD_KEYS[shape].model_fields.items()]
