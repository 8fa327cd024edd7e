"""Whether the application of this node has on_online or on_offline handlers."""


class PresenceHandlers:
    """
    Attributes:
        are_declared: the application says so when it starts; the node says it to its publish server with each lease.
    """

    def __init__(self) -> None:
        self.are_declared = False

    def has_some(self) -> bool:
        return self.are_declared
