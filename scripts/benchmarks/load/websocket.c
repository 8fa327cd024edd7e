#include "websocket.h"

#include <stdio.h>
#include <string.h>

static size_t header_size(const uint8_t *header) {
    switch (header[1] & 0x7f) {
    case 126: return 4;
    case 127: return 10;
    default: return 2;
    }
}

size_t frame_header(struct frame *frame, const uint8_t *at, size_t length) {
    size_t taken = 0;
    while (taken < length) {
        frame->header[frame->header_length++] = at[taken++];
        if (frame->header_length < 2 || frame->header_length < header_size(frame->header)) continue;
        size_t size = frame->header_length;
        frame->length = 0;
        if (size == 2) frame->length = frame->header[1] & 0x7f;
        else for (size_t i = 2; i < size; i++) frame->length = frame->length << 8 | frame->header[i];
        frame->left = frame->length;
        // Continuations (0) are read as text: what is counted does not depend on where frames begin.
        frame->opcode = frame->header[0] & 0x0f ? frame->header[0] & 0x0f : WS_TEXT;
        frame->header_length = 0;
        break;
    }
    return taken;
}

size_t frame_write(uint8_t *out, uint8_t opcode, const void *payload, size_t length) {
    size_t at = 0;
    out[at++] = 0x80 | opcode;
    if (length < 126) {
        out[at++] = 0x80 | (uint8_t)length;
    } else {
        out[at++] = 0x80 | 126;
        out[at++] = (uint8_t)(length >> 8);
        out[at++] = (uint8_t)length;
    }
    memset(out + at, 0, 4); // a mask of zeros leaves the payload as it is
    memcpy(out + at + 4, payload, length);
    return at + 4 + length;
}

size_t upgrade_request(char *out, size_t size, const char *host, int port, const char *path, const char *subprotocol) {
    int length = snprintf(out, size,
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nOrigin: http://%s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
        path, host, port, host, port, *subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol, *subprotocol ? "\r\n" : "");
    return (size_t)length;
}
