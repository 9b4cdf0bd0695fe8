"""The keys of a scenario file as pydantic models: their types, defaults and meaning.

The reference in docs/scenarios.md and the JSON Schema for editors are made from these.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, field_validator

from bench import measured, model
from bench.scenario.broker_keys import (
    BrokerKey,
    BrokerKeys,
    DeliveryKeys,
    MessagesKeys,
    broker_noun,
    messages_noun,
)
from bench.scenario.canvas_keys import BELOW, ENTRY_KEYS, Entry, entry_noun
from bench.scenario.fields import AsSchema, Duration, Keys
from bench.scenario.load_keys import LOAD_KEYS, Loads, load_noun
from bench.scenario.mistakes import did_you_mean, shown
from bench.scenario.variant_keys import VariantKeys, variant_noun
from bench.scenario.worker_keys import WorkersKeys, workers_noun


class WarmupKeys(Keys):
    """Tasks that run first and don't count."""

    tasks_per_slot: int = Field(
        default=2, ge=0, le=1000, description="How many for each slot (nodes × concurrency)"
    )


class LimitsKeys(Keys):
    """When a trial is given up as failed."""

    boot: Duration = Field(
        default=30.0, description="Time to get ready", examples=["30s"], json_schema_extra={"default": "30s"}
    )
    stall: Duration = Field(
        default=30.0,
        description="Time without a single task ending",
        examples=["30s"],
        json_schema_extra={"default": "30s"},
    )


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _text_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_ONE_OR_MORE_SCHEMA = AsSchema(lambda inner: {"anyOf": [inner["items"], inner]})


class SetupKeys(Keys):
    """What a cell of the matrix comes to."""

    variant: VariantKeys = Field(
        default=VariantKeys(),
        description="The environment that workers and loader run in; by default that of celery-bench",
        examples=[{"requirements": ["celery==5.6.*"]}],
        json_schema_extra={"default": {}},
    )
    app: str = Field(
        default="",
        description="Your Celery app as `celery -A` takes it, imported from the current folder; by default "
        "the one that holds the shipped tasks",
        examples=["proj.celery:app"],
    )
    broker: BrokerKey = Field(
        default=BrokerKeys(kind="valkey"),
        description="Where the tasks queue: `valkey`, `redis`, `rabbitmq`, or a mapping",
        examples=["valkey", {"url": "amqp://localhost"}],
        json_schema_extra={"default": "valkey"},
    )
    workers: Annotated[
        list[WorkersKeys],
        Field(min_length=1, max_length=64),
        BeforeValidator(_one_or_more),
        _ONE_OR_MORE_SCHEMA,
    ] = Field(
        default=[WorkersKeys()],
        description="The workers under test, or a list of groups with queues of their own",
        examples=[{"pool": "gevent", "concurrency": 100}],
        json_schema_extra={"default": {}},
    )
    routes: dict[str, Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default={},
        description="Task or pattern (`mail.*`) → queue; without a route a task goes to the queue `celery`",
        examples=[{"cpu.*": "cpu"}],
    )
    delivery: DeliveryKeys = Field(default=DeliveryKeys(), description="When a message counts as done")
    messages: MessagesKeys = Field(
        default=MessagesKeys(), description="What tasks and results look like on the wire"
    )
    settings: dict[str, Any] = Field(
        default={},
        description="Any other Celery setting by its name",
        examples=[{"task_track_started": True}],
    )
    workload: Annotated[
        list[Entry],
        Field(min_length=1, max_length=1000),
        BeforeValidator(_one_or_more),
        _ONE_OR_MORE_SCHEMA,
    ] = Field(
        description="The task or canvas to run, or a list of them mixed by weight",
        examples=[{"task": "io.sleep", "kwargs": {"seconds": 0.05}}],
    )
    load: Loads = Field(
        description="When tasks are published: a load, or a list of loads that follow one another",
        examples=[{"shape": "flood", "tasks": 400}],
    )
    warmup: WarmupKeys = Field(default=WarmupKeys(), description="Tasks that run first and don't count")
    limits: LimitsKeys = Field(default=LimitsKeys(), description="When a trial is given up as failed")


_EXPECT_SCHEMA = AsSchema(lambda inner: {"anyOf": [inner["items"], inner]})
_METRIC = AsSchema(lambda _: {"type": "string", "enum": list(measured.METRICS)})


class PriceKeys(Keys):
    """What a machine costs, in any currency."""

    core_hour: float = Field(default=0.0, ge=0, description="A core for an hour", examples=[0.04])
    gib_hour: float = Field(default=0.0, ge=0, description="A GiB of memory for an hour", examples=[0.005])


