// The client's half of RFC 6455, as a stream: frames are read where they lie, and never put together.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

// Where a connection stands within the frame that it is reading.
struct frame {
    uint8_t header[10];
    uint8_t header_length;
    uint8_t opcode;  // 0 between frames
    uint64_t length; // of the payload
    uint64_t left;   // of the payload, still to come
};

// Take header bytes from `at`; returns how many were taken. The header is complete when `opcode` is not 0.
size_t frame_header(struct frame *frame, const uint8_t *at, size_t length);

// Write a masked frame to `out` (length + 14 bytes at most); returns its length.
size_t frame_write(uint8_t *out, uint8_t opcode, const void *payload, size_t length);

// Write the request of an upgrade; returns its length.
size_t upgrade_request(char *out, size_t size, const char *host, int port, const char *path, const char *subprotocol);
