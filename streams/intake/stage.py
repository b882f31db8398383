"""The intake stage: folds one citizen's submissions into cases opened, duplicates linked, repeats and rejections."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple, assert_never

from msgspec.structs import replace

from schemas.base import Wake
from schemas.commands import LinkDuplicate, Register
from schemas.intake import IntakeRejected, IntakeRepeated, Submitted
from schemas.sla import Grain
from schemas.topics import CASE_COMMANDS, INTAKE_REJECTED, INTAKE_SUBMITTED
from streams.calendar import LATEST
from streams.intake.state import Citizen, Digests, content_digest, digests_of, id_digest, remembered, span_of
from streams.intake.validate import Fault, faults, instant_fault, text_fault, unknown_system
from streams.profiles.load import profiles
from streams.profiles.profile import Profile
from streams.stage import Origin, Output, Stage, Step
from streams.text import mask_numbers, nfc

Book = Callable[[], Mapping[str, Profile]]


def step(book: Book, citizen: Citizen | None, record: Submitted | Wake, origin: Origin) -> Step[Citizen]:
    """Fold one record into what is remembered of a citizen."""
    match record:
        case Wake():
            return Step(_woken(citizen, record), [])
        case Submitted():
            known = (citizen or Citizen()).at_instant(record.received_at)
            after, output = _submit(book(), known, normalised(record), origin)
            return Step(citizen if after == (citizen or Citizen()) else after, [output])
        case _:
            assert_never(record)


def normalised(submitted: Submitted) -> Submitted:
    """With its text in normal form and numbers masked; the gateway did so already, other writers may not."""
    text = mask_numbers(nfc(submitted.text))
    return submitted if text == submitted.text else replace(submitted, text=text)


def _woken(citizen: Citizen | None, wake: Wake) -> Citizen | None:
    """Forget the citizen when it is time; a stale or repeated wake changes nothing."""
    if citizen is None or citizen.forget_at() != wake.due_at:
        return citizen
    return None


def _submit(
    book: Mapping[str, Profile], citizen: Citizen, submitted: Submitted, origin: Origin
) -> tuple[Citizen, Output]:
    before = citizen.known(id_digest(submitted))
    if before is not None and before.content == content_digest(submitted):
        return citizen, _repeated(submitted, before.case, origin)
    found = _conflict() if before is not None else _faults(book, submitted)
    if found:
        return citizen, _rejected(submitted, found, origin)
    return _take(book[submitted.system].at(submitted.at), citizen, submitted, origin)


def _take(profile: Profile, citizen: Citizen, submitted: Submitted, origin: Origin) -> tuple[Citizen, Output]:
    """It is valid and new: link it, refuse it over the cap, or open a case."""
    digests = digests_of(submitted)
    original = citizen.original(digests.sameness, submitted.at, profile.intake.dedupe_ms)
    if original is not None and profile.intake.dedupe_ms > 0:
        linked = remembered(digests, submitted, profile, opened=False)
        return citizen.remember(linked), _linked(submitted, original.case)
    counted = citizen.remember(remembered(digests, submitted, profile, opened=True))
    for cap in caps(profile):
        span = span_of(submitted, profile, cap.grain)
        if citizen.opened_in(span.system, span.start_at, span.grain) >= cap.most:
            return citizen, _rejected(submitted, [Fault("mobile", cap.reason, cap.detail)], origin)
        counted = counted.count(span)
    return counted, _register(submitted, digests, profile)


class Cap(NamedTuple):
    """Most cases of one citizen in a local span."""

    grain: Grain
    most: int
    reason: str

    @property
    def detail(self) -> str:
        return f"{self.most} cases of one citizen a {self.grain}"


def caps(profile: Profile) -> Iterator[Cap]:
    """The caps of a profile, the shortest span first."""
    if profile.intake.daily_cap is not None:
        yield Cap("day", profile.intake.daily_cap, "number-blocked")
    if profile.intake.monthly_cap is not None:
        yield Cap("month", profile.intake.monthly_cap, "monthly-cap")


def _faults(book: Mapping[str, Profile], submitted: Submitted) -> list[Fault]:
    system = book.get(submitted.system)
    if system is None:
        return [unknown_system(submitted.system, book)]
    profile = system.at(submitted.at)
    found = list(
        faults(
            profile,
            submitted.case_type,
            submitted.category,
            submitted.place,
            submitted.language,
            submitted.against_level,
            channel=submitted.channel,
            source=submitted.source,
            spoken_language=submitted.spoken_language,
            at=min(submitted.at, LATEST - 1),
        )
    )
    others = (text_fault(submitted.text), instant_fault(max(submitted.at, submitted.received_at)))
    return [*found, *(fault for fault in others if fault is not None)]


def _conflict() -> list[Fault]:
    return [Fault("id", "conflict", "this submission id was used before with other content")]


def _register(submitted: Submitted, digests: Digests, profile: Profile) -> Output:
    command = Register(
        id=f"register-{submitted.case}-{digests.content}",
        case=submitted.case,
        at=submitted.at,
        system=submitted.system,
        case_type=submitted.case_type,
        channel=submitted.channel,
        category=submitted.category,
        place=submitted.place,
        citizen=submitted.citizen,
        text=submitted.text,
        language=submitted.language,
        contact=submitted.contact,
        against_level=submitted.against_level,
        source=profile.source_of(submitted.channel, submitted.source),
        spoken_language=submitted.spoken_language,
        external=submitted.external,
        attachments=submitted.attachments,
    )
    return Output(CASE_COMMANDS, submitted.case, command, submitted.at)


def _linked(submitted: Submitted, original: str) -> Output:
    command = LinkDuplicate(
        id=f"duplicate-{submitted.case}",
        case=original,
        at=submitted.at,
        duplicate=submitted.case,
        channel=submitted.channel,
    )
    return Output(CASE_COMMANDS, original, command, submitted.at)


def _repeated(submitted: Submitted, case: str, origin: Origin) -> Output:
    fact = IntakeRepeated(case=case, submission=submitted.id, system=submitted.system, at=submitted.at, cause=origin.id)
    return Output(INTAKE_REJECTED, case, fact, submitted.at)


def _rejected(submitted: Submitted, found: list[Fault], origin: Origin) -> Output:
    fact = IntakeRejected(
        case=submitted.case,
        submission=submitted.id,
        system=submitted.system,
        at=submitted.at,
        reason=found[0].reason,
        detail="; ".join(f"{fault.field}: {fault.detail}" for fault in found),
        cause=origin.id,
    )
    return Output(INTAKE_REJECTED, submitted.case, fact, submitted.at)


def stage(book: Book = profiles) -> Stage[Citizen]:
    """The stage over these profiles (those shipped, unless told otherwise)."""
    return Stage(
        name="intake",
        reads=INTAKE_SUBMITTED,
        writes=(CASE_COMMANDS, INTAKE_REJECTED),
        records=Submitted | Wake,
        state=Citizen,
        step=partial(step, book),
        wake_at=Citizen.forget_at,
    )


INTAKE: Final = stage()
