"""
The gate: reads and checks clients' messages before Crossbar and autobahn see them. It imports neither.

``json_text``, ``msgpack`` and ``cbor`` read plain data under one set of bounds; ``reading`` chooses between them.
``options`` lists the options of WAMP messages that pass.
"""
