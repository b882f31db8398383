"""Records that nobody can take, among those that everybody can: each is kept with its reason, nothing waits for it."""

from tests.faults.trial import Trial
from tests.live.harness import producer
from tests.live.stand import pause

DEEP = 20_000
HUGE = 900_000
GOOD = b'{"type":"toy.add.v1","amount":1,"at":1}'
CORPUS: tuple[tuple[bytes | None, bytes | None], ...] = (
    (b"k", b""),
    (b"k", None),
    (None, GOOD),
    (b"\xff\xfe", GOOD),
    (b"k", b"\x00" * 64),
    (b"k", b"{"),
    (b"k", b"[" * DEEP + b"]" * DEEP),
    (b"k", b'{"type":"toy.add.v1","amount":1,"at":1,"text":"' + b"x" * HUGE),
    (b"k", b'{"type":"toy.add.v1","amount":1,"at":1,"text":"\xc3\x28"}'),
    (b"k", b'{"type":"toy.add.v1","amount":1,"at":1,"text":"\\ud800"}'),
    (b"k", b'{"type":"toy.add.v1","amount":NaN,"at":1}'),
    (b"k", b'{"type":"toy.add.v1","amount":1e999,"at":1}'),
    (b"k", b'{"type":"toy.add.v1","amount":-1,"at":1}'),
    (b"k", b'{"type":"toy.add.v1","amount":"1","at":1}'),
    (b"k", b'{"type":"toy.add.v1","amount":null,"at":1}'),
    (b"k", b'{"type":"toy.add.v1","amount":1}'),
    (b"k", b'{"type":"toy.add.v2","amount":1,"at":1}'),
    (b"k", b'{"type":"toy.add.v1","type":"toy.forget.v1","at":"x"}'),
    (b"k", b'{"amount":1,"at":1}'),
    (b"k", b'{"type":7}'),
    (b"k", b"null"),
    (b"k", b"42"),
    (b"k", b'"toy.add.v1"'),
    (b"k", b"\xef\xbb\xbf" + GOOD),
    (b"k", GOOD + GOOD),
)
"""Bad UTF-8, huge, deep, NaN, a key twice, wrong types, nothing at all, tags that are unknown or of a later version."""


def poison(trial: Trial) -> None:
    stand = trial.stand
    [topic] = {stage.reads for stage in stand.flow.stages}
    sender = producer(trial.kafka.bootstrap)
    for number in range(trial.times):
        key, value = CORPUS[number % len(CORPUS)]
        sender.produce(topic, value, key, number % stand.flow.partitions)
        if number % len(CORPUS) == 0:
            sender.flush(20)
            pause(trial.draw, 0.5, 1.0)
    trial.struck = trial.times - sender.flush(20)
    trial.recovers()
