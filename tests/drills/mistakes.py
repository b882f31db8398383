"""Faults somebody made: a wrong setting, a release that does not fit, a topic deleted; and how each is put right."""

import contextlib
import re
import signal
import threading
from collections.abc import Callable
from typing import Final

from confluent_kafka.admin import AdminClient

from agents.readmodel.folding import TOPICS as SHOWN
from schemas.registry import department_feed
from schemas.topics import ACCESS_READ
from streams.ids import case_id
from streams.profiles.load import departments
from tests.builds import ROOT, Change, environ
from tests.drills.ground import Ground
from tests.drills.load import SYSTEM
from tests.drills.strikes import Strike, old_cases, raise_escalation
from tests.waiting import until

PROFILE: Final = f"streams/profiles/{SYSTEM}"
NOT_SHOWN: Final = (Change("schemas/events.py", 'tag="case.routed.v1"', 'tag="case.sent-to.v1"'),)
ALWAYS_FAILS: Final = (
    Change(
        "streams/sla/stage.py",
        "    profile = profiles().get(fact.system)\n    if profile is None",
        "    profile = profiles()[fact.system.upper()]\n    if profile is None",
    ),
)
WANTS_MORE: Final = (
    Change(
        "schemas/commands.py",
        "    text: LongText\n    language: Language =",
        "    text: LongText\n    ward: Slug\n    language: Language =",
    ),
)
NO_OFFICE: Final = (
    Change(f"{PROFILE}/offices.toml", '{ unit = "district", post = "ddo"', '{ unit = "thana", post = "ddo"'),
)
PLACEHOLDER: Final = re.compile(r'"placeholder-(\w+)"')
FIRST_TEMPLATE: Final = 1107160000000000000
FORM: Final = "mobile-seva"
ACCOUNT: Final = {"NIVARAN_SMS_USERNAME": "drill", "NIVARAN_SMS_PASSWORD": "drill", "NIVARAN_SMS_SECURE_KEY": "drill"}
FORM_PATH: Final = "/esms/sendsmsrequestDLT"
PAUSE_S, RUN_S = 6.5, 1.0
REFUSALS: Final = 5
STEAL_S, GIVE_S = 0.95, 0.05
"""What is taken from a process, and what it is left, by turns."""
SLOW_MS: Final = 4000
ROOM: Final = "64mb"
MANY_OLD_CASES: Final = 5000


def start_with(ground: Ground, name: str, **settings: str) -> None:
    """Start a process with settings that are wrong; whether it is ready then is not waited for."""
    ground.set(name, **settings)
    ground.service(name).stop()
    ground.service(name).start()


def put_right(name: str, *variables: str) -> Strike:
    def hand(ground: Ground) -> None:
        ground.put_right(name, variables)

    hand.__doc__ = f"{' and '.join(variables)} of {name} as they should be."
    return hand


def sms_address(ground: Ground) -> None:
    """The sender has an address at which nobody listens."""
    start_with(ground, "worker-sms", NIVARAN_SMS_URL="http://127.0.0.1:9/messages")


def nobody_has_a_number(ground: Ground) -> None:
    """The file of officers' numbers has a head and no line."""
    (ground.fleet.home / "offices.csv").write_text("office,mobile\n")
    start_with(ground, "worker-sms", NIVARAN_OFFICES=str(ground.fleet.home / "offices.csv"))


def slow_and_one_at_a_time(ground: Ground) -> None:
    """The operator's gateway takes its time, and the sender makes one call at a time."""
    ground.control(delay_ms=SLOW_MS)
    start_with(ground, "worker-sms", NIVARAN_SMS_BOUND="1")


def elsewhere(ground: Ground) -> None:
    """The exporter alone is told of a Kafka and a Redis where none is."""
    start_with(ground, "exporter", NIVARAN_KAFKA="127.0.0.1:9", NIVARAN_REDIS_URL="redis://127.0.0.1:9/0")


def full(ground: Ground) -> None:
    """Redis may have no more memory than it has."""
    _memory(ground, "1kb")


def more_memory(ground: Ground) -> None:
    """Redis is given more memory (`--maxmemory`)."""
    _memory(ground, ROOM)


def _memory(ground: Ground, most: str) -> None:
    with ground.redis() as redis:
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", most)


# releases


def release(name: str, changes: tuple[Change, ...]) -> Strike:
    """A process is brought to a release that does not fit the others."""

    def strike(ground: Ground) -> None:
        ground.release(name, changes)
        start_with(ground, name)

    return strike


def right_release(name: str) -> Strike:
    def hand(ground: Ground) -> None:
        ground.put_right(name, environ())

    hand.__doc__ = f"NIVARAN_VERSION of {name} is that of the release before, or of those it works with."
    return hand


