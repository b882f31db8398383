"""Settings of the telephony channel."""

from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from agents.settings import SettingsError

PUBLISHED: Final = (
    "call=CallSid,caller=CallFrom,direction=Direction,outcome=CallType,recording=RecordingUrl,"
    "started=StartTime,seconds=DialCallDuration,sha256=sha256,key=key"
)


class IvrSettings(Struct, frozen=True, kw_only=True):
    """Served where `ivr_system` is set; then keys are needed too."""

    ivr_system: str = ""
    """The system whose helpline is called; empty: not served."""
    ivr_keys: str = ""
    """Shared keys, of which the provider sends one as the parameter `key`: one, or two while it changes them."""
    ivr_parameters: str = PUBLISHED
    """How the provider names the parameters; what is given replaces only what it names."""
    ivr_incoming: str = "incoming"
    """What the direction of a citizen's call is called."""
    ivr_missed: str = "call-attempt,client-hangup,incomplete,no-answer,busy,failed"
    """Outcomes of a call that nobody answered, comma separated."""
    ivr_recordings: Annotated[
        str, Meta(pattern=r"\A(https?://[^\s?#]+/)?\Z", description="http(s)://host/path/, a slash at its end")
    ] = ""
    """Where the provider keeps recordings: others are not fetched; empty: recordings are not taken."""
    ivr_recordings_login: str = ""
    """`user:password` for that place, where it needs one."""
    ivr_store: Annotated[str, Meta(pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=64)] = "telephony"
    """Name of that place in references to recordings."""
    ivr_timeout: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Seconds that fetching a recording may take."""
    ivr_largest: Annotated[int, Meta(ge=1_000_000)] = 64_000_000
    """Largest recording, bytes."""
    ivr_days: Annotated[int, Meta(ge=1, le=366)] = 90
    """How long a call is known by its id, and the reference to its recording; a call to return stays until it is."""


class Names(NamedTuple):
    """How the provider names the parameters."""

    call: str
    caller: str
    direction: str
    outcome: str
    recording: str
    started: str
    seconds: str
    sha256: str
    key: str


def names_of(text: str) -> Names:
    """Raises SettingsError for a name that is none of these, or is empty."""
    usual, given = _pairs(PUBLISHED), _pairs(text)
    if unknown := given.keys() - usual.keys():
        raise SettingsError(f"NIVARAN_IVR_PARAMETERS: no {min(unknown)!r}; there are {', '.join(usual)}")
    if not all(given.values()):
        raise SettingsError("NIVARAN_IVR_PARAMETERS: each is name=parameter, comma separated")
    return Names(**(usual | given))


def _pairs(text: str) -> dict[str, str]:
    return {name.strip(): value.strip() for name, _, value in (each.partition("=") for each in text.split(",") if each)}
