"""``extra`` of the guard in config.json."""

from dataclasses import dataclass

from stork_node.config.limits import DEFAULT_LIMITS, ClientLimits
from stork_node.config.settings import count, names, seconds, section, setting, text
from stork_node.guard.deciders import decisions
from stork_node.http.forwarded import Network, networks
from stork_node.http.origins import AllowedOrigin, origins


@dataclass(frozen=True)
class GuardSettings:
    """
    ``extra`` of the guard. ``roles``: the roles that an application may give. ``backends_decide``: the decisions
    (``joins``, ``subscriptions``) about which only backends are asked. ``trusted_proxies``: the networks whose
    X-Forwarded-For the node believes. ``origins``: the origins of pages that may open WebSockets, beside the node's
    own. ``limits``: the limits of each client. Times in seconds.
    """

    backend_secret: str = setting(text, "")
    backend_authid: str = setting(text, "backend")
    roles: tuple[str, ...] = setting(names, ("frontend",))
    backends_decide: tuple[str, ...] = setting(decisions, ())
    application_timeout_s: float = setting(seconds, 5.0)
    starting_timeout_s: float = setting(seconds, 10.0)
    cache_entries: int = setting(count, 100_000)
    pending_joins: int = setting(count, 1_000)
    trusted_proxies: tuple[Network, ...] = setting(networks, ())
    origins: tuple[AllowedOrigin, ...] = setting(origins, ())
    limits: ClientLimits = setting(section(ClientLimits), DEFAULT_LIMITS)
