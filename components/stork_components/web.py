"""The page at ``/``: the files of one folder, and the browser client of this release."""

import os
from collections.abc import Mapping
from typing import Any

from twisted.web.pages import notFound
from twisted.web.resource import IResource
from twisted.web.server import Request
from twisted.web.static import File

from stork_components.pages.page_facts import PAGE_FACTS, PageFacts
from stork_components.pages.page_settings import read_settings
from stork_node.resources import javascript_folder

_TEXT = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_CLIENT_FILES = tuple(
    f"{name}.{suffix}".encode() for name in ("stork", "stork-pusher") for suffix in ("js", "mjs", "d.ts", "d.mts")
)


class _Files(File):
    """Static files without listings."""

    def __init__(self, path: str, headers: Mapping[str, str]) -> None:
        super().__init__(path)
        self._headers = headers
        self.childNotFound = notFound()
        self.contentTypes = {**File.contentTypes, **_TEXT}

    def directoryListing(self) -> IResource:
        return notFound()

    def createSimilarFile(self, path: str) -> File:
        """A file below the folder: Twisted's own method would call the constructor of a subclass."""
        return _Files(path, self._headers)

    def render_GET(self, request: Request) -> Any:
        for name, value in self._headers.items():
            request.setHeader(name.encode(), value.encode())
        return File.render_GET(self, request)

    render_HEAD = render_GET


class Page(_Files):
    """
    A web resource for Crossbar's ``"type": "resource"``.

    Args:
        extra: ``PageSettings``. A missing folder serves 404.
    """

    read_settings = staticmethod(read_settings)

    def __init__(self, extra: Mapping[str, Any]) -> None:
        settings = read_settings(extra)
        super().__init__(os.path.abspath(settings.directory), settings.all_headers)
        self._facts = PageFacts(settings.websocket or "ws")

    def getChild(self, path: bytes, request: Request) -> Any:
        own = path in (PAGE_FACTS, *_CLIENT_FILES) and not self.child(path.decode()).exists()
        if own and path == PAGE_FACTS:
            return self._facts
        if own:
            # A page of any site may import the browser client.
            headers = {**self._headers, "access-control-allow-origin": "*"}
            return _Files(str(javascript_folder() / path.decode()), headers)
        return super().getChild(path, request)
