// What a subscriber says in each protocol between its upgrade and its first event.
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum step { STEP_WAIT, STEP_SUBSCRIBED, STEP_REFUSED };

// One connection's part of the words below.
struct subscriber {
    int number;
    char topic[64];
    const char *ticket;
};

struct protocol {
    const char *name, *subprotocol;
    unsigned char opcode; // of what the client sends
    bool speaks;          // false: subscribed by its upgrade alone
    // What to send after the upgrade; returns its length. NULL: the server begins.
    size_t (*greet)(const struct subscriber *, char *out, size_t size);
    // Judge one message; writes the answer to it, if any.
    enum step (*heard)(const struct subscriber *, const char *message, size_t length, char *out, size_t *out_length);
    const char *ping, *pong; // a message that wants an answer, besides WebSocket's own
};

// NULL for a name that there is not.
const struct protocol *find_protocol(const char *name);
