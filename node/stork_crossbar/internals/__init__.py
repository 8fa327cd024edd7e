"""Private names of Crossbar, autobahn and Twisted, and helpers that the reactor lacks."""
