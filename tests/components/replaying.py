"""A relay's side of replay, for tests: requests, and all pages of a log."""

from stork_node.protocol.bus import EraseFrame, PushFrame, decode_frame
from stork_node.protocol.replay import Page, PageHeader, ReplayRequest, decode_answer, encode_request
from tests.components.served import Peer

FOREVER_S, NO_LIMIT = 1e9, 2**50


def request(
    epoch: str = "",
    after: int = 0,
    run: str = "",
    keep_s: float = FOREVER_S,
    keep_bytes: int = NO_LIMIT,
    proof: str = "",
) -> ReplayRequest:
    """A request of a relay that can use everything."""
    return ReplayRequest(epoch, after, run, keep_s, keep_bytes, proof)


def request_after(header: PageHeader) -> ReplayRequest:
    """What a relay asks that got this page last."""
    return request(header.epoch, header.last, header.run, proof=header.proof)


def ask_page(relay: Peer, asked: ReplayRequest) -> Page:
    """One page; ``relay`` is a DEALER."""
    relay.send(encode_request(asked))
    return decode_answer(relay.recv_multipart())


def all_pages(relay: Peer, asked: ReplayRequest | None = None) -> list[Page]:
    """Page after page up to the tail."""
    pages = [ask_page(relay, asked or request())]
    while (header := pages[-1].header).last < header.tail:
        pages.append(ask_page(relay, request_after(header)))
    return pages


def frames_of(pages: list[Page]) -> list[bytes]:
    """All frames of some pages."""
    return [frame for page in pages for frame in page.frames]


def numbers_of(pages: list[Page]) -> list[int]:
    """The sequences that the frames of some pages say that they have."""
    found = []
    for frame in map(decode_frame, frames_of(pages)):
        assert isinstance(frame, PushFrame | EraseFrame)
        found.append(frame.position.sequence)
    return found
