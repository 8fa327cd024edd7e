"""The page at ``/``: the files of one folder, and the browser client of this release."""

import os
from collections.abc import Mapping
from typing import Any

from twisted.web.pages import notFound
from twisted.web.resource import IResource
from twisted.web.server import Request
from twisted.web.static import File

from stork_components.pages.page_facts import PAGE_FACTS, PageFacts
from stork_node.resources import javascript_folder

_HEADERS = {
    # The page runs no script but its own; 'self' covers WebSockets in newer browsers only.
    b"content-security-policy": (
        b"default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
        b"frame-ancestors 'none'; base-uri 'none'"
    ),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
_TEXT = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_CLIENT_FILES = (b"stork.js", b"stork.mjs", b"stork.d.ts", b"stork.d.mts")


class _Files(File):
    """
    Static files without listings. Browsers revalidate them at each visit: they are small, and a release may change
    them.
    """

    def directoryListing(self) -> IResource:
        return notFound()

    def render_GET(self, request: Request) -> Any:
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        request.setHeader(b"cache-control", b"no-cache")
        return File.render_GET(self, request)

    render_HEAD = render_GET


class _ClientFiles(_Files):
    """The browser client, which a page of any site may import."""

    def render_GET(self, request: Request) -> Any:
        request.setHeader(b"access-control-allow-origin", b"*")
        return super().render_GET(request)

    render_HEAD = render_GET


class Page(_Files):
    """
    A web resource for Crossbar's ``"type": "resource"``.

    Args:
        extra: ``{"directory": "web"}``, relative to the folder of config.json. A missing folder serves 404.
    """

    def __init__(self, extra: Mapping[str, Any]) -> None:
        super().__init__(os.path.abspath(extra["directory"]))
        self._facts = PageFacts()
        self.childNotFound = notFound()
        self.contentTypes = {**File.contentTypes, **_TEXT}

    def createSimilarFile(self, path: str) -> File:
        """A file below the folder: Twisted's own method would call this class's constructor, with its ``extra``."""
        return self._dress(_Files(path))

    def _dress(self, file: File) -> File:
        file.childNotFound, file.contentTypes = self.childNotFound, self.contentTypes
        return file

    def getChild(self, path: bytes, request: Request) -> Any:
        if path == PAGE_FACTS and not self.child(path.decode()).exists():
            return self._facts
        if path in _CLIENT_FILES and not self.child(path.decode()).exists():
            return self._dress(_ClientFiles(str(javascript_folder() / path.decode())))
        return super().getChild(path, request)
