#include "protocols.h"

#include <stdio.h>
#include <string.h>

#include "hmac.h"

enum { OUT_SIZE = 2048 };

static bool begins(const char *message, size_t length, const char *with) {
    return length >= strlen(with) && memcmp(message, with, strlen(with)) == 0;
}

static bool contains(const char *message, size_t length, const char *what) {
    return memmem(message, length, what, strlen(what)) != NULL;
}

// WAMP, JSON, ticket authentication.

static size_t wamp_greet(const struct subscriber *who, char *out, size_t size) {
    return (size_t)snprintf(out, size,
        "[1,\"realm1\",{\"roles\":{\"subscriber\":{},\"caller\":{}},\"authmethods\":[\"ticket\"],\"authid\":\"user-%d\"}]",
        who->number);
}

static enum step wamp_heard(const struct subscriber *who, const char *message, size_t length, char *out, size_t *out_length) {
    if (begins(message, length, "[4,"))
        *out_length = (size_t)snprintf(out, OUT_SIZE, "[5,\"%s\",{}]", who->ticket);
    else if (begins(message, length, "[2,"))
        *out_length = (size_t)snprintf(out, OUT_SIZE, "[32,1,{},\"%s\"]", who->topic);
    else if (begins(message, length, "[33,"))
        return STEP_SUBSCRIBED;
    else if (begins(message, length, "[3,") || begins(message, length, "[6,") || begins(message, length, "[8,"))
        return STEP_REFUSED;
    return STEP_WAIT;
}

// NATS: user and password; the server has subscribed when it answers the ping.

static size_t nats_greet(const struct subscriber *who, char *out, size_t size) {
    return (size_t)snprintf(out, size,
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"user\":\"frontend\",\"pass\":\"%s\",\"lang\":\"c\",\"version\":\"1\","
        "\"protocol\":1}\r\nSUB %s 1\r\nPING\r\n",
        who->ticket, who->topic);
}

static enum step nats_heard(const struct subscriber *who, const char *message, size_t length, char *out, size_t *out_length) {
    (void)who, (void)out, (void)out_length;
    if (contains(message, length, "-ERR")) return STEP_REFUSED;
    return contains(message, length, "PONG\r\n") ? STEP_SUBSCRIBED : STEP_WAIT;
}

// MQTT 3.1.1, quality of service 0, no keep-alive.

static size_t mqtt_string(char *out, const char *text) {
    size_t length = strlen(text);
    out[0] = (char)(length >> 8);
    out[1] = (char)length;
    memcpy(out + 2, text, length);
    return length + 2;
}

static size_t mqtt_packet(char *out, unsigned char type, const char *body, size_t length) {
    size_t at = 0, left = length;
    out[at++] = (char)type;
    do {
        out[at++] = (char)(left % 128 | (left >= 128 ? 128 : 0));
        left /= 128;
    } while (left);
    memcpy(out + at, body, length);
    return at + length;
}

static size_t mqtt_greet(const struct subscriber *who, char *out, size_t size) {
    (void)size;
    char body[OUT_SIZE / 2], client[32];
    snprintf(client, sizeof client, "user-%d", who->number);
    memcpy(body, "\0\4MQTT\4\xc2\0\0", 10); // clean session, user name and password
    size_t at = 10;
    at += mqtt_string(body + at, client);
    at += mqtt_string(body + at, "frontend");
    at += mqtt_string(body + at, who->ticket);
    return mqtt_packet(out, 0x10, body, at);
}

static enum step mqtt_heard(const struct subscriber *who, const char *message, size_t length, char *out, size_t *out_length) {
    if (begins(message, length, "\x20\x02")) {
        if (length < 4 || message[3] != 0) return STEP_REFUSED;
        char body[128] = {0, 1};
        size_t at = 2 + mqtt_string(body + 2, who->topic);
        body[at++] = 0;
        *out_length = mqtt_packet(out, 0x82, body, at);
        return STEP_WAIT;
    }
    if (begins(message, length, "\x90\x03")) return length >= 5 && message[4] == 0 ? STEP_SUBSCRIBED : STEP_REFUSED;
    return STEP_WAIT;
}

// Centrifugo's JSON protocol: connect with a token and subscribe, in one message.

static size_t centrifugo_greet(const struct subscriber *who, char *out, size_t size) {
    return (size_t)snprintf(out, size,
        "{\"id\":1,\"connect\":{\"token\":\"%s\"}}\n{\"id\":2,\"subscribe\":{\"channel\":\"%s\"}}", who->ticket, who->topic);
}

static enum step centrifugo_heard(const struct subscriber *who, const char *message, size_t length, char *out, size_t *out_length) {
    (void)who, (void)out, (void)out_length;
    if (contains(message, length, "\"error\":")) return STEP_REFUSED;
    return contains(message, length, "\"id\":2,\"subscribe\":") ? STEP_SUBSCRIBED : STEP_WAIT;
}

// Pusher: a private channel, signed for the socket. The ticket is KEY:SECRET, and the channel of v1.bench.0 is
// private-bench.0.

static enum step pusher_heard(const struct subscriber *who, const char *message, size_t length, char *out, size_t *out_length) {
    static const char mark[] = "socket_id\\\":\\\"";
    const char *id = memmem(message, length, mark, sizeof mark - 1), *secret = strchr(who->ticket, ':') + 1;
    if (contains(message, length, "subscription_succeeded")) return STEP_SUBSCRIBED;
    if (!id) return STEP_REFUSED;
    id += sizeof mark - 1;
    char text[256], signature[HMAC_HEX];
    const char *channel = who->topic + strlen("v1.");
    int size = snprintf(text, sizeof text, "%.*s:private-%s", (int)strcspn(id, "\\"), id, channel);
    hmac_hex(secret, strlen(secret), text, (size_t)size, signature);
    *out_length = (size_t)snprintf(out, OUT_SIZE,
        "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"private-%s\",\"auth\":\"%.*s%s\"}}", channel,
        (int)(secret - who->ticket), who->ticket, signature);
    return STEP_WAIT;
}

static const struct protocol PROTOCOLS[] = {
    {"wamp", "wamp.2.json", 1, true, wamp_greet, wamp_heard, NULL, NULL},
    {"nats", "", 2, true, nats_greet, nats_heard, "PING\r\n", "PONG\r\n"},
    {"mqtt", "mqtt", 2, true, mqtt_greet, mqtt_heard, NULL, NULL},
    {"centrifugo", "", 1, true, centrifugo_greet, centrifugo_heard, "{}", "{}"},
    {"pusher", "", 1, true, NULL, pusher_heard, "{\"event\":\"pusher:ping\",\"data\":\"{}\"}", "{\"event\":\"pusher:pong\",\"data\":\"{}\"}"},
    {"raw", "", 1, false, NULL, NULL, NULL, NULL},
};

const struct protocol *find_protocol(const char *name) {
    for (size_t i = 0; i < sizeof PROTOCOLS / sizeof *PROTOCOLS; i++)
        if (strcmp(PROTOCOLS[i].name, name) == 0) return &PROTOCOLS[i];
    return NULL;
}
