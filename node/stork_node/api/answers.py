"""Answers of the HTTP API: each error is one JSON object with its name and one sentence."""

import json
from dataclasses import dataclass
from typing import Any

JSON = b"application/json"

STATUS = {
    "invalid_json": 400,
    "invalid_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "length_required": 411,
    "too_large": 413,
    "unsupported_media_type": 415,
    "invalid_push": 422,
    "invalid_command": 422,
    "id_reused": 422,
    "limit": 429,
    "storage_failed": 503,
    "not_confirmed": 503,
    "not_ready": 503,
}
"""HTTP status by the name of the error."""

RETRY_AFTER_S = 1
_RETRIED = frozenset({429, 503})


@dataclass(frozen=True)
class ApiAnswer:
    """``body`` is JSON."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class ApiError(Exception):
    """
    A request that is refused.

    Args:
        error: a key of ``STATUS``.
        reason: one sentence.
        headers: more headers of the answer.
    """

    def __init__(self, error: str, reason: str, *headers: tuple[bytes, bytes], status: int | None = None) -> None:
        super().__init__(reason)
        self.answer = refusal(error, reason, *headers, status=status)


def error_body(error: str, reason: str) -> bytes:
    return as_json({"ok": False, "error": error, "reason": reason})


def refusal(error: str, reason: str, *headers: tuple[bytes, bytes], status: int | None = None) -> ApiAnswer:
    return answer_with(STATUS[error] if status is None else status, error_body(error, reason), *headers)


def answer_with(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> ApiAnswer:
    """An answer; one that asks for a later attempt has Retry-After."""
    later = ((b"Retry-After", b"%d" % RETRY_AFTER_S),) if status in _RETRIED else ()
    return ApiAnswer(status, body, (*headers, *later))


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
