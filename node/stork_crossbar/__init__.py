"""Everything that knows Crossbar, autobahn or Twisted from the inside."""
