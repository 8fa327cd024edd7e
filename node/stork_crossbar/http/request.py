"""A request for Twisted's resources, without Twisted's additions: versions, tracebacks, and long error pages."""

from typing import Any

from twisted.web.error import UnsupportedMethod
from twisted.web.server import NOT_DONE_YET, Request


class ShortRequest(Request):
    """Answers GET and HEAD; ``channel`` is an ``http.channel.HttpChannel``."""

    defaultContentType = b"text/plain; charset=utf-8"

    def process(self) -> None:
        # Twisted would answer each of many ranges with a copy of the file. So ranges are ignored, as RFC 9110, 14.2
        # allows.
        if b"," in (self.getHeader(b"range") or b""):
            self.requestHeaders.removeHeader(b"range")
        super().process()

    def render(self, resource: Any) -> None:
        if self.channel.switch(resource):
            return
        try:
            body = resource.render(self)
        except UnsupportedMethod as error:
            self.setHeader(b"allow", b", ".join(error.allowedMethods))
            self.fail_shortly(405, b"this method is not answered here")
            return
        if body is NOT_DONE_YET:
            return
        self.setHeader(b"content-length", b"%d" % len(body))
        self.write(body)
        self.finish()

    def processingFailed(self, reason: Any) -> Any:
        self._log.failure("a page cannot be made", failure=reason)
        if self.startedWriting:
            self.channel.transport.abortConnection()
        else:
            self.fail_shortly(500, b"this page cannot be made now")
        return reason

    def fail_shortly(self, status: int, text: bytes) -> None:
        """Answer with one line."""
        body = text + b"\n"
        self.setResponseCode(status)
        self.setHeader(b"content-type", self.defaultContentType)
        self.setHeader(b"content-length", b"%d" % len(body))
        self.write(body)
        self.finish()
