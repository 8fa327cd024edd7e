"""``/status`` of the operator's port: a page that shows the deployment. It has no secret; its data need a key."""

from pathlib import Path

from twisted.web.pages import notFound
from twisted.web.resource import Resource
from twisted.web.server import Request

_FOLDER = Path(__file__).with_name("status")
_TYPES = {".html": b"text/html", ".css": b"text/css", ".js": b"text/javascript", ".svg": b"image/svg+xml"}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"cache-control": b"no-cache",
    b"content-security-policy": _POLICY,
    b"cross-origin-opener-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}


class StatusPage(Resource):
    """The page itself, and its files below it."""

    def __init__(self) -> None:
        super().__init__()
        self._page = _File(_FOLDER / "status.html")
        for path in sorted(_FOLDER.iterdir()):
            if path.suffix != ".html":
                self.putChild(path.name.encode(), _File(path))

    def getChild(self, _path: bytes, _request: Request) -> Resource:
        return notFound()

    def render_GET(self, request: Request) -> bytes:
        return self._page.render_GET(request)


class _File(Resource):
    """A small file, in memory."""

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._type, self._data = _TYPES[path.suffix] + b"; charset=utf-8", path.read_bytes()

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", self._type)
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        return self._data
