"""Settings of the WhatsApp channel."""

from typing import Annotated

from msgspec import Meta, Struct


class WhatsAppSettings(Struct, frozen=True, kw_only=True):
    """Served where `whatsapp_system` is set; then everything without a default is needed too."""

    whatsapp_system: str = ""
    """The system that complaints are for; empty: not served."""
    whatsapp_verify_token: str = ""
    """What Meta sends when the webhook is set up in its dashboard; chosen by the operator."""
    whatsapp_app_secrets: str = ""
    """App secret that notifications are signed with: one, or two while it changes."""
    whatsapp_number_id: str = ""
    """Phone number id of the helpline's number, as the API names it; messages to others are counted and left."""
    whatsapp_token: str = ""
    """Access token with which replies are sent."""
    whatsapp_api: Annotated[
        str, Meta(pattern=r"\Ahttps?://\S+\Z", description="http(s)://..., the API's version at its end")
    ] = "https://graph.facebook.com/v23.0"
    """Where the API is."""
    whatsapp_timeout: Annotated[float, Meta(gt=0, le=20)] = 5.0
    """Seconds a reply may take; Meta itself waits for an answer to its POST no longer than some seconds."""
    whatsapp_hours: Annotated[int, Meta(ge=1, le=72)] = 24
    """How long an unfinished talk is kept: as long as Meta lets a business answer freely."""
    whatsapp_max_body: Annotated[int, Meta(ge=65_536)] = 3_145_728
    """Largest notification, bytes: Meta's are up to 3 MB, and one refused would come again for days."""
