"""
The gate: what clients send, read and checked before Crossbar and autobahn see it. Nothing here knows either.

``plain_data`` reads JSON, MessagePack and CBOR under one set of bounds; ``options`` says which options of which WAMP
message pass.
"""
