"""The channels in one table; a channel whose settings are not given has no routes."""

from collections.abc import Callable, Mapping
from typing import Final

from agents.gateway.channels.sms_reports import sms_reports
from agents.gateway.routes import Route

Channel = Callable[[Mapping[str, str] | None], tuple[Route, ...]]
"""The routes of a channel under these environment variables (None: the process's own); raises SettingsError."""

CHANNELS: Final[tuple[Channel, ...]] = (sms_reports,)


def routes_of_channels(environ: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """Return what is served beside the API; raises SettingsError naming the variable."""
    return tuple(route for channel in CHANNELS for route in channel(environ))
