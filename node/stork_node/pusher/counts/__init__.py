"""``subscription_count``: clients are told how many subscribers a channel has on all nodes."""