def another_form(ground: Ground) -> None:
    """The operator's gateway wants registered templates; the profile has placeholders for them."""
    sandbox = ground.service("sms-sandbox")
    sandbox.stop()
    ground.set("sms-sandbox", **ACCOUNT)
    sandbox.process.command = [*sandbox.process.command, "--format", FORM]
    sandbox.start()
    until(lambda: sandbox.ready, 60, what="the gateway is up in its other form")
    start_with(ground, "worker-sms", NIVARAN_SMS_FORMAT=FORM, NIVARAN_SMS_URL=sandbox.url + FORM_PATH, **ACCOUNT)


def templates(ground: Ground) -> None:
    """`sms.toml` of the profile has the operator's registered ids."""
    file = f"{PROFILE}/sms.toml"
    found = sorted(set(PLACEHOLDER.findall((ROOT / file).read_text("utf-8"))))
    registered = (str(FIRST_TEMPLATE + number) for number in range(len(found)))
    ground.release(
        "worker-sms",
        [Change(file, f'"placeholder-{old}"', f'"{new}"') for old, new in zip(found, registered, strict=True)],
    )


# topics


def a_feed_gone(ground: Ground) -> None:
    """A department's feed is deleted, and the case worker is started again: it ends with 78."""
    service = ground.service("worker-case")
    service.stop()
    _deleted(ground, department_feed(min(departments())))
    service.process.start()  # no supervisor: that it cannot go on is the fault


def a_topic_gone(ground: Ground) -> None:
    """A topic is deleted that the gateway writes to."""
    _deleted(ground, ACCESS_READ)


def _deleted(ground: Ground, topic: str) -> None:
    assert topic not in SHOWN, "states and the read model rest on it"
    admin = AdminClient({"bootstrap.servers": ground.fleet.kafka.bootstrap})
    admin.delete_topics([topic], operation_timeout=20)[topic].result(20)
    until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, what="the topic is gone")


# machines, channels, subscribers


def by_turns(
    ground: Ground, pause: Callable[[], None], resume: Callable[[], None], still_s: float, runs_s: float
) -> None:
    """From now on until the row is over something stands still and runs by turns."""
    over = ground.until_over()

    def run() -> None:
        while not over.is_set():
            pause()
            over.wait(still_s)
            resume()
            over.wait(runs_s)

    threading.Thread(target=run, name="by turns", daemon=True).start()


def pauses(ground: Ground) -> None:
    """Two of three machines stop their workers for longer than a session lasts, again and again."""
    process = ground.service("intake-1").process
    by_turns(ground, process.pause, process.resume, PAUSE_S, RUN_S)
    ground.join("intake", 0).wait_ready()

    def tell(number: int) -> None:
        with contextlib.suppress(IndexError, ProcessLookupError):
            ground.extras[-1].signal(number)

    by_turns(ground, lambda: tell(signal.SIGSTOP), lambda: tell(signal.SIGCONT), PAUSE_S, RUN_S)


def longer_sessions(ground: Ground) -> None:
    """NIVARAN_SESSION_TIMEOUT=30 and a NIVARAN_INSTANCE each for the workers of the role."""
    for number in (1, 2):
        ground.set(f"intake-{number}", NIVARAN_SESSION_TIMEOUT="30", NIVARAN_INSTANCE=f"intake-{number}")
    ground.dismiss()
    ground.join("intake", 1, NIVARAN_SESSION_TIMEOUT="30", NIVARAN_INSTANCE="intake-3")


def little_to_give(ground: Ground) -> None:
    """A register of old cases is loaded while the workers' machine has next to nothing to give them."""
    old_cases(ground, MANY_OLD_CASES)
    for name in ("case-1", "board-1"):
        process = ground.service(name).process
        by_turns(ground, process.pause, process.resume, STEAL_S, GIVE_S)


def refused_by_the_schema(ground: Ground) -> None:
    """A channel sends what the schema refuses."""
    assert ground.load is not None
    ground.load.changes = {"type": "complain"}


def the_channel_is_told(ground: Ground) -> None:
    """The answer names the field; the channel is mended, and a submission of one's own is taken."""
    assert ground.load is not None
    assert "type" in ground.load.refusal, ground.load.refusal
    ground.load.changes = {}
    until(lambda: ground.load is not None and ground.load.post() == 202, 30, what="a submission is taken")


def refuses_then_is_away(ground: Ground) -> None:
    """A subscriber will not have one case's record, which is put aside, and does not answer to the others."""
    refused = raise_escalation(ground, 1)
    ground.desk.answer = lambda call: 422 if call.event["data"]["case"] == refused else 503
    until(lambda: ground.desk.cases().count(refused) >= REFUSALS, 60, what="the record is put aside")
    raise_escalation(ground, 2)


def is_back(ground: Ground) -> None:
    """The endpoint takes records again."""
    ground.desk.calls.clear()
    ground.desk.answer = lambda _: 204


def the_rest_has_come(ground: Ground) -> None:
    """What was put aside has come too."""
    assert case_id("10", "call", "drill-1") in ground.desk.cases()
