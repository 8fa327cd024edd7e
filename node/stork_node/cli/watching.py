"""The output of ``stork watch``: events on stdout, connection and subscriptions on stderr."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import click

from stork_node.cli import EXIT_FAILED
from stork_node.cli.json_values import printable, to_json
from stork_node.cli.session_options import SessionTarget
from stork_node.clients.subscriber import Subscriber
from stork_node.clients.subscribing.effects import StateChanged, SubscriptionChanged
from stork_node.clients.subscribing.endings import Ending
from stork_node.clients.subscribing.stream import Event
from stork_node.clients.subscribing.subscription import Subscription
from stork_node.clock import local_now
from stork_node.errors import ConnectionRefused, SubscriberEnded


class Watching:
    """Follows topics until it is canceled. ``run`` returns by itself if no more events can come."""

    def __init__(self, where: SessionTarget, topics: Sequence[str], match: str, as_json: bool) -> None:
        credentials = where.credentials
        self._where, self._show = where, _show_json if as_json else _show
        self._stork = Subscriber(
            where.url,
            ticket=credentials.ticket,
            secret=credentials.secret,
            authid=credentials.authid,
            realm=where.realm,
            on_state=self._guarded(self._connection_changed),
        )
        self._subscriptions = [
            Subscription(
                topic,
                match,
                None,
                self._guarded(self._show),
                self._guarded(_say_what_became),
                self._guarded(self._subscription_changed),
                any_uri=True,
            )
            for topic in dict.fromkeys(topics)
        ]
        for subscription in self._subscriptions:
            self._stork.follow(subscription)
        self._joined = self._said_watching = False

    async def run(self) -> int:
        """
        Returns:
            The exit status, once every subscription is refused.

        Raises:
            ConnectionRefused: the first try failed.
            SubscriberEnded: the node ended it for good.
        """
        self._done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with self._stork:
            return await self._done

    def _guarded(self, told: Callable[..., None]) -> Callable[..., None]:
        """``told``; its errors, such as a closed pipe, end the command."""

        def tell(*what: Any) -> None:
            try:
                told(*what)
            except Exception as error:
                self._fail(error)

        return tell

    def _fail(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def _connection_changed(self, change: StateChanged) -> None:
        self._said_watching = False
        if change.state == "open":
            self._joined = True
        if change.ending is None:
            return
        if change.state in ("waiting", "closed") and not self._joined:
            self._fail(_refused(self._where.url, change.ending))
        elif change.state == "waiting":
            _say(f"{_in_words(change.ending)}; trying again")
        elif change.state == "closed":
            ending = change.ending
            self._fail(SubscriberEnded(self._where.url, ending.reason, ending.uri, ending.text))

    def _subscription_changed(self, change: SubscriptionChanged) -> None:
        ending = change.ending
        # "closed": the whole session has ended, and the command says so once.
        if ending and ending.uri and change.state != "closed":
            said = ": ".join(filter(None, [ending.uri, ending.text]))
            _say(f"no subscription to {printable(change.subscription.topic)}: {printable(said)}")
        states = [subscription.state for subscription in self._subscriptions]
        watched = [subscription.topic for subscription in self._subscriptions if subscription.state == "subscribed"]
        if watched and "subscribing" not in states and not self._said_watching:
            self._said_watching = True
            _say(f"watching {', '.join(watched)} as {self._stork.authid} ({self._stork.authrole})")
        if all(state == "refused" for state in states) and not self._done.done():
            self._done.set_result(EXIT_FAILED)


def _refused(url: str, ending: Ending) -> ConnectionRefused:
    if ending.uri:
        return ConnectionRefused(url, f"{ending.text} ({ending.uri})" if ending.text else ending.uri, ending.uri)
    return ConnectionRefused(url, ending.text or _in_words(ending))


def _in_words(ending: Ending) -> str:
    said = ": ".join(filter(None, [ending.uri, ending.text]))
    return f"the connection ended: {ending.reason}" + (f" ({printable(said)})" if said else "")


def _say_what_became(topic: str, ok: bool, position: str | None) -> None:
    if ok:
        _say(f"recovered {printable(topic)}: no event was lost")
    else:
        after = f" before {position}" if position else ""
        _say(f"events of {printable(topic)} may be lost{after}")


def _fields(event: Event) -> dict[str, Any]:
    if event.type:
        body = {"type": event.type, "data": event.data, "timestamp": event.timestamp}
    else:  # of another publisher
        body = event.data if isinstance(event.data, dict) else {"data": event.data}
    return {"topic": event.topic, "position": event.position, **body}


def _show_json(event: Event) -> None:
    click.echo(to_json(_fields(event)))


def _show(event: Event) -> None:
    from rich.console import Console
    from rich.text import Text

    fields = _fields(event)
    line = Text.assemble(
        (local_now().strftime("%H:%M:%S "), "dim"),
        (printable(f"{fields['position'] or '-'} "), "cyan"),
        (printable(f"{fields.get('type', '-')} "), "bold green"),
        (printable(f"{fields['topic']} "), ""),
        printable(to_json(fields.get("data"))),
    )
    Console(highlight=False).print(line, soft_wrap=True)


def _say(text: str) -> None:
    click.secho(f"stork: {text}", err=True, dim=True)
