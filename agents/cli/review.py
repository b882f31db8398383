"""`nivaran review`: samples that anybody can draw again, and what was found in their cases."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

import click
import msgspec
from msgspec.structs import replace

from agents.cli.reviewing import (
    answered,
    as_of_option,
    district_of,
    from_option,
    month_option,
    present,
    profile_of,
    redis_option,
    sees_option,
    system_option,
)
from agents.cli.shared import json_option, kafka_option, print_json, settings_with
from agents.gateway.log import Entry
from agents.kafka_admin import ClusterError
from agents.loader.run import KafkaTarget, NotDurableError
from agents.readmodel.packs import closed_day, end_of, instant
from agents.readmodel.review import Registers
from agents.readmodel.source import Source
from schemas.base import Actor
from schemas.review import CalledBack, ReviewOutcome, StallingChecked
from schemas.topics import REVIEW_OUTCOMES
from streams.ids import digest
from streams.profiles.profile import Profile
from streams.review.sampling import LEAST_DAYS, Drawn, Purpose, disposed, draw, stalled
from streams.text import mask_numbers, nfc

TIMEOUT_S: Final = 10.0
ID_LENGTH: Final = 32
PURPOSES: Final[tuple[Purpose, ...]] = ("stalling", "call-back")
FINDINGS: Final = ("stalling", "in-order", "unclear")
ACTIONS: Final = ("none", "notice", "explanation-sought", "charge-sheet")
ANSWERS: Final = ("satisfied", "dissatisfied", "unreachable")


@click.group()
def review() -> None:
    """Draw samples that anybody can draw again, and record what was found.

    \b
    Example:
      nivaran review sample --system SYSTEM --district 159 --month 2026-01 --seed "January Kheri"
      nivaran review record --help
    """


class Asked:
    """What names a sample: the same words draw the same cases."""

    def __init__(
        self, profile: Profile, district: int | None, month: str, as_of: str | None, purpose: Purpose, least_days: int
    ) -> None:
        self.profile, self.month, self.as_of = profile, month, as_of
        self.districts = sorted(profile.districts) if district is None else [district_of(profile, district)]
        self.purpose, self.least_days = purpose, least_days

    async def draw(self, source: Source, seed: str, size: int) -> Drawn:
        """Draw from what the read model says as of the day's end."""
        registers, zone = Registers(source, self.profile.system, self.profile.zone), self.profile.zone
        day = await closed_day(registers, self.month, self.as_of, zone)
        start, end = instant(f"{self.month}-01", zone), end_of(day, zone)
        if self.purpose == "stalling":
            pending = [await registers.stays(district, end) for district in self.districts]
            return draw(stalled(chain(*pending), end, self.least_days), seed, size, day)
        ended = [await registers.ended(district, self.month) for district in self.districts]
        return draw(disposed(chain(*ended), start, end), seed, size, day)


seed_option: Final = click.option("--seed", required=True, help="Said aloud before anybody draws; 1 to 64 characters.")
size_option: Final = click.option("--size", type=click.IntRange(1, 10_000), default=10, show_default=True)
purpose_option: Final = click.option(
    "--for", "purpose", type=click.Choice(PURPOSES), default="stalling", show_default=True,
    help="Pending cases to be looked through for needless delay, or disposed ones whose citizens are called.",
)  # fmt: skip
least_option: Final = click.option(
    "--least-days", type=click.IntRange(0, 3650), default=LEAST_DAYS, show_default=True,
    help="For stalling: at their level so long (a default of ours).",
)  # fmt: skip
district_option: Final = click.option("--district", type=int, metavar="LGD", help="Default: the whole state.")


