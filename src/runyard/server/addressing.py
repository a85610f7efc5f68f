"""Under which names the server is reached, and through which proxies.

A name in `Host` that is not ours is an attack called DNS rebinding: any page in a browser can let a name of its own
point at this machine, and would then be of the same origin as the server.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from runyard.errors import UsageError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Seen:
    """A request as the browser sent it: `host` may hold a port; `client` is the address it came from."""

    host: str
    scheme: str
    client: str


@dataclass(frozen=True, kw_only=True)
class Addressing:
    """Names, and proxies whose X-Forwarded-* headers are believed. This machine's own names are always ours.

    Attributes:
        names: host names, small letters, without a port.
        proxies: networks; none: nobody is believed.
    """

    names: frozenset[str] = frozenset()
    proxies: tuple[_Network, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str] = (), proxies: Iterable[str] = ()) -> "Addressing":
        """From what somebody wrote.

        Raises:
            UsageError: something is no host name, or no address.
        """
        return cls(names=frozenset(map(_checked_name, names)), proxies=tuple(map(_checked_network, proxies)))

    def seen(self, scope: Scope, headers: Headers) -> Seen:
        """What a request says, or what a proxy says of it that is believed."""
        client = scope.get("client")
        peer = client[0] if client else ""
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ""
        scheme = scope.get("scheme", "http")
        if not self._is_proxy(peer):
            return Seen(host, scheme, peer)
        told = headers.get("x-forwarded-proto", scheme).rpartition(",")[2].strip().lower()
        return Seen(
            headers.get("x-forwarded-host", host).rpartition(",")[2].strip(),
            told if told in _DEFAULT_PORTS else scheme,
            self._origin(headers.get("x-forwarded-for", ""), peer),
        )

    def is_ours(self, seen: Seen, port: int | None) -> bool:
        """Whether a request names us. This machine's own names need our port, too, where no proxy stands before us."""
        name, number = _split(seen.host)
        if name in self.names:
            return True
        return name in _LOCAL_NAMES and (bool(self.proxies) or (number or _DEFAULT_PORTS[seen.scheme]) == port)

    @staticmethod
    def is_own_origin(origin: str, seen: Seen) -> bool:
        """Whether a page comes from where its request goes."""
        try:
            parts = urlsplit(origin)
            default = _DEFAULT_PORTS.get(parts.scheme)
            number = parts.port
        except ValueError:
            return False
        if parts.scheme != seen.scheme or parts.path or parts.query or parts.fragment or parts.username is not None:
            return False
        name, ours = _split(seen.host)
        theirs, _ = _split(parts.netloc)
        return theirs == name and (number or default) == (ours or default)

    def _is_proxy(self, address: str) -> bool:
        if not self.proxies:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.proxies)

    def _origin(self, forwarded: str, peer: str) -> str:
        """The last address that no proxy of ours is: what stands before it can be invented."""
        for each in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
            peer = each
            if not self._is_proxy(each):
                break
        return peer[:100]


def _split(host: str) -> tuple[str, int | None]:
    """Name and port; the port is None if none is given, and -1 if it is none."""
    name, colon, number = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        return host.lower(), None
    return name.lower(), int(number) if number.isascii() and number.isdigit() and len(number) <= 5 else -1


def _checked_name(text: str) -> str:
    name = text.strip().lower()
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    letters = name.strip("[]").replace(":", "").replace(".", "").replace("-", "").replace("_", "")
    if not letters.isascii() or not letters.isalnum() or len(name) > 253:
        raise UsageError(f"'{text}' is no name of a machine. Give --name as in --name runyard.example, without a port.")
    return name


def _checked_network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise UsageError(f"'{text}' is no address of a proxy. Give --proxy as in --proxy 192.168.1.4.") from None
