"""``GET /api/openapi.json``: the description of the requests in ``routes``, and of no others."""

from typing import Any

from stork_node.api.answers import STATUS, as_json
from stork_node.api.pushes import MAX_DOCUMENTS
from stork_node.api.queries import DEFAULT_LIMIT, MAX_LIMIT
from stork_node.api.routes import ROUTES, Route
from stork_node.protocol.commands.documents import (
    DEFAULT_TIMEOUT_MS,
    MAX_NAME_CHARACTERS,
    MAX_REASON_BYTES,
    MAX_TIMEOUT_MS,
)
from stork_node.protocol.push import MAX_ID_CHARACTERS, MAX_TOPICS, MAX_TYPE_CHARACTERS
from stork_node.why.judging import CAUSES

_POSITION = {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}:(0|[1-9][0-9]{0,15})$"}
_TEXT = {"type": "string"}
_URI = {"type": "string", "pattern": r"^([^\s.#]+\.)*[^\s.#]+$"}


_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS}
_PART = "[\\w:@~-]+"
_MISSING = {"type": "array", "items": _TEXT, "description": "Nodes that have said nothing in time."}

_BY_NODE = {
    "type": "object",
    "additionalProperties": {
        "oneOf": [
            {"enum": ["gone", "pending", "old"]},
            {"type": "object", "additionalProperties": {"type": "integer"}},
        ]
    },
}


def _object(required: str, optional: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": {**properties, **(optional or {})},
        "additionalProperties": False,
    }


