"""The sandbox of each format, in one table; an account's settings are those of the sender that calls it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from agents.settings import load
from agents.sms.mobile_seva import MobileSevaSettings
from agents.sms.nic import NicSettings
from agents.sms.sandboxes.form import Form, registered_headers
from agents.sms.sandboxes.mobile_seva import MobileSevaForm
from agents.sms.sandboxes.nic import NicForm

FORMS: Final[Mapping[str, Callable[[str], Form]]] = MappingProxyType(
    {
        "mobile-seva": lambda header: MobileSevaForm(load(MobileSevaSettings), registered_headers(header)),
        "nic": lambda header: NicForm(load(NicSettings), registered_headers(header)),
    }
)
"""Made with one more registered sender name; raises SettingsError for what the account lacks."""
