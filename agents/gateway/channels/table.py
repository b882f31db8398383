"""The channels in one table; a channel whose settings are not given has no routes."""

from collections.abc import Callable, Mapping
from typing import Final

from agents.gateway.channels import pull_sms
from agents.gateway.channels.cloudevents.binding import cloudevents
from agents.gateway.channels.ivr import calls
from agents.gateway.channels.open311.routes import open311
from agents.gateway.channels.sms_reports import sms_reports
from agents.gateway.channels.whatsapp import webhook
from agents.gateway.routes import Route

Channel = Callable[[Mapping[str, str] | None], tuple[Route, ...]]
"""The routes of a channel under these environment variables (None: the process's own); raises SettingsError."""

CHANNELS: Final[tuple[Channel, ...]] = (
    calls.routes, cloudevents, open311, pull_sms.routes, sms_reports, webhook.routes,
)  # fmt: skip


def routes_of_channels(environ: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """Return what is served beside the API; raises SettingsError naming the variable."""
    return tuple(route for channel in CHANNELS for route in channel(environ))
