"""Which gateway a format is, in one table: how it is made, and whether it honours an idempotency key."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from agents.settings import SettingsError, load
from agents.sms import mobile_seva, nic
from agents.sms.form_gateway import Form, FormGateway
from agents.sms.gateway import Answer, Gateway, Message
from agents.sms.generic import HttpGateway
from agents.sms.mobile_seva import MobileSevaSettings
from agents.sms.nic import NicSettings
from agents.sms.settings import Format, SmsSettings
from agents.sms.smpp import Smpp, SmppSettings, where

Environ = Mapping[str, str] | None
HTTP: Final = ("http://", "https://")


class Made(NamedTuple):
    """A format: `make` raises SettingsError for what its account lacks; `schemes` are those its address may have."""

    make: Callable[[SmsSettings, Environ], Gateway]
    honours_key: bool
    schemes: tuple[str, ...] = HTTP


def _generic(settings: SmsSettings, _: Environ) -> Gateway:
    return HttpGateway(
        settings.sms_url, timeout=settings.sms_timeout, bound=settings.sms_bound, token=settings.sms_token
    )


def _mobile_seva(settings: SmsSettings, environ: Environ) -> Gateway:
    account = load(MobileSevaSettings, environ)
    return _by_form(settings, lambda message: mobile_seva.form(message, account), mobile_seva.read)


def _nic(settings: SmsSettings, environ: Environ) -> Gateway:
    account = load(NicSettings, environ)
    return _by_form(settings, lambda message: nic.form(message, account), nic.read)


def _by_form(settings: SmsSettings, form: Callable[[Message], Form], read: Callable[[bytes], Answer]) -> Gateway:
    return FormGateway(settings.sms_url, form, read, timeout=settings.sms_timeout, bound=settings.sms_bound)


def _smpp(settings: SmsSettings, environ: Environ) -> Gateway:
    account = load(SmppSettings, environ)
    return Smpp(where(settings.sms_url), account, timeout=settings.sms_timeout, bound=settings.sms_bound)


FORMATS: Final[Mapping[Format, Made]] = MappingProxyType(
    {
        "generic": Made(_generic, honours_key=True),
        "mobile-seva": Made(_mobile_seva, honours_key=False),
        "nic": Made(_nic, honours_key=False),
        "smpp": Made(_smpp, honours_key=False, schemes=("smpp://", "smpps://")),
    }
)


def gateway_of(settings: SmsSettings, environ: Environ = None) -> Gateway:
    """The gateway of `sms_format`; raises SettingsError naming the variable."""
    made = FORMATS[settings.sms_format]
    if not settings.sms_url.startswith(made.schemes):
        raise SettingsError(f"NIVARAN_SMS_URL: needs an {' or '.join(made.schemes)} address")
    return made.make(settings, environ)
