"""SMS texts of a profile: which steps are told to whom, the registered form with its slots, how a text is filled."""

from collections.abc import Iterator
from string import Formatter
from typing import Final

from schemas.base import ClosingOutcome
from streams.profiles.profile import Profile
from streams.profiles.rules import Template
from streams.text import cut_clusters, segments

SLOTS: Final = {"case": "9" * 18, "due": "31/12/2026", "level": "9"}
"""What a template may name, each with a longest filling."""
SLOT: Final = "{#var#}"
"""How a slot is written in a registered template (domain.md D1, stated)."""
SLOT_LENGTH: Final = 30
"""Characters a slot takes, spaces included (domain.md D1, stated)."""
OUTCOMES: Final[tuple[ClosingOutcome, ...]] = ("satisfied", "satisfaction-unknown", "dissatisfied", "recorded")
STEPS: Final = frozenset({
    *(f"{step}.{audience}" for step in ("registered", "recorded", "escalated-time-out", "escalated-dissatisfaction")
      for audience in ("citizen", "officer")),
    *(f"{step}.citizen" for step in ("duplicate", "disposed", *(f"closed-{outcome}" for outcome in OUTCOMES))),
})  # fmt: skip
"""`<step>.<audience>` of every SMS that any system sends."""

Fault = str


def steps(profile: Profile) -> frozenset[str]:
    """`<step>.<audience>` of every SMS this system can come to send: those of its own rules too."""
    closing, levels = profile.closing, profile.levels
    own = {
        ("marked.officer",): profile.marking,
        ("proposed.officer", "returned.officer"): closing.special is not None or closing.approved_at is not None,
        ("closed-special.citizen",): closing.special is not None,
        ("closed-forced.citizen",): closing.forced != "forbidden",
        ("disposed-partial.citizen",): closing.partial,
        ("revived.officer", "revived.citizen"): any(each.dissatisfied == "revive" for each in levels),
        ("sent-up.officer", "sent-up.citizen"): any(each.sent_up_for for each in levels),
        ("sent-back.officer", "sent-back.citizen"): any(each.sends_back for each in levels),
    }
    return STEPS | {name for names, there in own.items() if there for name in names}


def registered(template: Template) -> str:
    """The text as it stands in the operator's register: every variable is one anonymous slot."""
    parts = Formatter().parse(template.text)
    return "".join(text + (SLOT if name is not None else "") for text, name, _, _ in parts)


def filled(template: Template, **values: str) -> str:
    """The text to send: each value cut to what a slot takes, never inside a grapheme cluster (akshara)."""
    for name, value in values.items():
        if len(value) > SLOT_LENGTH:
            values[name] = cut_clusters(value, SLOT_LENGTH)
    return template.text.format(**values)


def faults(profile: Profile) -> Iterator[Fault]:
    """What is wrong with the texts: a step nobody knows, a slot nobody fills, too long, or missing without a reason."""
    if profile.templates and profile.dlt is None:
        yield "sms.toml: dlt: no entity and header for the texts"
    known = steps(profile)
    for key, template in profile.templates.items():
        step, _, language = key.rpartition(".")
        if step not in known or language not in profile.languages:
            yield f"sms.toml: templates.{key}: no such step, audience and language"
            continue
        yield from (f"sms.toml: templates.{key}.text: {wrong}" for wrong in _wrong(template))
    yield from _unsaid(profile, known)


def _wrong(template: Template) -> Iterator[str]:
    try:
        strange = {slot for _, slot, _, _ in Formatter().parse(template.text) if slot is not None} - set(SLOTS)
    except ValueError as error:
        yield str(error)
        return
    if strange:
        yield f"no such slot {sorted(strange)}; there are {', '.join(SLOTS)}"
    elif segments(template.text.format(**SLOTS)) > 1 and not template.why_longer:
        yield "does not fit one SMS when it is filled, and why_longer gives no reason"


def _unsaid(profile: Profile, known: frozenset[str]) -> Iterator[Fault]:
    for step in profile.unsaid:
        if step not in known:
            yield f"sms.toml: unsaid.{step}: no such step and audience"
    if "hi" not in profile.languages or not profile.templates:
        return
    for step in sorted(known - set(profile.unsaid)):
        if f"{step}.hi" not in profile.templates:
            yield f"sms.toml: templates.{step}.hi: is missing; [unsaid] may say why"


def placeholder(template_id: str) -> bool:
    """Whether an id is one of ours, which no operator has registered."""
    return template_id.startswith("placeholder-")
