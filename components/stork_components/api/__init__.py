"""The HTTP API, in the router process: ``/api`` of the operator's port, and of the public port if there are keys."""

from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor

from stork_components.api.command_link import CommandLink
from stork_components.api.push_link import PushLink
from stork_components.api.resource import ApiResource
from stork_components.relay import Relay
from stork_crossbar import registry
from stork_crossbar.limits.pushes_of_keys import PushesOfKeys
from stork_crossbar.roles import KeyHolder
from stork_node.api.counters import ApiCounters
from stork_node.api.keys import Keyring
from stork_node.api.pushes import Ids
from stork_node.api.settings import ApiSettings
from stork_node.clients.push_target import PushTarget

__all__ = ["Api", "PublicApi"]


class Api(KeyHolder):
    """
    Holds what the requests need.

    Attributes:
        keyring: the current keys.
        link: the connection to the publish server, for pushes.
        command_link: another one, for commands.
        ids: for pushes without one.
    """

    Settings = ApiSettings
    settings: ApiSettings

    async def start(self) -> None:
        settings = self.settings
        timeout_ms = max(1, int(settings.timeout_s * 1000))
        target = PushTarget.parse(settings.push, True, timeout_ms, settings.secret or None, None, 0)
        self.counters = ApiCounters()
        self.ids = Ids()
        self.link = PushLink(reactor, target, settings.timeout_s)
        self.command_link = CommandLink(reactor, target, settings.timeout_s)
        self._take_keys(settings)

    @property
    def relay(self) -> Relay | None:
        found: Relay | None = registry.find(Relay)
        return found

    def reload(self, extra: Mapping[str, Any]) -> None:
        self._take_keys(self.read_settings(extra))

    def may_push(self, key_name: str, pushes: int) -> bool:
        """Whether a key may push so many now."""
        return self._pushes.may_push(key_name, pushes)

    def _take_keys(self, settings: ApiSettings) -> None:
        self.keyring = Keyring(settings.keys)
        self._pushes = PushesOfKeys(settings.limits.pushes_per_second)
        self.log.info("keys of the HTTP API: {number}", number=len(self.keyring))


class PublicApi(ApiResource):
    """
    The API on the public port: a web resource for Crossbar's ``"type": "resource"``. Without keys, it is not there.
    """

    def __init__(self, _extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(lambda: registry.find(Api), is_public=True)
