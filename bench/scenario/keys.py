"""The keys of a scenario file as pydantic models: their types, defaults and meaning.

The reference in docs/scenarios.md and the JSON Schema for editors are made from these.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from bench import model
from bench.scenario.fields import AsSchema, Duration, Keys
from bench.scenario.load_keys import LOAD_KEYS, Loads, load_noun
from bench.scenario.mistakes import did_you_mean, shown

URL_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "amqp", "amqps", "pyamqp")


class BrokerKeys(Keys):
    """A managed broker of a kind, or your own at a URL."""

    kind: Literal["valkey", "redis", "rabbitmq"] | None = Field(
        default=None,
        description="A private broker that is started and stopped for the run",
        examples=["redis"],
    )
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Its port; a free one by default", examples=[6390]
    )
    url: str | None = Field(
        default=None,
        description="A broker of your own, which is never flushed: redis, rediss, valkey or amqp",
        examples=["redis://10.0.0.5:6379/3"],
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "BrokerKeys":
        if self.url is not None and self.kind is not None:
            raise ValueError("a broker has a kind or a URL, not both: the URL says the kind")
        return self


class WorkersKeys(Keys):
    """The `celery worker` processes under test."""

    pool: Literal["prefork", "threads", "gevent", "eventlet", "solo"] = Field(
        default="prefork", description="How a worker runs several tasks at a time", examples=["gevent"]
    )
    concurrency: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Tasks at a time in each node; 2 by default, 1 with solo",
        examples=[4],
    )
    prefetch: int = Field(
        default=4,
        ge=0,
        le=65_535,
        description="The prefetch multiplier: a node reserves prefetch × concurrency tasks; 0 = unlimited",
        examples=[1],
    )
    nodes: int = Field(default=1, ge=1, le=256, description="How many equal workers", examples=[2])


class TaskKeys(Keys):
    """One kind of task in the mix."""

    task: str = Field(description="Name of the task", examples=["cpu.spin", "io.sleep"])
    args: list[Any] = Field(default=[], description="Positional arguments, as written", examples=[[5]])
    kwargs: dict[str, Any] = Field(
        default={}, description="Keyword arguments, as written", examples=[{"seconds": 0.05}]
    )
    weight: float = Field(
        default=1.0, gt=0, description="Share of the mix relative to the others", examples=[9]
    )


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


def _broker(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"url": value} if "://" in value else {"kind": value}


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


def _text_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_BROKER_SCHEMA = AsSchema(lambda inner: {"anyOf": [{"enum": list(model.BROKERS)}, inner]})
_WORKLOAD_SCHEMA = AsSchema(lambda inner: {"anyOf": [inner["items"], inner]})


class SetupKeys(Keys):
    """What a cell of the matrix comes to."""

    broker: Annotated[BrokerKeys, BeforeValidator(_broker), _BROKER_SCHEMA] = Field(
        default=BrokerKeys(kind="valkey"),
        description="Where the tasks queue: `valkey`, `redis`, `rabbitmq`, or a mapping",
        examples=["valkey", {"url": "amqp://localhost"}],
        json_schema_extra={"default": "valkey"},
    )
    workers: WorkersKeys = Field(default=WorkersKeys(), description="The workers under test")
    workload: Annotated[
        list[TaskKeys], Field(min_length=1, max_length=1000), BeforeValidator(_one_or_more), _WORKLOAD_SCHEMA
    ] = Field(
        description="The task to run, or a list of tasks mixed by weight",
        examples=[{"task": "io.sleep", "kwargs": {"seconds": 0.05}}],
    )
    load: Loads = Field(
        description="When tasks are published: a load, or a list of loads that follow one another",
        examples=[{"shape": "flood", "tasks": 400}],
    )
    warmup: WarmupKeys = Field(default=WarmupKeys(), description="Tasks that run first and don't count")
    limits: LimitsKeys = Field(default=LimitsKeys(), description="When a trial is given up as failed")


_EXPECT_SCHEMA = AsSchema(lambda inner: {"anyOf": [inner["items"], inner]})
_METRIC = AsSchema(lambda _: {"type": "string", "enum": list(model.METRICS)})


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
        default=[], description="What must hold in every cell", examples=[["makespan < 30s"]]
    )
    expect: Annotated[list[str], BeforeValidator(_text_or_more), _EXPECT_SCHEMA] = Field(
        default=[],
        description="What would be measured if the belief held, a condition or a list of them",
        examples=["throughput[gevent] / throughput[prefork] > 3"],
    )

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str | None) -> str | None:
        if value is not None and value not in model.METRICS:
            near = did_you_mean(value, model.METRICS)
            near = near if near.startswith("Did") else f"Known: {', '.join(model.PLAIN_METRICS)}, p95(wait) …"
            raise ValueError(f"{shown(value)} is not a metric. {near}")
        return value


SETUP_KEYS = tuple(SetupKeys.model_fields)
HEAD_KEYS = tuple(HeadKeys.model_fields)
TOP_KEYS = ("question", "belief", "metric", *SETUP_KEYS, "matrix", "repeats", "gates", "expect")
MATRIX_WORDS = ("zip", "include", "exclude")


def to_setup(keys: SetupKeys) -> model.Setup:
    """The validated keys in the program's own nouns: SI units, defaults filled in."""
    workers = keys.workers
    concurrency = workers.concurrency or (1 if workers.pool == "solo" else 2)
    return model.Setup(
        broker=broker_noun(keys.broker),
        workers=model.Workers(
            pool=workers.pool, concurrency=concurrency, prefetch=workers.prefetch, nodes=workers.nodes
        ),
        workload=tuple(
            model.TaskCall(task=t.task, args=tuple(t.args), kwargs=t.kwargs, weight=t.weight)
            for t in keys.workload
        ),
        load=load_noun(keys.load),
        warmup_per_slot=keys.warmup.tasks_per_slot,
        limits=model.Limits(boot=keys.limits.boot, stall=keys.limits.stall),
    )