@review.command()
@system_option
@district_option
@month_option
@as_of_option
@seed_option
@size_option
@purpose_option
@least_option
@sees_option
@from_option
@redis_option
@kafka_option
@json_option
def sample(
    system: str,
    district: int | None,
    month: str,
    as_of: str | None,
    seed: str,
    size: int,
    purpose: Purpose,
    least_days: int,
    sees: tuple[str, ...],
    origin: str,
    redis_url: str | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Draw a sample: the same seed, day and log give the same cases in the same order, on any machine.

    Exit code: 0 drawn; 1 Redis or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran review sample --system SYSTEM --district 159 --month 2026-01 --as-of 2026-01-31 --seed "January Kheri"
    """
    asked = Asked(profile_of(system), district, month, as_of, purpose, least_days)
    drawn = answered(lambda source: asked.draw(source, seed, size), origin, redis_url, kafka)
    shown = [
        stay if asked.profile.visible(stay.restricted, frozenset(sees)) else replace(stay, case="restricted")
        for stay in drawn.stays
    ]
    if as_json:
        print_json({"sample": drawn.sample, "cases": shown})
        return
    about = drawn.sample
    click.echo(f"{len(drawn.stays)} of {about.population} cases as of {about.as_of}, seed {about.seed!r}")
    click.echo(f"population {about.digest}")
    for stay in shown:
        click.echo(f"{stay.case}  L{stay.level}  {stay.office}")


@review.command()
@system_option
@district_option
@month_option
@as_of_option
@seed_option
@size_option
@purpose_option
@least_option
@click.option("--case", "case", required=True, help="One of the sample's.")
@click.option("--finding", type=click.Choice(FINDINGS), help="Of a check for stalling.")
@click.option("--action", type=click.Choice(ACTIONS), default="none", show_default=True, help="What follows for it.")
@click.option("--answer", type=click.Choice(ANSWERS), help="Of a call back.")
@click.option("--text", help="In words; digit runs that could be a number of a person are masked.")
@click.option("--officer", required=True, help="The reviewer's opaque id.")
@click.option("--office", required=True, help="The reviewer's office.")
@from_option
@redis_option
@kafka_option
@json_option
def record(
    system: str,
    district: int | None,
    month: str,
    as_of: str | None,
    seed: str,
    size: int,
    purpose: Purpose,
    least_days: int,
    case: str,
    finding: str | None,
    action: str,
    answer: str | None,
    text: str | None,
    officer: str,
    office: str,
    origin: str,
    redis_url: str | None,
    kafka: str | None,
    as_json: bool,
) -> None:
    """Record what was found in one case of a sample; it is drawn again first, and a case that is not in it refused.

    The same outcome recorded again is the same record; another one takes its place in the register, the log keeps both.

    Exit code: 0 durable; 1 the case is not in the sample, or Redis or Kafka is away; 2 wrong usage.

    \b
    Example:
      nivaran review record --system SYSTEM --district 159 --month 2026-01 --as-of 2026-01-31 --seed "January Kheri" \\
        --case 108838367268258838 --finding stalling --action notice --officer o-77 --office collectorate@159
    """
    asked = Asked(profile_of(system), district, month, as_of, purpose, least_days)
    if (finding is None) == (answer is None) or (purpose == "stalling") != (finding is not None):
        raise click.UsageError("a check for stalling has a --finding, a call back (--for call-back) an --answer")
    drawn = answered(lambda source: asked.draw(source, seed, size), origin, redis_url, kafka)
    found = outcome(
        asked, drawn, case, finding or answer or "", action, text, Actor("officer", office, officer), present(kafka)
    )
    if found is None:
        raise click.ClickException(f"{case} is not among the {len(drawn.stays)} cases this seed draws")
    append([found], kafka)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found.id}  {case}  {finding or answer}")


def outcome(
    asked: Asked, drawn: Drawn, case: str, found: str, action: str, text: str | None, by: Actor, at: int
) -> ReviewOutcome | None:
    """The record of what was found at `at` (UTC ms); None where the case was not drawn."""
    stay = next((each for each in drawn.stays if each.case == case), None)
    if stay is None:
        return None
    about = drawn.sample
    key = digest(asked.purpose, about.seed, about.as_of, str(about.size), about.digest, case, length=ID_LENGTH)
    head = {
        "id": f"rev-{key}", "case": case, "at": at, "system": asked.profile.system,
        "district": stay.district, "department": stay.department, "level": stay.level, "office": stay.office,
        "sample": about, "by": by, "restricted": stay.restricted,
    }  # fmt: skip
    words = None if text is None else mask_numbers(nfc(text))
    if asked.purpose == "stalling":
        return msgspec.convert({**head, "finding": found, "action": action, "text": words}, StallingChecked)
    return msgspec.convert({**head, "answer": found, "text": words}, CalledBack)


def append(outcomes: Sequence[ReviewOutcome], kafka: str | None) -> None:
    """Write them; returns when every in-sync replica has them."""
    try:
        target = KafkaTarget(settings_with(kafka), TIMEOUT_S, "review")
        for each in outcomes:
            target.put(Entry(REVIEW_OUTCOMES, each.case, each.id, each, each.at, each.at))
        target.settle()
    except (ClusterError, NotDurableError) as fault:
        raise click.ClickException(f"Kafka: {fault}") from fault
