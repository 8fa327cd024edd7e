"""
Pusher's protocol, without a socket: what its clients and backends send, and what they get.

``channels`` maps channels to topics. ``connection`` is one client's connection, ``http`` the API of backends.
"""
