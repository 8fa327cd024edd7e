"""The router's subscriptions and registrations: unused ones are forgotten, and ending many of them is cheap."""

from typing import Any

from crossbar.router.broker import Broker
from crossbar.router.observation import UriObservationMap

_META_EVENTS = ("wamp.subscription.on_unsubscribe", "wamp.subscription.on_delete")


class SelfCleaningUriMap(UriObservationMap):
    """
    A map that forgets unused observations. Crossbar's map keeps each for ever, and a client adds one with each new
    topic.
    """

    __slots__ = ()

    def delete_observation(self, observation: Any) -> None:
        super().delete_observation(observation)
        self._observation_id_to_observation.pop(observation.id, None)


class StorkBroker(Broker):
    """Without a listener for meta events, a session that leaves schedules no meta events for its subscriptions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self._event_store:  # an event store has attached itself to the map
            self._subscription_map = SelfCleaningUriMap()

    def detach(self, session: Any) -> None:
        if not any(map(self._subscription_map.match_observations, _META_EVENTS)):
            for subscription in list(self._session_to_subscriptions.get(session, ())):
                self._drop(session, subscription)
        super().detach(session)

    def _drop(self, session: Any, subscription: Any) -> None:
        self._session_to_subscriptions[session].discard(subscription)
        _, was_last = self._subscription_map.drop_observer(session, subscription)
        if was_last and not subscription.extra.retained_events:
            self._subscription_map.delete_observation(subscription)