def broker_noun(broker: BrokerKeys) -> model.Broker:
    """The validated broker in the program's own noun."""
    if broker.url is None:
        return model.Broker(kind=broker.kind or "valkey", port=broker.port)
    scheme = broker.url.partition("://")[0]
    kind = "rabbitmq" if "amqp" in scheme else "valkey" if scheme.startswith("valkey") else "redis"
    url = broker.url
    if kind == "valkey":  # kombu knows the protocol by its older name only
        url = "redis" + url.removeprefix("valkey")
    return model.Broker(kind=kind, url=url, port=broker.port)


def default_at(path: tuple[str | int, ...]) -> Any:
    """What a key that the file leaves out stands for; None where there is no default."""
    value: Any = SetupKeys.model_construct()
    for step in path:
        value = getattr(value, str(step), None)
    if isinstance(value, BrokerKeys):
        return value.kind
    return value.model_dump(by_alias=True, exclude_none=True) if isinstance(value, BaseModel) else value


def known_paths() -> Mapping[str, str]:
    """Every path a matrix or --set can name → its description, in the order of the file."""
    paths: dict[str, str] = {}
    parts: dict[str, tuple[str, tuple[type[Keys], ...]]] = {
        "broker": ("broker", (BrokerKeys,)),
        "workers": ("workers", (WorkersKeys,)),
        "workload": ("workload.0", (TaskKeys,)),
        "load": ("load.0", tuple(LOAD_KEYS.values())),
        "warmup": ("warmup", (WarmupKeys,)),
        "limits": ("limits", (LimitsKeys,)),
    }
    for top, (prefix, models) in parts.items():
        paths[top] = SetupKeys.model_fields[top].description or ""
        for keys in models:
            for name, key in keys.model_fields.items():
                paths.setdefault(f"{prefix}.{key.alias or name}", key.description or "")
    return paths
