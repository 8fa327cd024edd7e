"""What an application declares with a ``Stork``, and what its handlers get and give."""
