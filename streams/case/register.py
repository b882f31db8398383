"""The first record of a case: who owns it and until when; and what came before it."""

from collections.abc import Callable

from msgspec.structs import replace

from schemas.base import Place
from schemas.codec import decoder, encode
from schemas.commands import Action, LinkDuplicate, Register
from schemas.events import CaseRegistered, CaseRouted
from streams.case.decide import decide
from streams.case.route import start
from streams.case.state import Case, fingerprint
from streams.case.turn import Turn
from streams.profiles.due import due_at
from streams.profiles.profile import DAY_MS, Profile

HOLD_MS = DAY_MS
"""How long, in event time, a command waits for its registration: channels write to two topics, so it can be first."""

MOST_EARLY = 32

decode_early: Callable[[bytes], LinkDuplicate | Action] = decoder(LinkDuplicate | Action)


def opened(command: Register, profile: Profile) -> Case:
    """The case before its first fact."""
    return Case(
        id=command.case,
        status="recorded",
        system=command.system,
        policy=profile.version,
        case_type=command.case_type,
        category=command.category,
        department=profile.categories[command.category].department,
        district=command.place.district,
        units=command.place.units,
        citizen=command.citizen,
        language=command.language,
        contact=command.contact,
        channel=command.channel,
    )


def register(turn: Turn, command: Register, early: tuple[bytes, ...]) -> None:
    """Register and route; then take, in order of event time, what came before."""
    case, profile, at = turn.case, turn.profile, command.at
    place = Place(case.district, case.units)
    source = None if command.source is None else profile.intake_sources.get(command.source)
    restricted = profile.restriction(case.department, case.category)
    level, office = start(
        profile,
        case.department,
        place,
        command.against_level,
        first=1 if source is None else source.level,
        category=case.category,
        case_type=case.case_type,
    )
    rule = "registered" if command.against_level is None else "starts-above-the-officer-complained-of"
    turn.tell(
        CaseRegistered(
            *turn.head(rule, at, level=level, office=office.id),
            category=command.category,
            place=place,
            citizen=command.citizen,
            language=command.language,
            source=command.source,
            spoken_language=command.spoken_language,
            restricted=None if restricted is None else restricted[0],
            visible_to=() if restricted is None else restricted[1].roles,
            external=command.external,
            attachments=command.attachments,
        )
    )
    timed = command.case_type in profile.timed_types
    due = due_at(profile, level, turn.case.kind, at) if timed else None
    rule = "no-rule-names-an-owner" if office.fallback else "place-and-department"
    turn.tell(CaseRouted(*turn.head(rule, at, level=level, office=office.id), due_at=due, fallback=office.fallback))
    for each in sorted((decode_early(raw) for raw in early), key=lambda waiting: waiting.at):
        decide(turn, each)


def hold(case: Case | None, command: LinkDuplicate | Action) -> Case | None:
    """Let a command wait for its registration; None when too many wait already."""
    waiting = case or Case(id=command.case, status="expected", forget_at=command.at + HOLD_MS)
    if fingerprint(command.id) in waiting.seen:
        return waiting
    if len(waiting.early) >= MOST_EARLY:
        return None
    return replace(waiting, early=(*waiting.early, encode(command)), seen=(*waiting.seen, fingerprint(command.id)))
