#include "subscribers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recovery.h"
#include "websocket.h"

enum { READ_SIZE = 256 << 10, MESSAGE_SIZE = 2048, SHORT = 48, LOOK_NS = 20000000 };

enum state { AWAY, CONNECTING, UPGRADING, JOINING, RECOVERING, SUBSCRIBED, GONE };

struct connection {
    int fd;
    enum state state;
    struct subscriber who;
    struct reader reader;
    struct frame frame;
    struct recovery recovery;
    char *message; // what is read whole: answers while joining, control frames, whatever is as short as a ping
    size_t message_length, message_room;
    bool whole;    // the frame that is being read goes into `message`
};

struct options option;
struct tally tally;
int ended;
bool counting;

static struct connection *connections;
static int started, on_their_way, joined, refused;
static int64_t joining_since;
static int lost, back, recovered;
static int64_t lost_since;
static int poll_fd;
static char buffer[READ_SIZE];

static void leave(struct connection *c);

void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

// Joining

static void say(struct connection *c, uint8_t opcode, const void *payload, size_t length) {
    uint8_t out[MESSAGE_SIZE + 14];
    size_t size = frame_write(out, opcode, payload, length);
    if (send(c->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size) leave(c);
}

static void open_connection(struct connection *c) {
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct linger reset = {.l_onoff = 1, .l_linger = 0}; // no ports in TIME_WAIT for the next run
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(lost ? option.fallback_port : option.port))};
    inet_pton(AF_INET, option.host, &address.sin_addr);
    c->state = CONNECTING;
    memset(&c->frame, 0, sizeof c->frame);
    c->message_length = 0;
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        leave(c);
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event)) die("epoll_ctl");
}

