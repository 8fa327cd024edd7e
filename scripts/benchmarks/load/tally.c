#include "tally.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void tally_reset(struct tally *tally, bool latencies_wanted) {
    tally->received = tally->missing = tally->repeated = tally->latency_count = 0;
    tally->first_ns = tally->last_ns = 0;
    tally->latencies_wanted = latencies_wanted;
}

static int64_t number(const char *digits, int count) {
    int64_t value = 0;
    for (int i = 0; i < count; i++) value = value * 10 + (digits[i] - '0');
    return value;
}

static void note_latency(struct tally *tally, int64_t ns) {
    if (tally->latency_count == tally->latency_room) {
        tally->latency_room = tally->latency_room ? tally->latency_room * 2 : 1 << 16;
        tally->latencies = realloc(tally->latencies, tally->latency_room * sizeof *tally->latencies);
        if (!tally->latencies) abort();
    }
    tally->latencies[tally->latency_count++] = (uint32_t)(ns / 1000);
}

static void count(struct tally *tally, struct reader *reader, const char *mark, int64_t now) {
    uint32_t sequence = (uint32_t)number(mark + 1, 8);
    if (sequence <= reader->last) {
        tally->repeated++; // or out of order
        return;
    }
    tally->missing += sequence - reader->last - 1;
    reader->last = sequence;
    tally->received++;
    if (!tally->first_ns) tally->first_ns = now;
    tally->last_ns = now;
    if (tally->latencies_wanted) note_latency(tally, now - number(mark + 9, 18));
}

void tally_scan(struct tally *tally, struct reader *reader, const char *text, size_t length, int64_t now) {
    const char *end = text + length;
    if (reader->kept_length) {
        size_t wanted = MARK_LENGTH - reader->kept_length, taken = wanted < length ? wanted : length;
        memcpy(reader->kept + reader->kept_length, text, taken);
        reader->kept_length += (uint8_t)taken;
        text += taken;
        if (reader->kept_length < MARK_LENGTH) return;
        reader->kept_length = 0;
        count(tally, reader, reader->kept, now);
    }
    while ((text = memchr(text, '~', (size_t)(end - text)))) {
        if (end - text < MARK_LENGTH) {
            reader->kept_length = (uint8_t)(end - text);
            memcpy(reader->kept, text, reader->kept_length);
            return;
        }
        count(tally, reader, text, now);
        text += MARK_LENGTH;
    }
}

static int ascending(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

double tally_quantile(struct tally *tally, double share) {
    if (!tally->latency_count) return 0;
    qsort(tally->latencies, tally->latency_count, sizeof *tally->latencies, ascending);
    size_t at = (size_t)(share * (double)tally->latency_count);
    return tally->latencies[at < tally->latency_count ? at : tally->latency_count - 1];
}
