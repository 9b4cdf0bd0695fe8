"""Many messages at the price of one: Celery and kombu build each distinct task's message once, and copies
with fresh ids go to the broker in batches.

Loaded by the loader by its path; standard library and what the app brings. A copy differs from what
``apply_async`` would have sent in its task id (also as root, correlation and delivery id) and its sequence
number, and in nothing else.
"""

from collections.abc import Callable, Sequence
from copy import copy
from itertools import count
from typing import Any

BATCH = 500
"""Messages in one command: long enough that the call costs nothing, short enough that a reader may start."""
BATCH_BYTES = 1 << 20
"""Rather fewer messages in a command than more bytes than this."""

A_SEQ = 1_094_861_636
"""Stands for the sequence number in a message that is built to be copied (any number found once in it)."""
_NO_ID = "00000000-0000-4000-8000-"

Call = tuple[Any, Sequence[Any], dict[str, Any], dict[str, Any]]
"""task, positional and keyword arguments, options of ``apply_async``."""


def task_id(tag: str, seq: int) -> str:
    """The id of task ``seq``: the trial's 24 characters and the number in twelve hexadecimal digits."""
    return f"{tag}{seq & (1 << 48) - 1:012x}"


class Bulk:
    """Sends numbered calls. ``most``: how many at once are a batch."""

    most = BATCH

    def __init__(self, producer: Any, tag: str) -> None:
        self._tag, self._producer = tag, producer
        is_amqp = producer.connection.transport.driver_type == "amqp"
        self._template, self._send = (_amqp if is_amqp else _redis)(producer)
        self._made: dict[int, tuple[Make, int, Call]] = {}

    def send(self, first: int, calls: Sequence[Call]) -> None:
        """Publish tasks ``first``, ``first`` + 1, … as these calls; an equal call is the same object."""
        tag, made, room = self._tag, self._made, BATCH_BYTES
        batch: list[Any] = []
        for seq, call in enumerate(calls, start=first):
            known = made.get(id(call)) or self._make(call)
            room -= known[1]
            if room < 0 and batch:
                self._send(batch)
                batch, room = [], BATCH_BYTES - known[1]
            batch.append(known[0](f"{tag}{seq:012x}", seq))
        self._send(batch)

    def _make(self, call: Call) -> "tuple[Make, int, Call]":
        """What makes copies of the call's message, and its size; the call is kept, so that its id is."""
        found = (*self._template(call), call)
        self._made[id(call)] = found
        return found


Make = Callable[[str, int], Any]
"""task id, sequence number → one message as the broker's client wants it."""


def _built(producer: Any, call: Call, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How Celery and kombu call the channel's method ``name`` to publish this call; nothing is sent."""
    task, args, kwargs, options = call
    caught: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    channel = producer.channel
    own = vars(channel).get(name)  # a channel that waits for confirmations has a method of its own

    def catch(*args: Any, **kwargs: Any) -> None:
        caught.append((args, kwargs))

    setattr(channel, name, catch)
    try:
        headers = {"bench_seq": A_SEQ}
        task.apply_async(
            args, kwargs, task_id=task_id(_NO_ID, A_SEQ), headers=headers, producer=producer, **options
        )
    finally:
        if own is None:
            delattr(channel, name)
        else:
            setattr(channel, name, own)
    return caught[0]


Ways = tuple[Callable[[Call], tuple[Make, int]], Callable[[list[Any]], None]]
"""call → what makes copies of its message, and its size in bytes; and what sends a batch of such copies."""


def _redis(producer: Any) -> Ways:
    """Messages are JSON texts with three holes, pushed many at a time onto their list (one a priority)."""
    from kombu.utils.json import dumps

    channel = producer.channel

    def template(call: Call) -> tuple[Make, int]:
        (name, message), _ = _built(producer, call, "_put")
        key = channel._q_for_pri(name, channel._get_message_priority(message, reverse=False))
        text = dumps(message).replace("%", "%%")
        for hole, value in (
            ("%(id)s", task_id(_NO_ID, A_SEQ)),
            ("%(id)s", message["properties"]["delivery_tag"]),
            ("%(seq)d", str(A_SEQ)),
        ):
            text = text.replace(value, hole)
        return lambda task_id, seq: (key, text % {"id": task_id, "seq": seq}), len(text)

    def send(messages: list[Any]) -> None:
        lists: dict[str, list[str]] = {}
        for key, text in messages:
            lists.setdefault(key, []).append(text)
        with channel.conn_or_acquire() as client:
            for key, texts in lists.items():
                client.lpush(key, *texts)

    return template, send


def _amqp(producer: Any) -> Ways:
    """Messages are kombu's own objects, copied with other ids; the connection's buffer makes the batch."""
    channel = producer.channel

    def template(call: Call) -> tuple[Make, int]:
        (message,), options = _built(producer, call, "basic_publish")
        headers = message.properties["application_headers"]
        ids = [name for name, value in headers.items() if value == task_id(_NO_ID, A_SEQ)]

        def make(task_id: str, seq: int) -> tuple[Any, dict[str, Any]]:
            fresh = copy(message)
            own = {**headers, "bench_seq": seq, **dict.fromkeys(ids, task_id)}
            fresh.properties = {**message.properties, "application_headers": own, "correlation_id": task_id}
            return fresh, options

        return make, len(message.body)

    def send(messages: list[Any]) -> None:
        for message, options in messages:
            channel.basic_publish(message, **options)

    if channel.connection.confirm_publish:
        return template, _confirmed(producer.connection.channel())
    return template, send


def _confirmed(channel: Any) -> Callable[[list[Any]], None]:
    """Sends a batch and waits until the broker has confirmed all of it. By itself the client waits for each
    message, which takes ten times as long. On a channel of its own, where nobody else counts.
    """
    from amqp import spec
    from amqp.exceptions import MessageNacked

    channel.confirm_select()
    numbers, unconfirmed = count(1), set[int]()

    def heard(method: Any, number: int, and_all_before: bool) -> None:
        if method == spec.Basic.Nack:
            raise MessageNacked
        unconfirmed.difference_update(range(min(unconfirmed), number) if and_all_before else ())
        unconfirmed.discard(number)

    def send(messages: list[Any]) -> None:
        for message, options in messages:
            channel._basic_publish(message, **options)
            unconfirmed.add(next(numbers))
        while unconfirmed:
            channel.wait([spec.Basic.Ack, spec.Basic.Nack], callback=heard)

    return send
