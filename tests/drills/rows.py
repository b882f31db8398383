"""The drills, row by row: the fault, the alerts it must set off, and what the pages of these say to do."""

from collections.abc import Callable
from typing import Final, NamedTuple

from tests.drills import mistakes as m
from tests.drills import strikes as s
from tests.drills.disk import Disk
from tests.drills.ground import Ground

Hand = str | Callable[[Ground], None]
"""A command of the page of one of the alerts, or what somebody does that is no command: its docstring says it."""


class Row(NamedTuple):
    """`after`: how many seconds at most until all of `alerts` fire; `over`: until none of them does."""

    fault: str
    alerts: tuple[str, ...]
    strike: s.Strike
    do: tuple[Hand, ...]
    brokers: int = 1
    after: float = 90.0
    over: float = 180.0
    root: bool = False

    @property
    def void(self) -> str:
        """Why it cannot be done here; empty when it can."""
        return "only root can mount a disk of limited size" if self.root and not Disk.possible() else ""


UP: Final = "docker compose --profile app up -d worker-case"
KAFKA: Final = "docker compose up -d kafka"
HANGS: Final = "docker compose restart kafka"
REDRIVE: Final = "nivaran dlq redrive --error-class invalid"

ROWS: Final = (
    Row("exporter stopped", ("NivaranExporterAbsent",), s.stop("exporter"),
        ("docker compose --profile observability up -d exporter",)),
    Row("exporter stopped, its machine gone", ("NivaranExporterAbsent",), s.stop("exporter"),
        ("nivaran exporter --port 9308",)),
    Row("exporter with wrong addresses", ("NivaranExporterBlind",), m.elsewhere,
        (m.put_right("exporter", "NIVARAN_KAFKA", "NIVARAN_REDIS_URL"),
         "docker compose --profile observability up -d exporter")),
    Row("worker `case` stopped", ("NivaranClockAbsent", "NivaranPartitionsUnowned"), s.stop("worker-case"), (UP,)),
    Row("worker `case` stopped, its machine gone", ("NivaranClockAbsent", "NivaranPartitionsUnowned"),
        s.stop("worker-case"), ("nivaran worker case",)),
    Row("a department's feed deleted, worker `case` started again", ("NivaranTargetDown",), m.a_feed_gone,
        ("nivaran topics verify", "nivaran topics apply", "docker compose up -d worker-case")),
    Row("worker `sla` frozen", ("NivaranTargetDown", "NivaranPartitionsUnowned"), s.freeze("worker-sla"),
        ("docker compose restart worker-sla",)),
    Row("one of two workers `intake` stopped", ("NivaranStandbyLost",), s.stop("intake-2"),
        ("docker compose --profile app up -d --scale worker-intake=2",)),
    Row("one of two workers `intake` stopped, its machine gone", ("NivaranStandbyLost",), s.stop("intake-2"),
        ("nivaran worker intake",)),
    Row("worker `sla` of a release that fails at every record", ("NivaranLagStuck", "NivaranRestarts"),
        m.release("worker-sla", m.ALWAYS_FAILS), (m.right_release("worker-sla"), "docker compose up -d worker-sla")),
    Row("worker `case` of a release that wants a field more", ("NivaranDeadLetters", "NivaranDeadLetterRatio"),
        m.release("worker-case", m.WANTS_MORE),
        ("nivaran dlq list", m.right_release("worker-case"), "docker compose up -d worker-case", f"{REDRIVE} --dry-run",
         REDRIVE), over=240),
    Row("a profile without the office of a level", ("NivaranFallbackRouting",), m.release("worker-case", m.NO_OFFICE),
        ("nivaran profile show up-1076", m.right_release("worker-case"), "docker compose up -d worker-case"), over=300),
    Row("a complaint above the last level", ("NivaranFallbackRouting",), s.above_the_last_level,
        ("nivaran profile show up-1076",), over=300),
    Row("sender with a wrong contact key", ("NivaranSmsRefused",), s.contact_key,
        (s.right_contact_key, "docker compose up -d worker-sms"), after=150),
    Row("officers without numbers", ("NivaranSmsRefused",), m.nobody_has_a_number,
        (m.put_right("worker-sms", "NIVARAN_OFFICES"), "docker compose up -d worker-sms"), after=150),
    Row("placeholders where the operator wants registered templates", ("NivaranSmsRefused",), m.another_form,
        (m.templates, "nivaran profile show up-1076 --all", "docker compose up -d worker-sms"), after=150),
    Row("a wrong address of the SMS gateway", ("NivaranSmsGatewayAway",), m.sms_address,
        (m.put_right("worker-sms", "NIVARAN_SMS_URL"), "docker compose up -d worker-sms")),
    Row("a slow SMS gateway, called once at a time", ("NivaranOfficerSmsLate",), m.slow_and_one_at_a_time,
        (m.put_right("worker-sms", "NIVARAN_SMS_BOUND"), "docker compose up -d worker-sms"), after=240, over=300),
    Row("SMS sandbox stopped", ("NivaranSmsGatewayAway", "NivaranOfficerSmsLate"), s.stop("sms-sandbox"),
        (s.answer_again,), over=300),
    Row("a subscriber answers 410", ("NivaranSubscriberAway",), s.gone, (s.raise_revision,)),
    Row("a subscriber refuses a record and is away", ("NivaranSubscriberAway",), m.refuses_then_is_away,
        (m.is_back, "nivaran webhooks redrive desk", m.the_rest_has_come), after=240),
    Row("a board of the release before", ("NivaranBoardUnreadable",), m.release("worker-board", m.NOT_SHOWN),
        (m.right_release("worker-board"), "docker compose up -d worker-board", "nivaran rebuild board --replace")),
    Row("150 records that are no commands", ("NivaranDeadLetters", "NivaranDeadLetterRatio"), s.poison(s.POISON),
        ("nivaran dlq list", f"{REDRIVE} --dry-run"), over=240),
    Row("a consumer group with a number in its name", ("NivaranLabelOverflow",), s.stranger, (s.delete_stranger,)),
    Row("gateway killed three times", ("NivaranRestarts",), s.kill_thrice, ("nivaran topics verify",)),
    Row("members of `intake` join and leave without end", ("NivaranRebalancing",), s.come_and_go, (s.dismiss,)),
    Row("machines that stop their workers again and again", ("NivaranRebalancing",), m.pauses,
        (m.longer_sessions, "docker compose up -d worker-intake"), after=150),
    Row("Redis flushed", ("NivaranBoardRebuilt",), s.flush_redis, ("nivaran audit",), over=300),
    Row("worker `board` frozen for over a minute",
        ("NivaranReadModelStale", "NivaranLagStuck", "NivaranLagSeconds"), s.freeze("worker-board"),
        ("docker compose restart worker-board",), after=150),
    Row("Redis killed", ("NivaranBoardRedisAway", "NivaranExporterBlind", "NivaranGatewayWithoutRedis"), s.kill_redis,
        ("docker compose up -d redis",)),
    Row("Redis full", ("NivaranBoardRedisAway", "NivaranGatewayWithoutRedis"), m.full, (m.more_memory,)),
    Row("an old register loaded, one wake at a time",
        ("NivaranEventsLate", "NivaranEscalationsLate", "NivaranTimersOverdue", "NivaranClockStopped"), s.old_register,
        (m.put_right("worker-case", "NIVARAN_WAKE_BOUND", "NIVARAN_COMMIT_GAP_MS"),
         "docker compose up -d worker-case"), after=300, over=300),
    Row("an old register loaded, on a machine with little to give",
        ("NivaranTimersOverdue", "NivaranClockStopped", "NivaranLagSeconds", "NivaranReadModelStale"), m.little_to_give,
        ("nivaran worker case", "nivaran worker board"), after=300, over=420),
    Row("Kafka frozen while a worker recovers", ("NivaranRecoveryStalled", "NivaranWorkerNotReady"),
        s.freeze_in_recovery, (HANGS,)),
    Row("Kafka frozen", ("NivaranTransactionOpen", "NivaranGatewayKafkaAway", "NivaranIntakeNotDurable"),
        s.freeze_kafka, (HANGS,), over=300),
    Row("Kafka killed", ("NivaranGatewayKafkaAway",), s.kill_kafka, (KAFKA,)),
    Row("a topic of the gateway's deleted", ("NivaranGatewayKafkaAway",), m.a_topic_gone, ("nivaran topics apply",)),
    Row("no channel sends anything", ("NivaranNoIntake",), s.no_complaints, (s.complaints_again,), after=240),
    Row("a channel sends what the schema refuses", ("NivaranNoIntake",), m.refused_by_the_schema,
        (m.the_channel_is_told,), after=240),
    Row("disk of the broker's volume 95 % full", ("NivaranDiskAlmostFull",), s.fill(0.95), (s.more_room,), root=True),
    Row("disk fills", ("NivaranDiskFilling",), s.fill_slowly, ("nivaran dlq list", s.more_room), after=240,
        root=True),
    Row("Alertmanager killed", ("Watchdog",), s.kill_alertmanager,
        ("docker compose --profile observability up -d",), over=150),
    Row("one of three brokers killed",
        ("NivaranBrokerMissing", "NivaranUnderReplicated", "NivaranPartitionWithoutLeader"), s.kill_a_broker, (KAFKA,),
        brokers=3),
    Row("one of three brokers frozen", ("NivaranUnderReplicated",), s.freeze_a_broker, (HANGS,), brokers=3),
    Row("SMS sandbox takes messages and never answers", ("NivaranSmsUnknown",), s.take_and_be_silent,
        (s.ask_the_operator,), after=1500, over=300),
)  # fmt: skip
"""Watchdog fires when all is well: of it the seconds are those until it was missing, and back. A message is given up as
unknown after six calls in a quarter of an hour and more, which are real time."""
