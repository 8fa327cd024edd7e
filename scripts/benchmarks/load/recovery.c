#include "recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_SIZE = 512 };

static const char POSITION[] = "\"position\":";

void recovery_wait(struct recovery *recovery, int64_t now) {
    double ceiling_s = recovery->tries < 4 ? 1 << recovery->tries : recovery->tries == 4 ? 16 : 20;
    double delay_s = 0.5 + (double)random() / (double)RAND_MAX * (ceiling_s - 0.5);
    recovery->lost = true;
    recovery->tries++;
    recovery->held_first = recovery->held_last = 0;
    recovery->again_at = now + (int64_t)(delay_s * 1e9);
}

// Copy the string that follows the key at `at`.
static void take_position(struct recovery *recovery, const char *at) {
    at += strlen(POSITION);
    while (*at == ' ') at++;
    const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
    if (!end || (size_t)(end - at) > sizeof recovery->position) return;
    memcpy(recovery->position, at + 1, (size_t)(end - at - 1));
    recovery->position[end - at - 1] = 0;
}

void recovery_note(struct recovery *recovery, const char *message, size_t length) {
    (void)length;
    const char *at = strstr(message, POSITION);
    if (at && strncmp(message, "[36,", 4) == 0) take_position(recovery, at);
}

size_t recovery_ask(struct recovery *recovery, const char *topic, char *out) {
    if (*recovery->position)
        return (size_t)snprintf(out, CALL_SIZE, "[48,2,{},\"io.virge.stork.recover\",[{\"%s\":\"%s\"}]]", topic, recovery->position);
    return (size_t)snprintf(out, CALL_SIZE, "[48,2,{},\"io.virge.stork.recover\",[{\"%s\":null}]]", topic);
}

static void hold(struct recovery *recovery, const char *message) {
    const char *mark = strchr(message, '~');
    if (!mark) return;
    char digits[9] = {0};
    memcpy(digits, mark + 1, 8);
    recovery->held_last = (uint32_t)atoi(digits);
    if (!recovery->held_first) recovery->held_first = recovery->held_last;
}

enum step recovery_heard(struct recovery *recovery, struct tally *tally, struct reader *reader, const char *topic,
                         const char *message, size_t length, int64_t now, char *out, size_t *out_length) {
    if (strncmp(message, "[36,", 4) == 0) {
        hold(recovery, message);
        return STEP_WAIT;
    }
    if (strncmp(message, "[8,", 3) == 0) return STEP_REFUSED; // not ready: come back
    if (strncmp(message, "[50,", 4) != 0) return STEP_WAIT;
    bool complete = strstr(message, "\"recovered\":true") || strstr(message, "\"recovered\": true");
    bool latencies = tally->latencies_wanted;
    tally->latencies_wanted = false; // of what was stored meanwhile they say nothing
    tally_scan(tally, reader, message, length, now);
    tally->latencies_wanted = latencies;
    for (const char *at = message; (at = strstr(at, POSITION)); at++) take_position(recovery, at);
    if (complete && strstr(message, "\"more\":true")) {
        *out_length = recovery_ask(recovery, topic, out);
        return STEP_WAIT;
    }
    recovery->recovered = complete;
    if (recovery->held_first > reader->last + 1) tally->missing += recovery->held_first - reader->last - 1;
    if (recovery->held_last > reader->last) reader->last = recovery->held_last;
    return STEP_SUBSCRIBED;
}
