"""The HTTP API, as far as it needs no socket: keys, requests, answers, and its description (docs/http.md)."""
