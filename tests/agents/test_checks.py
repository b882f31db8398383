"""What a start makes of Kafka's silence: it asks again with a new client, and says so when the time is up."""

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException

from agents.runtime import checks
from agents.runtime.checks import ATTEMPTS, Needs, check_kafka
from agents.runtime.exits import Exit, NotReadyError
from agents.settings import Settings

SETTINGS = Settings(kafka="broker:9092", start_timeout=30)
NEEDS = Needs("nivaran-case", {}, frozenset(), ())
AWAY = KafkaException(KafkaError(KafkaError._TRANSPORT))
REFUSED = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))


def answering(monkeypatch: pytest.MonkeyPatch, answers: Sequence[Exception | None]) -> list[float]:
    """Answer the attempts so, one after the other; what is answered here are the limits they were given."""
    left, limits = list(answers), []

    def check(settings: Settings, _: Needs) -> None:
        limits.append(settings.start_timeout)
        if (fault := left.pop(0)) is not None:
            raise fault

    monkeypatch.setattr(checks, "_check", check)
    return limits


@pytest.mark.parametrize("first", [TimeoutError(), AWAY])
def test_a_question_that_was_forgotten_is_asked_again(monkeypatch: pytest.MonkeyPatch, first: Exception) -> None:
    limits = answering(monkeypatch, [first, None])
    check_kafka(SETTINGS, NEEDS)
    assert limits == [10, 10]


@pytest.mark.parametrize(("fault", "said"), [(TimeoutError(), "no answer in 30 s"), (AWAY, "_TRANSPORT")])
def test_silence_to_the_end_is_said(monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str) -> None:
    answering(monkeypatch, [fault] * ATTEMPTS)
    with pytest.raises(NotReadyError, match=f"Kafka at broker:9092: .*{said}") as told:
        check_kafka(SETTINGS, NEEDS)
    assert told.value.code == Exit.UNAVAILABLE


def test_what_time_does_not_change_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = answering(monkeypatch, [REFUSED])
    with pytest.raises(NotReadyError, match="TOPIC_AUTHORIZATION_FAILED") as told:
        check_kafka(SETTINGS, NEEDS)
    assert (len(limits), told.value.code) == (1, Exit.NOT_SET_UP)
