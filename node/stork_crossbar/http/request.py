"""A request for Twisted's resources, without Twisted's additions: versions, tracebacks, and long error pages."""

import re
from typing import Any

from twisted.web.error import UnsupportedMethod
from twisted.web.server import NOT_DONE_YET, Request

# Twisted raises exceptions for other forms of these headers, and answers each of many ranges with a copy of the file. A
# header of another form is ignored, as RFC 9110 allows (13.1.3, 14.2).
_PASSING = {
    b"range": re.compile(rb"bytes=(?:[0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})"),
    b"if-modified-since": re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"),
}


class ShortRequest(Request):
    """Answers GET and HEAD; ``channel`` is an ``http.channel.HttpChannel``."""

    defaultContentType = b"text/plain; charset=utf-8"

    def process(self) -> None:
        for name, form in _PASSING.items():
            if not form.fullmatch(self.getHeader(name) or b""):
                self.requestHeaders.removeHeader(name)
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
