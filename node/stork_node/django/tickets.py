"""Tickets of users that are signed in: a view gives them out, and app.py checks them."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from stork_node.application.auth_request import AuthRequest
from stork_node.application.values import Deny, Principal

MAX_AGE_S = 60
"""A ticket is used at once: the client asks for a new one each time that it joins."""
_SALT = "stork_node.django.ticket"


def ticket(request: HttpRequest) -> HttpResponse:
    """
    The view that stork.js asks: ``Stork.connect({ticket: "/stork/ticket", …})``. The answer is a ticket for the user of
    the session, or 403. It is a signed text, good for a minute.
    """
    user: Any = getattr(request, "user", None)
    answer = HttpResponse(status=403, content_type="text/plain")
    if user is not None and user.is_authenticated and user.is_active:
        answer = HttpResponse(_ticket_of(user), content_type="text/plain")
    answer["Cache-Control"] = "no-store"
    return answer


def _ticket_of(user: Any) -> str:
    # The hash changes with the password: then a ticket is over, as Django's sessions are.
    text: str = signing.dumps([str(user.pk), user.get_session_auth_hash()], salt=_SALT)
    return text


def check_user(request: AuthRequest) -> Principal | Deny:
    """
    An authenticator, as in ``stork.authenticator(check_user)``: lets in the user of a ticket of ``ticket``, or else of
    Django's session cookie. The authid is the primary key of the user.
    """
    try:
        user = _user_of_ticket(request.ticket) or _user_of_session(request)
    except signing.SignatureExpired:
        return Deny("the ticket is too old", retry=True)
    if not user.is_authenticated or not user.is_active:
        return Deny("not signed in")
    return Principal(authid=str(user.pk))


def _user_of_ticket(text: str) -> Any:
    """
    Raises:
        SignatureExpired: it was a ticket.
    """
    try:
        key, proof = signing.loads(text, salt=_SALT, max_age=MAX_AGE_S)
    except signing.SignatureExpired:
        raise
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = get_user_model()._default_manager.filter(pk=key).first()
    return user if user and constant_time_compare(proof, user.get_session_auth_hash()) else None


def _user_of_session(request: AuthRequest) -> Any:
    visit = HttpRequest()
    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    visit.session = store(request.cookies.get(settings.SESSION_COOKIE_NAME))
    return get_user(visit)
