// Counting events: each has a mark in its text, which is found without parsing what is around it.
//
//     ~00000042000000001234567890        '~', its number within its topic (8 digits), CLOCK_MONOTONIC when it was pushed (ns, 18 digits)
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MARK_LENGTH = 1 + 8 + 18 };

// What one subscriber has got. The mark may be cut in two by the end of a read or of a frame: its first part is kept.
struct reader {
    uint32_t last; // number of the last event
    uint8_t kept_length;
    char kept[MARK_LENGTH];
};

// What all of them have got since the last `tally_reset`.
struct tally {
    uint64_t received, missing, repeated;
    int64_t first_ns, last_ns;
    bool latencies_wanted;
    uint32_t *latencies; // microseconds
    size_t latency_count, latency_room;
};

int64_t now_ns(void);

void tally_reset(struct tally *, bool latencies_wanted);

// Count the marks in the next piece of what came for `reader`, which was read at `now`.
void tally_scan(struct tally *, struct reader *, const char *text, size_t length, int64_t now);

// The latency (microseconds) that a share of all events had at most. Sorts.
double tally_quantile(struct tally *, double share);
