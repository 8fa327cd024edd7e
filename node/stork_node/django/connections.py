"""Django's database connections in handlers of app.py, which run in threads and outside of requests."""

import contextlib
from collections.abc import Iterator

from django.db import close_old_connections


@contextlib.contextmanager
def closing_connections() -> Iterator[None]:
    """Around each handler, as in ``Stork(around=closing_connections)``: what a request does at its begin and end."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
