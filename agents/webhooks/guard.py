"""Where calls may go: https to public addresses, and what the operator has opened beside; nothing else is reached."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from agents.settings import SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IN_DISGUISE: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("2002::/16"))
"""IPv6 that leads to an IPv4 address which may be private (NAT64, 6to4)."""


class Guard:
    """Judges addresses: of the file at the start, and of every look-up, since a name may lead elsewhere tomorrow."""

    def __init__(self, networks: Iterable[Network] = (), *, plain_http: bool = False) -> None:
        self._networks, self._schemes = tuple(networks), ("https", "http") if plain_http else ("https",)

    def fault(self, url: str) -> str:
        """What is wrong with an address; empty where nothing is. Says nothing of the address itself."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return "is no address"
        if parts.scheme not in self._schemes:
            return f"must begin with {' or '.join(f'{each}://' for each in self._schemes)}"
        if not host:
            return "names no host"
        if parts.username or parts.password or parts.fragment:
            return "must hold neither user, password nor fragment"
        address = _literal(host)
        if address is not None and not self.allows(address):
            return "leads to an address that is not public (NIVARAN_WEBHOOK_NETWORKS opens networks)"
        return ""

    def allows(self, address: Address) -> bool:
        plain = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        meant: Address = plain or address
        if any(meant in network for network in self._networks if network.version == meant.version):
            return True
        hidden = isinstance(meant, ipaddress.IPv6Address) and any(meant in network for network in IN_DISGUISE)
        return meant.is_global and not meant.is_multicast and not hidden


class GuardedResolver(AbstractResolver):
    """Looks names up and keeps the allowed addresses only; the connection is made to one of these."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._resolver = guard, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raise OSError where no address is left."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if self._guard.allows(ipaddress.ip_address(each["host"].partition("%")[0]))]
        if not allowed:
            raise OSError("leads to addresses that are not public only")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


def networks(text: str) -> tuple[Network, ...]:
    """Networks separated by commas; raises SettingsError."""
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise SettingsError(f"NIVARAN_WEBHOOK_NETWORKS: {error}") from None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
