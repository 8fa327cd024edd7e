"""Private names of Crossbar, autobahn and Twisted, and what the reactor does not offer."""
