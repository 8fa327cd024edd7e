"""Requests that a browser sends for a page of another site: the operator's port refuses them."""

from stork_node.http.heads import Head, Refusal
from stork_node.http.origins import is_own

_OWN_SITES = ("same-origin", "none")
_REFUSED = Refusal(403, "the operator's port does not answer to pages of other sites", "origin")


def check_page(head: Head) -> Refusal | None:
    """The refusal, if the headers show a page of another site. Programs do not send these headers."""
    site, origin = head.value(b"sec-fetch-site").decode("latin-1").lower(), head.value(b"origin").decode("latin-1")
    if site and site not in _OWN_SITES:
        return _REFUSED
    host = head.value(b"host").decode("latin-1")
    if head.has(b"origin") and not is_own(origin, host, is_secure=False):
        return _REFUSED
    return None
