"""Configuration: ``config.json``, settings of components and commands, and their defaults."""