def _refer(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_SCHEMAS = {
    "Push": _object(
        "topics type",
        topics={
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_TOPICS,
            "items": {"type": "string", "pattern": "^[\\w:@~-]+\\.[\\w:@~-]+\\.[\\w:@~-]+$", "maxLength": 255},
            "example": ["v1.orders.42"],
        },
        type={"type": "string", "minLength": 1, "maxLength": MAX_TYPE_CHARACTERS, "example": "order_paid"},
        data={"description": "Any JSON; null if it is missing."},
        timestamp={"type": "string", "format": "date-time"},
        id={"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
        exclude={"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 2**53}},
        store={"type": "boolean", "default": True},
        receipt={"type": "boolean", "default": False},
    ),
    "Stored": _object(
        "ok id position",
        ok={"const": True},
        id={"type": ["string", "null"]},
        position=_POSITION,
        duplicate={"type": "boolean"},
        receipt=_BY_NODE,
        warning=_TEXT,
    ),
    "Error": _object("ok error reason", ok={"const": False}, error=_TEXT, reason=_TEXT),
    "Answers": _object(
        "ok answers",
        ok={"type": "boolean"},
        answers={"type": "array", "items": {"oneOf": [_refer("Stored"), _refer("Error")]}},
    ),
    "Call": _object("procedure", procedure=_URI, args={"type": "array"}, kwargs={"type": "object"}),
    "Position": _object("position", position=_POSITION),
    "Command": _object(
        "command",
        command={"enum": ["disconnect", "unsubscribe", "refresh", "forget"]},
        authid={**_NAME, "example": "7"},
        session={"type": "integer", "minimum": 1, "maximum": 2**53},
        role=_NAME,
        topic={"type": "string", "pattern": rf"^{_PART}\.{_PART}\.{_PART}$", "maxLength": 255},
        feed={"type": "string", "pattern": rf"^{_PART}\.{_PART}$", "maxLength": 255},
        reason={"type": "string", "maxLength": MAX_REASON_BYTES},
        timeout_ms={"type": "integer", "minimum": 0, "maximum": MAX_TIMEOUT_MS, "default": DEFAULT_TIMEOUT_MS},
        id={"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
    ),
    "Outcome": _object(
        "ok id complete position nodes",
        ok={"const": True},
        id={"type": ["string", "null"]},
        complete={"type": "boolean"},
        position=_POSITION,
        nodes=_BY_NODE,
    ),
    "User": _object(
        "authid sessions missing",
        authid=_TEXT,
        sessions={
            "type": "array",
            "items": _object(
                "session node address since topics waiting_bytes",
                {"patterns": {"type": "array", "items": _TEXT}},
                session={"type": "integer"},
                node=_TEXT,
                address=_TEXT,
                since={"type": ["string", "null"]},
                topics={"type": "array", "items": _TEXT},
                waiting_bytes={"type": "integer"},
            ),
        },
        missing=_MISSING,
    ),
    "Nodes": _object(
        "nodes missing",
        nodes={
            "type": "array",
            "items": _object(
                "node incarnation version position sessions state",
                node=_TEXT,
                incarnation={"type": ["string", "null"]},
                version={"type": ["string", "null"]},
                position={"oneOf": [_POSITION, {"type": "null"}]},
                sessions={"type": ["integer", "null"]},
                state={"enum": ["attached", "silent", "old"]},
            ),
        },
        missing=_MISSING,
    ),
    "Topics": _object(
        "topics missing",
        {"cursor": _TEXT},
        missing=_MISSING,
        topics={"type": "array", "items": _object("topic sessions", topic=_TEXT, sessions={"type": "integer"})},
    ),
    "Topic": _object(
        "topic sessions missing",
        topic=_TEXT,
        sessions={"type": "object", "additionalProperties": {"type": "integer"}},
        missing=_MISSING,
    ),
    "Busy": _object(
        "within_s topics slow missing",
        within_s={"type": "integer"},
        topics={"type": "array", "items": _object("topic pushes sessions", topic=_TEXT, pushes={"type": "integer"},
                                                   sessions={"type": "integer"})},
        slow={
            "type": "array",
            "items": _object("node session authid address waiting_bytes age_s", node=_TEXT,
                             session={"type": ["integer", "null"]}, authid={"type": ["string", "null"]}, address=_TEXT,
                             waiting_bytes={"type": "integer"}, age_s={"type": "number"}),
        },
        missing={"type": "array", "items": _TEXT},
    ),
    "Why": _object(
        "topic user position causes missing",
        topic=_TEXT,
        user=_TEXT,
        position={"oneOf": [_POSITION, {"type": "null"}]},
        causes={
            "type": "array",
            "items": _object("cause", cause={"enum": ["subscribed", *CAUSES]}, optional={
                "node": _TEXT, "session": {"type": "integer"}, "at": _TEXT, "by": _TEXT, "reason": _TEXT,
            }),
        },
        missing={"type": "array", "items": _TEXT},
    ),
    "Online": _object(
        "count position",
        users={"type": "array", "items": _object("authid info since", authid=_TEXT, info={}, since=_TEXT)},
        count={"type": "integer"},
        position=_POSITION,
    ),
    "History": _object(
        "recovered position events",
        recovered={"type": "boolean"},
        position=_POSITION,
        events={"type": "array", "items": _object("position type data timestamp", position=_POSITION, type=_TEXT,
                                                   data={}, timestamp=_TEXT)},
        more={"const": True},
    ),
}  # fmt: skip

_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
}
_BODIES = {
    "push": {
        "oneOf": [
            _refer("Push"),
            {
                "type": "array",
                "maxItems": MAX_DOCUMENTS,
                "items": {"description": "As Push. Each is answered for itself, also one that is wrong."},
            },
        ]
    },
    "call": _refer("Call"),
    "command": _refer("Command"),
}
_RESULTS: dict[str, Any] = {
    "push": {"oneOf": [_refer("Stored"), _refer("Answers")]},
    "call": {},
    "position": _refer("Position"),
    "topics": _refer("Topics"),
    "topic": _refer("Topic"),
    "command": _refer("Outcome"),
    "outcome": _refer("Outcome"),
    "user": _refer("User"),
    "nodes": _refer("Nodes"),
    "history": _refer("History"),
    "online": _refer("Online"),
    "why": _refer("Why"),
    "busy": _refer("Busy"),
    "description": {"type": "object"},
}
_SUMMARIES = {
    "push": "Push one document, or an array of documents.",
    "command": "End sessions or subscriptions, or have answers forgotten.",
    "outcome": "What became of a command, as it is now.",
    "user": "The sessions of a user.",
    "nodes": "The nodes of the deployment.",
    "call": "Call a WAMP procedure.",
    "position": "The position of the last stored push.",
    "topics": "The topics with subscribers, in pages.",
    "topic": "How many sessions get the events of a topic.",
    "history": "The events of a topic after a position.",
    "online": "Who is online in a topic.",
    "busy": "The busiest topics of the last minute, and the clients that do not keep up.",
    "why": "What became of an event for a user: the causes, the strongest first.",
    "description": "This description.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The id of one document; not with an array.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS},
}
_PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "push": [_IDEMPOTENCY_KEY],
    "command": [_IDEMPOTENCY_KEY],
    "topics": [
        {"name": "prefix", "in": "query", "schema": _TEXT},
        {"name": "cursor", "in": "query", "schema": _TEXT},
        _LIMIT,
    ],
    "history": [{"name": "since", "in": "query", "schema": _TEXT}, _LIMIT],
    "online": [
        {"name": "node", "in": "query", "description": "As this node knows it.", "schema": _TEXT},
        {
            "name": "wait_for",
            "in": "query",
            "description": "The position that the node has to reach before it answers.",
            "schema": _POSITION,
        },
        {"name": "users", "in": "query", "description": "Whether to name them.", "schema": {"type": "boolean"}},
    ],
    "why": [
        {"name": "topic", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1}},
        {"name": "user", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1}},
        {
            "name": "position",
            "in": "query",
            "description": "Of the event; the last one of the topic if it is missing.",
            "schema": _POSITION,
        },
    ],
}
_OWN_ERRORS = {
    "push": "invalid_json too_large unsupported_media_type length_required invalid_push limit storage_failed",
    "call": "invalid_json too_large unsupported_media_type length_required",
    "command": "invalid_json too_large unsupported_media_type length_required invalid_command storage_failed",
    "outcome": "invalid_request not_found not_confirmed too_large",
    "position": "invalid_request not_confirmed too_large",
    "topics": "invalid_request not_ready too_large",
    "topic": "invalid_request not_ready too_large",
    "user": "invalid_request not_ready too_large",
    "nodes": "invalid_request not_ready too_large",
    "history": "invalid_request not_ready too_large",
    "online": "invalid_request not_found not_ready too_large",
    "why": "invalid_request not_ready too_large",
    "busy": "invalid_request not_ready too_large",
}


