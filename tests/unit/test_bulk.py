"""A batch is confirmed as a whole, however RabbitMQ words its confirmations."""

from typing import Any

import pytest
from amqp import spec
from amqp.exceptions import MessageNacked

from bench.run.bulk import _confirmed


class Channel:
    """Confirms what was published with these answers: method, number, and all before it."""

    def __init__(self, *answers: tuple[Any, int, bool]) -> None:
        self.answers = list(answers)
        self.published: list[str] = []

    def confirm_select(self) -> None:
        assert not self.published

    def _basic_publish(self, message: str, **_: Any) -> None:
        self.published.append(message)

    def wait(self, methods: list[Any], callback: Any) -> None:
        method, *rest = self.answers.pop(0)
        assert method in methods
        callback(method, *rest)


ACK, NACK = spec.Basic.Ack, spec.Basic.Nack


def batch(size: int) -> list[tuple[str, dict[str, Any]]]:
    return [(f"m{n}", {}) for n in range(size)]


@pytest.mark.parametrize(
    "answers",
    [
        [(ACK, 3, True)],
        [(ACK, 1, False), (ACK, 2, False), (ACK, 3, False)],
        [(ACK, 3, False), (ACK, 2, True)],
        [(ACK, 2, True), (ACK, 3, False)],
    ],
)
def test_all_of_a_batch_is_waited_for(answers: list[tuple[Any, int, bool]]) -> None:
    channel = Channel(*answers, (ACK, 5, True))
    send = _confirmed(channel)
    send(batch(3))
    assert len(channel.published) == 3
    assert len(channel.answers) == 1, "no more was waited for than was needed"
    send(batch(2))
    assert channel.answers == []
    send([])


def test_a_message_that_is_refused_is_an_error() -> None:
    send = _confirmed(Channel((ACK, 1, False), (NACK, 2, False)))
    with pytest.raises(MessageNacked):
        send(batch(2))
