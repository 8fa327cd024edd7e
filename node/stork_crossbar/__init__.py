"""All code that uses the internals of Crossbar, autobahn and Twisted."""
