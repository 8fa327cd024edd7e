// Coming back after a lost connection, and asking for what was missed (docs/delivery.md#the-clients-algorithm).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "protocols.h"
#include "tally.h"

struct recovery {
    bool lost;         // its first connection has ended
    bool recovered;    // … and nothing was missed
    int tries;
    int64_t again_at;  // ns
    char position[96]; // of the last event
    uint32_t held_first, held_last; // numbers of the events that came before the answer
};

// Set when to try again: full jitter between 0.5 s and a ceiling of 1, 2, 4 … 20 s.
void recovery_wait(struct recovery *, int64_t now);

// Remember the position of the last event in a message.
void recovery_note(struct recovery *, const char *message, size_t length);

// Write the call of io.virge.stork.recover; returns its length.
size_t recovery_ask(struct recovery *, const char *topic, char *out);

// Judge a message that came before recovery is over.
enum step recovery_heard(struct recovery *, struct tally *, struct reader *, const char *topic, const char *message, size_t length,
                         int64_t now, char *out, size_t *out_length);
