"""`nivaran officers applications`: what an application for a login needs of each officer who has none, unsealed."""

import asyncio
import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import click
import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agents.audit.kafka_log import KafkaLog
from agents.audit.log import Entry, LogError
from agents.cli.shared import json_option, kafka_option, print_json, settings_of
from agents.contact import Contacts, KeyFormatError, SealError
from agents.gateway.activities import watched
from agents.loader.officers import Person
from agents.readmodel.officer_reader import Area, OfficerReads
from agents.readmodel.officer_views import OfficerView
from agents.settings import Settings, SettingsError
from schemas.codec import decoder
from schemas.officers import ListOfficer, OfficerInput
from schemas.topics import OFFICER_ACTIVITY
from streams.officers.place import office_key

_decode: Final[Callable[[bytes], Any]] = decoder(OfficerInput)
_person: Final[Callable[[bytes], Person]] = decoder(Person)


class Application(Struct, frozen=True):
    """One officer without a login. Personal data: for whoever makes logins, and nobody else."""

    officer: str
    office: str
    designation: str
    status: str
    name: str
    mobile: str
    email: str


class Sealing(Settings, frozen=True, kw_only=True):
    """The keys that open what was sealed."""

    contact_key: str
    contact_key_previous: str = ""


def applications(entries: Iterable[Entry], waiting: Mapping[str, OfficerView], contacts: Contacts) -> list[Application]:
    """Of those who wait for a login, by officer id; the newest that was listed of each. Raises SealError."""
    sealed: dict[str, str] = {}
    for entry in entries:
        try:
            record = _decode(entry.value or b"")
        except msgspec.DecodeError:
            continue  # among the dead letters, with its reason
        if isinstance(record, ListOfficer) and record.officer in waiting and record.person is not None:
            view = waiting[record.officer]
            if record.system == view.system:
                sealed[record.officer] = record.person
    return [_application(waiting[name], sealed.get(name), contacts) for name in sorted(waiting)]


def _application(view: OfficerView, sealed: str | None, contacts: Contacts) -> Application:
    person = Person("", "", "")
    if sealed is not None:
        key = office_key(view.system, view.officer)
        person = _person(contacts.open_sealed(sealed, key, OFFICER_ACTIVITY).encode())
    told = (view.officer, view.office, view.designation, view.status)
    return Application(*told, person.name, person.mobile, person.email)


@click.command("applications")
@click.option("--system", type=click.Choice([profile.system for profile in watched()]), required=True)
@click.option("--district", type=int, help="LGD code; 0 for what stands above districts. Default: all.")
@click.option("--redis", "redis_url", metavar="URL", help="Default: NIVARAN_REDIS_URL.")
@kafka_option
@json_option
def applications_command(
    system: str, district: int | None, redis_url: str | None, kafka: str | None, as_json: bool
) -> None:
    """Print name, designation, mobile and e-mail of every officer without a login, as CSV: personal data.

    The persons are opened with NIVARAN_CONTACT_KEY (or the one before it, NIVARAN_CONTACT_KEY_PREVIOUS).

    Exit code: 0 printed; 1 Redis or Kafka is away, or a seal does not open; 2 a key is missing or wrong.

    \b
    Example:
      nivaran officers applications --system SYSTEM --district 159 > applications.csv
    """
    settings = settings_of(Sealing, kafka=kafka, redis_url=redis_url)
    try:
        contacts = Contacts.from_text(settings.contact_key, settings.contact_key_previous)
    except KeyFormatError as error:
        raise SettingsError(str(error)) from None
    area = Area(system, None if district is None else frozenset({district}))
    try:
        waiting = asyncio.run(_waiting(settings.redis_url, area))
        found = applications(KafkaLog(settings.kafka, {}).read(OFFICER_ACTIVITY), waiting, contacts)
    except (RedisError, LogError, SealError) as fault:
        raise click.ClickException(str(fault)) from fault
    if as_json:
        print_json({"system": system, "district": district, "rows": found})
    else:
        click.echo(as_csv(found), nl=False)


def as_csv(found: Iterable[Application]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Application.__struct_fields__)
    writer.writerows([getattr(each, name) for name in Application.__struct_fields__] for each in found)
    return text.getvalue()


async def _waiting(url: str, area: Area) -> dict[str, OfficerView]:
    redis = Redis.from_url(url)
    try:
        return {view.officer: view for view in await OfficerReads(redis).waiting(area)}
    finally:
        await redis.aclose()