class HeadKeys(Keys):
    """What is asked, and how often."""

    question: str = Field(min_length=1, description="What you want to know, as a question")
    belief: str | None = Field(
        default=None, min_length=1, description="What people say, in their words; the run judges it"
    )
    metric: Annotated[str | None, _METRIC] = Field(
        default=None,
        description="The number that answers it; by default what suits the load, see below",
        examples=["makespan"],
    )
    repeats: int = Field(default=5, ge=1, le=10_000, description="Blocks: how often each cell runs")
    gates: list[str] = Field(
        default=[],
        description="What must hold: in every cell, in those it names, or between two of them",
        examples=[["makespan < 30s", "throughput[gevent] / throughput[prefork] > 2"]],
    )
    expect: Annotated[list[str], BeforeValidator(_text_or_more), _EXPECT_SCHEMA] = Field(
        default=[],
        description="What would be measured if the belief held, a condition or a list of them",
        examples=["throughput[gevent] / throughput[prefork] > 3"],
    )
    price: PriceKeys = Field(
        default=PriceKeys(),
        description="What the metric `cost` (of a million tasks) is computed from",
        examples=[{"core_hour": 0.04, "gib_hour": 0.005}],
        json_schema_extra={"default": {}},
    )

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str | None) -> str | None:
        if value is not None and value not in measured.METRICS:
            near = did_you_mean(value, measured.METRICS)
            near = (
                near if near.startswith("Did") else f"Known: {', '.join(measured.PLAIN_METRICS)}, p95(wait) …"
            )
            raise ValueError(f"{shown(value)} is not a metric. {near}")
        return value


SETUP_KEYS = tuple(SetupKeys.model_fields)
HEAD_KEYS = tuple(HeadKeys.model_fields)
TOP_KEYS = (
    *("question", "belief", "metric"),
    *SETUP_KEYS,
    *("variants", "matrix", "tune", "repeats", "gates", "expect", "price"),
)
MATRIX_WORDS = ("zip", "include", "exclude")


def to_setup(keys: SetupKeys) -> model.Setup:
    """The validated keys in the program's own nouns: SI units, defaults filled in."""
    delivery = {name: getattr(keys.delivery, name) for name in type(keys.delivery).model_fields}
    return model.Setup(
        variant=variant_noun(keys.variant),
        app=keys.app,
        broker=broker_noun(keys.broker),
        fleet=tuple(workers_noun(group) for group in keys.workers),
        routes=keys.routes,
        delivery=model.Delivery(**delivery),
        messages=messages_noun(keys.messages),
        settings=keys.settings,
        workload=tuple(map(entry_noun, keys.workload)),
        load=load_noun(keys.load),
        warmup_per_slot=keys.warmup.tasks_per_slot,
        limits=model.Limits(boot=keys.limits.boot, stall=keys.limits.stall),
    )


def default_at(path: tuple[str | int, ...]) -> Any:
    """What a key that the file leaves out stands for; None where there is no default."""
    value: Any = SetupKeys.model_construct()
    for step in path:
        if isinstance(value, list):
            value = value[0] if value else None
            if step == 0:
                continue
        value = getattr(value, str(step), None)
    if isinstance(value, BrokerKeys):
        return value.kind
    if isinstance(value, list):
        value = [
            v.model_dump(by_alias=True, exclude_defaults=True) if isinstance(v, BaseModel) else v
            for v in value
        ]
    return value.model_dump(by_alias=True, exclude_none=True) if isinstance(value, BaseModel) else value


PARTS: Mapping[str, tuple[str, tuple[type[Keys], ...]]] = {
    "variant": ("variant", (VariantKeys,)),
    "broker": ("broker", (BrokerKeys,)),
    "workers": ("workers.0", (WorkersKeys,)),
    "delivery": ("delivery", (DeliveryKeys,)),
    "messages": ("messages", (MessagesKeys,)),
    "workload": ("workload.0", tuple(ENTRY_KEYS.values())),
    **{f"workload.{below}": (f"workload.0.{below}", (keys,)) for below, keys in BELOW.items()},
    "load": ("load.0", tuple(LOAD_KEYS.values())),
    "warmup": ("warmup", (WarmupKeys,)),
    "limits": ("limits", (LimitsKeys,)),
}
"""Key at the top → the path and the models of what lies below it."""


def known_paths() -> Mapping[str, str]:
    """Every path a matrix or --set can name → its description, in the order of the file."""
    paths: dict[str, str] = {}
    for top, info in SetupKeys.model_fields.items():
        paths[top] = info.description or ""
        for prefix, models in below(top):
            for keys in models:
                for name, key in keys.model_fields.items():
                    paths.setdefault(f"{prefix}.{key.alias or name}", key.description or "")
    return paths


def below(top: str) -> list[tuple[str, tuple[type[Keys], ...]]]:
    """The paths that keys lie below, under this key at the top, with their models."""
    return [found for name, found in PARTS.items() if name.partition(".")[0] == top]
