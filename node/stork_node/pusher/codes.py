"""
The codes of ``pusher:error``, which are close codes as well. A client decides by them whether it comes back.

4000: at once, with TLS. 4001 to 4099: never. 4100 to 4199: after a second, for ever. 4200 to 4299: at once.
"""

ROLE = "frontend"
"""All clients have it, as WAMP clients have theirs: commands name it."""

APP_UNKNOWN = 4001
APP_DISABLED = 4003
OVER_QUOTA = 4004
INVALID_VERSION = 4006
UNSUPPORTED_VERSION = 4007
UNAUTHORIZED = 4009
OVER_CAPACITY = 4100
RECONNECT = 4200
NO_PONG = 4201
INACTIVE = 4202
CLIENT_EVENT_REFUSED = 4301
"""No close code: the connection stays."""

AUTH_ERROR = "AuthError"
LIMIT_REACHED = "LimitReached"
INVALID_CHANNEL = "InvalidChannel"
UNSUBSCRIBED = "Unsubscribed"
"""Types of ``pusher:subscription_error``."""

UNAUTHORIZED_STATUS = 401
INVALID_STATUS = 400
UNSUBSCRIBED_STATUS = 403
LIMIT_STATUS = 4004
