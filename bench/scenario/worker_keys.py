"""The keys below ``workers:``: one group of equal workers, or a list of groups."""

import os
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bench import model
from bench.scenario.fields import AsSchema, Duration, Keys, Size, duration
from bench.scenario.mistakes import shown

CONCURRENCY_MOST = 10_000
_DEFAULT_CONCURRENCY = 2
_CELERYS = "CELERY_"
"""Celery takes its broker, loader and more from variables that begin so, before it looks at its settings."""


def _concurrency(value: Any) -> int | str | None:
    if value is None or value == "auto":
        return value  # type: ignore[no-any-return]  # it was compared just now
    if type(value) is not int:
        hint = ". Write it without quotes, in digits" if isinstance(value, str) else ""
        raise ValueError(f"must be a whole number or auto, not {shown(value)}{hint}")
    if not 1 <= value <= CONCURRENCY_MOST:
        bound = "at least 1" if value < 1 else f"at most {CONCURRENCY_MOST}"
        raise ValueError(f"must be {bound}, not {shown(value)}")
    return value


def _variable(name: str) -> str:
    if name.startswith(_CELERYS):
        raise ValueError(
            "would overrule what the trial sets. Use the key that is meant for it, or `settings`"
        )
    return name


def _heartbeat(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None if value is not False else 0.0
    return duration(value)


_CONCURRENCY = AsSchema(
    lambda _: {"anyOf": [{"type": "integer", "minimum": 1, "maximum": CONCURRENCY_MOST}, {"const": "auto"}]}
)
_HEARTBEAT = AsSchema(lambda _: {"anyOf": [{"type": "boolean"}, {"type": "string"}]})


class WorkersKeys(Keys):
    """A group of equal `celery worker` processes."""

    name: str = Field(
        default="", max_length=40, description="What a group is called in a report", examples=["io"]
    )
    pool: Literal["prefork", "threads", "gevent", "eventlet", "solo"] = Field(
        default="prefork", description="How a worker runs several tasks at a time", examples=["gevent"]
    )
    concurrency: Annotated[Any, BeforeValidator(_concurrency), _CONCURRENCY] = Field(
        default=None,
        description="Tasks at a time in each node; 2 by default, 1 with solo; `auto`: as many as cores "
        "(Celery 5.7, prefork)",
        examples=[4],
    )
    autoscale: int | None = Field(
        default=None,
        ge=0,
        le=CONCURRENCY_MOST,
        description="Begin with so few and grow up to `concurrency` while there is work (`--autoscale`)",
        examples=[1],
    )
    prefetch: int = Field(
        default=4,
        ge=0,
        le=65_535,
        description="The prefetch multiplier: a node reserves prefetch × concurrency tasks; 0 = unlimited",
        examples=[1],
    )
    disable_prefetch: bool = Field(
        default=False, description="Reserve only what can start at once (Celery 5.6, Redis and Valkey)"
    )
    nodes: int = Field(default=1, ge=1, le=256, description="How many equal workers", examples=[2])
    queues: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default=[],
        max_length=100,
        description="The queues they consume from, see `routes`; by default all",
        examples=[["cpu", "celery"]],
    )
    max_tasks_per_child: int | None = Field(
        default=None, ge=1, description="A child is replaced after so many tasks (prefork)", examples=[100]
    )
    max_memory_per_child: Size | None = Field(
        default=None,
        description="A child is replaced after the task that made it grow above this (prefork)",
        examples=["200MiB"],
    )
    pool_start_method: Literal["fork", "spawn"] | None = Field(
        default=None, description="How prefork starts a child (Celery 5.7)"
    )
    soft_time_limit: Duration | None = Field(
        default=None, description="A task gets an exception after this long (prefork)", examples=["30s"]
    )
    time_limit: Duration | None = Field(
        default=None, description="A task is ended after this long (prefork, gevent)", examples=["60s"]
    )
    events: bool = Field(default=False, description="Send task events, as for a monitor (`-E`)")
    gossip: bool = Field(default=False, description="Listen to the other workers' events")
    mingle: bool = Field(default=False, description="Ask the other workers for their state at the start")
    heartbeat: Annotated[float | None, BeforeValidator(_heartbeat), _HEARTBEAT] = Field(
        default=None,
        description="Whole seconds between a worker's signs of life, `false`: none; by default Celery's 2 s",
        examples=["5s"],
    )
    cpus: list[Annotated[int, Field(ge=0)]] = Field(
        default=[], max_length=1024, description="The cores they may run on; by default all", examples=[[0]]
    )
    env: dict[Annotated[str, AfterValidator(_variable)], str] = Field(
        default={},
        description="Environment variables of these workers, none that begins with `CELERY_`",
        examples=[{"TZ": "UTC"}],
    )


def workers_noun(keys: WorkersKeys) -> model.Workers:
    """The validated group in the program's own noun."""
    auto = keys.concurrency == "auto"
    concurrency = len(keys.cpus or os.sched_getaffinity(0)) if auto else keys.concurrency
    given = {name: getattr(keys, name) for name in type(keys).model_fields}
    given["autoscale_from"] = given.pop("autoscale")
    if keys.max_memory_per_child is not None:
        given["max_memory_per_child"] = round(keys.max_memory_per_child)
    return model.Workers(
        **{
            **given,
            "concurrency": concurrency or (1 if keys.pool == "solo" else _DEFAULT_CONCURRENCY),
            "auto": auto,
            "queues": tuple(keys.queues),
            "cpus": tuple(keys.cpus),
        }
    )
