"""
Pusher's protocol, without a socket: what its clients and backends send, and what they get.

``channels`` maps channels to topics. ``connection`` is one client's connection. ``http_requests`` and ``http_events``
are the HTTP API of backends.
"""
