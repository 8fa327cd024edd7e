"""Pushes of a web application: after the commit, over one publisher for each process."""

from collections.abc import Iterable
from functools import cache, partial
from typing import Any, Unpack

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction

from stork_node.clients.pending_pushes import StoredPosition
from stork_node.clients.publisher import Publisher
from stork_node.clients.push_options import PushOptions
from stork_node.errors import PushFailed


@cache
def _publisher() -> Publisher:
    return Publisher(**getattr(settings, "STORK", {}))


class Pushing:
    """Where pushes go: ``captured_pushes`` replaces it in tests."""

    publisher: Any = None


def publisher() -> Any:
    """This process's publisher."""
    return _publisher() if Pushing.publisher is None else Pushing.publisher


def push_on_commit(
    topics: str | Iterable[str],
    type: str,
    data: Any = None,
    *,
    using: str | None = None,
    **options: Unpack[PushOptions],
) -> None:
    """
    Push when the current transaction has been committed; at once if there is none. A rollback pushes nothing.

    The arguments are those of ``Publisher.push``, and ``using`` is the alias of the database. A push that fails is an
    error in Django's log, and never a 500 after the commit.
    """
    topics = [topics] if isinstance(topics, str) else list(topics)

    def push() -> None:  # Django's log has its name: no lambda, no partial
        publisher().push(topics, type=type, data=data, **options)

    transaction.on_commit(push, using=using, robust=True)


async def apush(
    topics: str | Iterable[str], type: str, data: Any = None, **options: Unpack[PushOptions]
) -> StoredPosition | None:
    """
    Push from an async view, as ``Publisher.push`` does; other requests go on meanwhile. Async views have no
    transactions: in the code of ``sync_to_async`` that has one, use ``push_on_commit``.

    Raises:
        PushFailed: as ``Publisher.push``.
    """
    topics = [topics] if isinstance(topics, str) else list(topics)
    push = partial(publisher().push, topics, type=type, data=data, **options)
    stored: StoredPosition | None = await sync_to_async(push, thread_sensitive=False)()
    return stored


async def apage_position() -> str | None:
    """``page_position`` for async views."""
    position: str | None = await sync_to_async(page_position, thread_sensitive=False)()
    return position


def page_position() -> str | None:
    """
    The position for ``since`` in a page: take it, then load what the page shows. None if the publish server is away:
    then the page may miss what is pushed before it has subscribed.
    """
    try:
        return str(publisher().position())
    except PushFailed:
        return None