static void upgrade(struct connection *c) {
    char path[256], request[1024];
    const char *mark = strstr(option.path, "{topic}");
    if (mark) snprintf(path, sizeof path, "%.*s%s%s", (int)(mark - option.path), option.path, c->who.topic, mark + strlen("{topic}"));
    else snprintf(path, sizeof path, "%s", option.path);
    size_t length = upgrade_request(request, sizeof request, option.host, option.port, path, option.protocol->subprotocol);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->state = UPGRADING;
    if (send(c->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) leave(c);
}

static void report_joined(void) {
    if (joined + refused < option.connections || lost) return;
    printf("{\"joined\": %d, \"refused\": %d, \"seconds\": %.6f}\n", joined, refused, (double)(now_ns() - joining_since) / 1e9);
    fflush(stdout);
}

static void report_back(void) {
    if (back < lost || counting) return;
    printf("{\"lost\": %d, \"recovered\": %d, \"seconds\": %.6f, \"missing\": %llu, \"repeated\": %llu}\n", lost, recovered,
           (double)(now_ns() - lost_since) / 1e9, (unsigned long long)tally.missing, (unsigned long long)tally.repeated);
    fflush(stdout);
}

void subscribers_start_more(void) {
    while (started < option.connections && on_their_way < option.window) {
        on_their_way++;
        open_connection(&connections[started++]);
    }
}

static void subscribed(struct connection *c) {
    c->state = SUBSCRIBED;
    if (c->recovery.lost) {
        back++;
        recovered += c->recovery.recovered;
        report_back();
        return;
    }
    on_their_way--;
    joined++;
    report_joined();
}

static void refuse(struct connection *c) {
    c->state = GONE;
    on_their_way--;
    refused++;
    if (refused == 1) fprintf(stderr, "load: a subscriber was refused: %.*s\n", (int)c->message_length, c->message ? c->message : "");
    report_joined();
}

// The connection is over, from either side.
static void leave(struct connection *c) {
    enum state before = c->state;
    if (before == AWAY || before == GONE) return;
    close(c->fd);
    if (option.fallback_port && (before == SUBSCRIBED || c->recovery.lost)) {
        c->state = AWAY;
        if (!lost) lost_since = now_ns();
        lost += !c->recovery.lost;
        recovery_wait(&c->recovery, now_ns());
    } else if (before == SUBSCRIBED) {
        c->state = GONE;
        ended++;
    } else {
        refuse(c);
    }
}

void subscribers_come_back(void) {
    static int64_t looked_at;
    int64_t now = now_ns();
    if (!lost || back == lost || now - looked_at < LOOK_NS) return;
    looked_at = now;
    for (struct connection *c = connections; c < connections + option.connections; c++)
        if (c->state == AWAY && c->recovery.lost && c->recovery.again_at <= now) open_connection(c);
}

// Reading

static void keep(struct connection *c, const char *text, size_t length) {
    if (c->message_length + length + 1 > c->message_room) {
        c->message_room = c->message_length + length + 256;
        c->message = realloc(c->message, c->message_room);
        if (!c->message) die("realloc");
    }
    memcpy(c->message + c->message_length, text, length);
    c->message_length += length;
    c->message[c->message_length] = 0;
}

static void heard_joining(struct connection *c, int64_t now) {
    char out[MESSAGE_SIZE];
    size_t out_length = 0;
    enum step step;
    if (c->state == RECOVERING) {
        step = recovery_heard(&c->recovery, &tally, &c->reader, c->who.topic, c->message, c->message_length, now, out, &out_length);
    } else {
        step = option.protocol->heard(&c->who, c->message, c->message_length, out, &out_length);
        if (step == STEP_SUBSCRIBED && option.fallback_port) {
            c->state = RECOVERING;
            out_length = recovery_ask(&c->recovery, c->who.topic, out);
            step = STEP_WAIT;
        }
    }
    if (out_length) say(c, option.protocol->opcode, out, out_length);
    if (step == STEP_SUBSCRIBED) subscribed(c);
    if (step == STEP_REFUSED && c->recovery.lost) leave(c);
    else if (step == STEP_REFUSED) close(c->fd), refuse(c);
}

static void heard(struct connection *c, uint8_t opcode, int64_t now) {
    const struct protocol *protocol = option.protocol;
    if (opcode == WS_PING) say(c, WS_PONG, c->message, c->message_length);
    else if (opcode == WS_CLOSE) leave(c);
    else if (opcode == WS_PONG) return;
    else if (c->state != SUBSCRIBED) heard_joining(c, now);
    else if (protocol->ping && c->message_length == strlen(protocol->ping) && !memcmp(c->message, protocol->ping, c->message_length))
        say(c, protocol->opcode, protocol->pong, strlen(protocol->pong));
    else {
        tally_scan(&tally, &c->reader, c->message, c->message_length, now);
        if (option.fallback_port) recovery_note(&c->recovery, c->message, c->message_length);
    }
}

static void read_frames(struct connection *c, const char *text, size_t length, int64_t now) {
    const char *end = text + length;
    while (text < end || (c->frame.opcode && !c->frame.left)) {
        if (!c->frame.opcode) {
            text += frame_header(&c->frame, (const uint8_t *)text, (size_t)(end - text));
            if (!c->frame.opcode) return;
            c->whole = c->state != SUBSCRIBED || c->frame.opcode >= WS_CLOSE || c->frame.length <= SHORT || option.fallback_port;
            if (c->whole) c->message_length = 0;
        }
        size_t part = (uint64_t)(end - text) < c->frame.left ? (size_t)(end - text) : (size_t)c->frame.left;
        if (c->whole) keep(c, text, part);
        else tally_scan(&tally, &c->reader, text, part, now);
        text += part;
        c->frame.left -= part;
        if (c->frame.left) return;
        uint8_t opcode = c->frame.opcode;
        c->frame.opcode = 0;
        if (c->whole) heard(c, opcode, now);
        if (c->state == GONE || c->state == AWAY) return;
    }
}

static void read_upgrade(struct connection *c, const char *text, size_t length, int64_t now) {
    keep(c, text, length);
    char *end = strstr(c->message, "\r\n\r\n");
    if (!end) return;
    if (strncmp(c->message, "HTTP/1.1 101", 12) != 0) {
        leave(c);
        return;
    }
    size_t taken = (size_t)(end + 4 - c->message), rest = c->message_length - taken;
    c->message_length = 0;
    if (option.protocol->speaks) {
        char out[MESSAGE_SIZE];
        c->state = JOINING;
        if (option.protocol->greet) say(c, option.protocol->opcode, out, option.protocol->greet(&c->who, out, sizeof out));
    } else {
        subscribed(c);
    }
    if (rest && c->state != GONE && c->state != AWAY) read_frames(c, text + length - rest, rest, now);
}

void subscriber_ready(void *subscriber, uint32_t events) {
    struct connection *c = subscriber;
    if (c->state == CONNECTING) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) leave(c);
        else if (events & EPOLLOUT) upgrade(c);
        return;
    }
    ssize_t length = recv(c->fd, buffer, sizeof buffer, 0);
    if (length <= 0) {
        if (length == 0 || errno != EAGAIN) leave(c);
        return;
    }
    int64_t now = now_ns();
    if (c->state == UPGRADING) read_upgrade(c, buffer, (size_t)length, now);
    else read_frames(c, buffer, (size_t)length, now);
}

void subscribers_make(int poll) {
    poll_fd = poll;
    connections = calloc((size_t)option.connections, sizeof *connections);
    if (!connections) die("calloc");
    for (int i = 0; i < option.connections; i++) {
        connections[i].who = (struct subscriber){.number = i, .ticket = option.ticket};
        snprintf(connections[i].who.topic, sizeof connections[i].who.topic, "v1.bench.%d", i % option.topics);
    }
    joining_since = now_ns();
}

void subscribers_count_anew(void) {
    for (struct connection *c = connections; c < connections + option.connections; c++) c->reader.last = 0;
}
