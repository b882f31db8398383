"""What the review commands have in common: which system, district and month, and where the read model is read."""

import asyncio
import difflib
import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Final, TypeVar

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from agents.audit.board import ShadowSource, shadow
from agents.audit.kafka_log import KafkaLog
from agents.audit.log import LogError
from agents.cli.shared import settings_with
from agents.clock import ClockNotSetError, SimulatedClock, WallClock, clock_of
from agents.readmodel.packs import NotClosedError
from agents.readmodel.source import RedisSource, Source
from streams.profiles.load import profiles
from streams.profiles.profile import Profile

R = TypeVar("R")
SUGGESTED: Final = 3
CLOCK_S: Final = 10.0
"""How long simulated time may take to be read."""


def _month(_context: click.Context, parameter: click.Parameter, value: str) -> str:
    return _date(f"{value}-01", parameter, value)[:7]


def _day(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return None if value is None else _date(value, parameter, value)


def _date(text: str, parameter: click.Parameter, given: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.BadParameter(f"{given!r}: write it as {parameter.metavar}", param=parameter) from None


system_option: Final = click.option("--system", required=True, help="Of `nivaran profile list`.")
month_option: Final = click.option("--month", required=True, metavar="YYYY-MM", callback=_month)
as_of_option: Final = click.option(
    "--as-of",
    metavar="YYYY-MM-DD",
    callback=_day,
    help="Up to the end of this day; default: the month's last closed day.",
)
from_option: Final = click.option(
    "--from", "origin", type=click.Choice(["board", "log"]), default="board", show_default=True,
    help="The read model, or (slower, needs no Redis) a fold of the logs.",
)  # fmt: skip
sees_option: Final = click.option(
    "--sees", multiple=True, metavar="ROLE",
    help="A role in which the reader sees cases of restricted classes; of others the numbers are left out.",
)  # fmt: skip
redis_option: Final = click.option("--redis", "redis_url", metavar="URL", help="Default: NIVARAN_REDIS_URL.")


def profile_of(system: str) -> Profile:
    """Raises click.BadParameter naming the systems there are."""
    found = profiles().get(system)
    if found is None:
        raise click.BadParameter(f"no system {system!r}; there are {', '.join(profiles())}", param_hint="--system")
    return found


def district_of(profile: Profile, code: int) -> int:
    """Raises click.BadParameter naming the nearest codes."""
    if code not in profile.districts:
        near = sorted(profile.districts, key=lambda each: abs(each - code))[:SUGGESTED]
        names = ", ".join(f"{each} {profile.districts[each].name.en}" for each in near)
        raise click.BadParameter(f"{profile.system} has no district {code}; near are {names}", param_hint="--district")
    return code


def department_of(profile: Profile, slug: str) -> str:
    """Raises click.BadParameter naming what it may have meant."""
    if slug not in profile.departments:
        near = difflib.get_close_matches(slug, profile.departments, n=SUGGESTED, cutoff=0.3) or profile.departments
        raise click.BadParameter(f"no department {slug!r}; there are {', '.join(near)}", param_hint="--department")
    return slug


def answered(
    ask: Callable[[Source], Awaitable[R]], origin: str, redis_url: str | None = None, kafka: str | None = None
) -> R:
    """Ask the read model, or a fold of the logs; whatever is away or not closed ends the command with its words."""
    settings = settings_with(kafka)
    try:
        if origin == "log":
            return asyncio.run(_from(ask, ShadowSource(shadow(KafkaLog(settings.kafka, {})))))
        return asyncio.run(_redis(ask, redis_url or settings.redis_url))
    except (LogError, NotClosedError) as fault:
        raise click.ClickException(str(fault)) from fault
    except RedisError as fault:
        raise click.ClickException(
            f"Redis: {fault}. Is it up, is NIVARAN_REDIS_URL right? `--from log` needs none."
        ) from fault


async def _from(ask: Callable[[Source], Awaitable[R]], source: Source) -> R:
    return await ask(source)


async def _redis(ask: Callable[[Source], Awaitable[R]], url: str) -> R:
    redis: Any = Redis.from_url(url)
    try:
        return await ask(RedisSource(redis))
    finally:
        await redis.aclose()


def told(clock: WallClock | SimulatedClock) -> int:
    """The present instant; a simulated clock may take a moment to be read."""
    give_up = time.monotonic() + CLOCK_S
    while True:
        try:
            return clock.now()
        except ClockNotSetError as fault:
            if time.monotonic() > give_up:
                raise click.ClickException(str(fault)) from fault
            time.sleep(0.05)


def present(kafka: str | None) -> int:
    """The present instant, UTC ms, of the clock that the settings name."""
    clock = clock_of(settings_with(kafka))
    clock.start()
    try:
        return told(clock)
    finally:
        clock.stop()