def _operation(route: Route) -> dict[str, Any]:
    errors = _OWN_ERRORS.get(route.name, "invalid_request too_large").split()
    codes = {STATUS[error] for error in (*errors, "unauthorized", "forbidden")}
    named = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for part in route.path.split("/")
        if part[:1] == "{"
    ]
    responses: dict[str, Any] = {"200": _content("The answer.", _RESULTS[route.name])}
    responses |= {str(code): _content("Refused.", _refer("Error")) for code in sorted(codes)}
    # A path that no resource gets to see, such as one with a control character.
    responses["400"]["content"]["text/plain"] = {"schema": _TEXT}
    if route.name == "call":
        responses["502"] = _content("The procedure's WAMP error.", _refer("Error"))
    operation = {
        "operationId": route.name,
        "summary": _SUMMARIES[route.name],
        "description": f"Needs a key with the right {route.right}." if route.right else "Needs any key.",
        "parameters": [*named, *_PARAMETERS.get(route.name, [])],
        "responses": responses,
    }
    if route.max_body_bytes:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _BODIES[route.name]}},
        }
    return operation


def _content(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def describe() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stork node", "version": "1", "summary": "Push to topics, and ask what is there."},
        "servers": [{"url": "/api"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": {f"/{route.path}": {route.method.lower(): _operation(route)} for route in ROUTES},
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


DESCRIPTION = as_json(describe())
