"""The keys below ``broker:``, ``delivery:`` and ``messages:``: the way of a task to its worker."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from bench import model
from bench.scenario.fields import AsSchema, Duration, Keys

URL_SCHEMES = ("redis", "rediss", "valkey", "valkeys", "amqp", "amqps", "pyamqp")
OF_APP = "app"
"""What to write for the broker, or the result store, of the user's own app."""


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
        description="A broker of your own, which is never flushed: redis, rediss, valkey or amqp; `app`: the "
        "one that your app names",
        examples=["redis://10.0.0.5:6379/3"],
    )
    queue: Literal["classic", "quorum"] = Field(
        default="classic", description="RabbitMQ's type of queue", examples=["quorum"]
    )
    persistent: bool | None = Field(
        default=None,
        description="Whether messages survive the broker's end: Redis and Valkey write every one to disk "
        "(`appendonly`; by default not), RabbitMQ its delivery mode (by default yes)",
        examples=[True],
    )
    pool_limit: int | None = Field(
        default=None, ge=0, description="Connections that a process keeps (`broker_pool_limit`)", examples=[1]
    )
    transport_options: dict[str, Any] = Field(
        default={},
        description="Options of kombu's transport (`broker_transport_options`)",
        examples=[{"socket_keepalive": True}],
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "BrokerKeys":
        if self.url is not None and self.kind is not None:
            raise ValueError("a broker has a kind or a URL, not both: the URL says the kind")
        return self


class DeliveryKeys(Keys):
    """When a message counts as done, and what happens to one that does not."""

    acks: Literal["early", "late"] | None = Field(
        default=None,
        description="Whether a message is acknowledged before its task runs or after; Celery's own is early",
        examples=["late"],
    )
    reject_on_worker_lost: bool | None = Field(
        default=None, description="Whether a task whose child died is queued again (with `acks: late`)"
    )
    visibility_timeout: Duration | None = Field(
        default=None,
        description="After this long Redis gives an unacknowledged message to another worker, the next time "
        "that kombu looks for such",
        examples=["1h"],
    )
    eta_task_limit: int | None = Field(
        default=None, ge=1, description="How many tasks with a `countdown` a worker holds", examples=[100]
    )
    max_priority: int | None = Field(
        default=None, ge=1, le=255, description="RabbitMQ: queues know so many priorities", examples=[10]
    )


class MessagesKeys(Keys):
    """What tasks and results look like on the wire, and where results are kept."""

    serializer: Literal["json", "msgpack", "pickle", "yaml"] | None = Field(
        default=None, description="How arguments and results are written; Celery's own is json"
    )
    compression: Literal["gzip", "bzip2", "lzma", "zlib", "brotli", "zstd"] | None = Field(
        default=None,
        description="How messages are compressed; by default not (to kombu `gzip` and `zlib` are one)",
        examples=["gzip"],
    )
    results: str = Field(
        default="",
        description="Where results are kept: `ignored` (by default, unless somebody waits for them or "
        "a chord counts them), `broker`, `rpc`, `sql` (a SQLite file), `server` (a second Valkey), `app`, or "
        "a URL",
        examples=["broker"],
        json_schema_extra={"default": "ignored"},
    )


def _broker(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"url": value} if "://" in value or value == OF_APP else {"kind": value}


_BROKER_SCHEMA = AsSchema(lambda inner: {"anyOf": [{"enum": [*model.BROKERS, OF_APP]}, inner]})

BrokerKey = Annotated[BrokerKeys, BeforeValidator(_broker), _BROKER_SCHEMA]


def broker_noun(keys: BrokerKeys) -> model.Broker:
    """The validated broker in the program's own noun."""
    ways: dict[str, Any] = {
        "port": keys.port,
        "queue": keys.queue,
        "persistent": keys.persistent,
        "pool_limit": keys.pool_limit,
        "options": keys.transport_options,
    }
    if keys.url is None or keys.url == OF_APP:
        return model.Broker(kind=keys.kind or "valkey", of_app=keys.url == OF_APP, **ways)
    kind, url = kind_of(keys.url), keys.url
    return model.Broker(kind=kind, url=_by_its_older_name(url), **ways)


def messages_noun(keys: MessagesKeys) -> model.Messages:
    """The validated messages in the program's own noun."""
    return model.Messages(
        serializer=keys.serializer, compression=keys.compression, results=_by_its_older_name(keys.results)
    )


def _by_its_older_name(url: str) -> str:
    """Celery and kombu know the protocol of Valkey as that of Redis only."""
    return re.sub(r"^valkey(s?)://", r"redis\1://", url)


def kind_of(url: str) -> str:
    """The kind of broker that answers at the URL."""
    scheme = url.partition("://")[0]
    return "rabbitmq" if "amqp" in scheme else "valkey" if scheme.startswith("valkey") else "redis"
