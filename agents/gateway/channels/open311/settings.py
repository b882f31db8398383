"""Settings of the Open311 channel: it is served where NIVARAN_OPEN311_URL says under which address clients reach it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agents.settings import SettingsError, load
from schemas.base import Channel


class Open311Settings(Struct, frozen=True):
    """What an operator decides of it."""

    open311_url: Annotated[
        str, Meta(pattern=r"\A(https?://\S*[^/\s])?\Z", description="an address such as https://host/open311/v2")
    ] = ""
    """The endpoint as clients reach it, for the discovery document; empty: the channel is not served."""
    open311_contact: str = ""
    """How somebody asks about the endpoint, for the discovery document; needed where the channel is served."""
    open311_key_service: str = ""
    """How somebody gets an api_key, for the discovery document; needed where the channel is served."""
    open311_type: Literal["production", "test"] = "production"
    """`test`: the discovery document says that nobody acts on what is sent."""
    open311_channel: Channel = "portal"
    """The channel under which its submissions are counted: Open311 clients are portals and apps."""
    open311_reading: Literal["key", "open"] = "key"
    """`open`: requests are read without api_key, as the page has it; of restricted ones no more than how they stand."""
    open311_media: Annotated[
        str, Meta(pattern=r"\A(https?://\S+/)?\Z", description="an address that ends with a slash")
    ] = ""
    """Where clients put pictures: a media_url below it is kept as a reference. Empty: none is."""
    open311_window: Annotated[int, Meta(ge=1, le=3600)] = 600
    """Seconds in which the same body of the same client, sent without a key of its own, is the same request."""


def open311_settings(environ: Mapping[str, str] | None) -> Open311Settings | None:
    """None where the channel is not served; raises SettingsError naming the variable."""
    found = load(Open311Settings, environ)
    if not found.open311_url:
        return None
    for name in ("open311_contact", "open311_key_service"):
        if not getattr(found, name):
            raise SettingsError(f"NIVARAN_{name.upper()} is not set: the discovery document of Open311 has to say it")
    return found
