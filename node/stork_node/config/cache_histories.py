"""``cache_s`` of Pusher apps: the relay needs it, which keeps the events of their cache channels."""

from collections.abc import Mapping
from typing import Any

from stork_node.config.expansion import expand
from stork_node.config.feed_histories import PUSHER, add_rules, extras
from stork_node.errors import ConfigError
from stork_node.pusher.app_settings import apps
from stork_node.pusher.channels import CACHE_PREFIXES


def share_cache_times(workers: list[dict[str, Any]], environ: Mapping[str, str]) -> None:
    """
    Give the relays a rule for the cache channels of each app. Apps with problems are left for ``stork check``.

    Args:
        environ: for references in the apps.
    """
    rules: dict[str, Any] = {}
    for extra in extras(workers, PUSHER):
        try:
            found = apps(expand(extra.get("apps", []), environ, "", []))
        except (ConfigError, ValueError):
            continue
        for app in found:
            rules.update({f"{app.version}.{prefix}*": {"seconds": app.cache_s} for prefix in CACHE_PREFIXES})
    add_rules(workers, rules)
