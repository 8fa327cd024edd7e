"""Topics of an app for its webhooks. No channel has them, and nobody can subscribe to them."""


def occupied_topic(version: str) -> str:
    """The topic in the table of presence whose users are the channels that have subscribers."""
    return f"{version}.~occupied.~"


def hook_topic(version: str) -> str:
    """The topic of pushes that only webhooks are told of."""
    return f"{version}.~hook.~"
