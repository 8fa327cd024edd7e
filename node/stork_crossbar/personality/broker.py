"""The router's subscriptions and registrations: unused ones are forgotten, and ending many of them is cheap."""

from typing import Any

from crossbar.router.broker import Broker
from crossbar.router.observation import UriObservationMap

from stork_crossbar.connections import presence_hook
from stork_crossbar.limits.insiders import INSIDERS
from stork_crossbar.personality.meta_events import GivenUp
from stork_node.process_state import singleton
from stork_node.why.recent import Kind, RecentEvents

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


class SubscriptionMap(SelfCleaningUriMap):
    """What visitors subscribe to is remembered for a while (``stork_node.why``), and presence hears of exact topics."""

    __slots__ = ()

    def add_observer(
        self, observer: Any, uri: str, match: str = "exact", extra: Any = None, observer_extra: Any = None
    ) -> Any:
        added = super().add_observer(observer, uri, match, extra, observer_extra)
        if not added[1] and _is_remembered(observer):
            singleton(RecentEvents).note(Kind.SUBSCRIBED, observer._session_id, observer._authid, (uri, match))
        if not added[1] and match == "exact":
            presence_hook.subscribed(observer, uri)
        return added


def _is_remembered(session: Any) -> bool:
    return session._authrole not in INSIDERS


class StorkBroker(Broker):
    """
    - What visitors do is remembered for a while (``stork_node.why``).
    - Announces no ``publisher_identification``: clients cannot ask for it.
    - The meta events of subscriptions that end name the session, also if it has left.
    - Without a listener for meta events, a session that leaves schedules none.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Crossbar ignores ``disclose_me``: what a role's ``disclose`` in config.json says is done to all its events.
        self._role_features.publisher_identification = None
        if not self._event_store:  # an event store has attached itself to the map
            self._subscription_map = SubscriptionMap()
            singleton(RecentEvents).is_kept = True

    def attach(self, session: Any) -> None:
        super().attach(session)
        if _is_remembered(session):
            singleton(RecentEvents).note(Kind.JOINED, session._session_id, session._authid)

    def detach(self, session: Any) -> None:
        if session in self._session_to_subscriptions and _is_remembered(session):
            held = ((each.uri, each.match) for each in self._session_to_subscriptions[session])
            singleton(RecentEvents).note(Kind.LEFT, session._session_id, session._authid, held=held)
        given_up = GivenUp(self._router, session, "subscription", "on_unsubscribe")
        for subscription in list(self._session_to_subscriptions.get(session, ())):
            self._drop(session, subscription, given_up)
        if any(map(self._subscription_map.match_observations, _META_EVENTS)):
            given_up.publish(self._reactor)
        super().detach(session)

    def _unsubscribe(self, subscription: Any, session: Any, unsubscribe: Any = None) -> tuple[bool, bool, bool]:
        given_up = GivenUp(self._router, session, "subscription", "on_unsubscribe")
        was_subscribed, was_last = self._drop(session, subscription, given_up)
        if was_subscribed and _is_remembered(session):
            what = subscription.uri, subscription.match
            singleton(RecentEvents).note(Kind.UNSUBSCRIBED, session._session_id, session._authid, what)
        return was_subscribed, was_last, given_up.publish(self._reactor)

    def _drop(self, session: Any, subscription: Any, given_up: GivenUp) -> tuple[bool, bool]:
        self._session_to_subscriptions[session].discard(subscription)
        was_subscribed, was_last = self._subscription_map.drop_observer(session, subscription)
        is_deleted = was_last and not subscription.extra.retained_events
        if is_deleted:
            self._subscription_map.delete_observation(subscription)
        if was_subscribed and subscription.match == "exact":
            presence_hook.unsubscribed(session, subscription.uri)
        if was_subscribed:
            given_up.add(subscription, is_deleted=is_deleted)
        return was_subscribed, was_last
