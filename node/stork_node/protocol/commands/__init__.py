"""Commands of backends, and the entries of the log, the leases and the answers that go with them."""
