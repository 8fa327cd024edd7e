"""
What a relay decides, without a socket: which pushes are events, what is missing, what a subscriber can recover.

    frames of the bus, pages of replay → Follower → Histories → what the shell does: events, a break, a request
                                                     Histories → Recovery → answers to io.virge.stork.recover
"""
