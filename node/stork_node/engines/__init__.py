"""
Engines: where the log of a deployment lives, and the one interface to it (docs/engine.md).

``embedded`` keeps it in files of the publish server, and is the default. ``redis`` keeps it on a Redis that several
publish servers share.
"""
