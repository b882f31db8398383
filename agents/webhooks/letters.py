"""Records a subscriber was not given: kept with their reason, and called again when somebody asks for it."""

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from agents.dead_letters import TIMEOUT_S, DeadLetter, read
from agents.runtime.envelope import DEAD, dead_letter_headers
from agents.runtime.ports import Received
from agents.runtime.producers import Confirmed, Written, client_config
from agents.settings import Settings
from agents.webhooks.subscriptions import Subscription
from schemas.topics import WEBHOOK_UNDELIVERED

SUBSCRIPTION: Final = DEAD + "subscription"


class KafkaLetters:
    """Writes to the topic of what was not delivered."""

    def __init__(self, settings: Settings) -> None:
        self._letters, self._prefix = Confirmed(settings, "letters-webhooks"), settings.group_prefix

    async def keep(self, record: Received, subscription: Subscription, error: str, reason: str) -> None:
        """Raise KafkaException or TimeoutError where Kafka has not got it."""
        now = time.time_ns() // 1_000_000
        headers = dead_letter_headers(record, group_of(self._prefix, subscription.name), error, reason, now)
        headers.append((SUBSCRIPTION, subscription.name.encode()))
        await self._letters.write([Written(WEBHOOK_UNDELIVERED, record.key, record.value, headers, record.timestamp)])

    async def close(self) -> None:
        """Once, when nothing is put aside any more."""
        await self._letters.close()


def group_of(prefix: str, name: str) -> str:
    """The consumer group of a subscription: each has its own, so that none waits for another."""
    return f"{prefix}-webhooks-{name}"


class Undelivered:
    """What one subscription was not given and has not been given since; oldest first in each partition."""

    def __init__(self, settings: Settings, name: str) -> None:
        """Raise KafkaException where Kafka is away."""
        self._settings, self._name = settings, name
        group = f"{group_of(settings.group_prefix, name)}-redrive"
        self._consumer = Consumer({**client_config(settings), "group.id": group, "enable.auto.commit": False})
        there = self._consumer.list_topics(WEBHOOK_UNDELIVERED, TIMEOUT_S).topics[WEBHOOK_UNDELIVERED].partitions
        places = [TopicPartition(WEBHOOK_UNDELIVERED, partition) for partition in there]
        self._next = {each.partition: each.offset for each in self._consumer.committed(places, TIMEOUT_S)}

    def __iter__(self) -> Iterator[DeadLetter]:
        """Raise ClusterError where Kafka is away or the topic is not there."""
        for letter in read(self._settings, [WEBHOOK_UNDELIVERED]):
            if letter.told("subscription") == self._name and letter.offset >= self._next.get(letter.partition, 0):
                yield letter

    def done(self, letter: DeadLetter) -> None:
        """It is delivered, or left for good: a second redrive passes it over."""
        place = TopicPartition(WEBHOOK_UNDELIVERED, letter.partition, letter.offset + 1)
        self._consumer.commit(offsets=[place], asynchronous=False)

    def close(self) -> None:
        self._consumer.close()
