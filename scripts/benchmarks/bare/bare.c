// The bare socket loop: what a WebSocket server of one topic costs that does nothing but send(). It bounds what any server
// can do in one thread here, and shows that the load client is not the bottleneck.
//
//     bare PORT PUSH-PORT each|joined
//
// On PUSH-PORT come messages, each after its length (4 bytes, big-endian). `each`: one send() for each message and
// subscriber. `joined`: one send() to each subscriber for all messages that wait.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITING_SIZE = 1 << 20, MOST = 65536 };

static const char UPGRADED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"; // of the key in RFC 6455

static int poll_fd, listener, push_listener, pusher = -1;
static int subscribers[MOST], subscriber_count;
static unsigned char waiting[WAITING_SIZE], frames[WAITING_SIZE * 2];
static size_t waiting_length;

static void die(const char *what) {
    fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("bind");
    watch(fd);
    return fd;
}

static void drop(int index) {
    close(subscribers[index]);
    subscribers[index] = -1;
}

static void send_all(int index, const unsigned char *at, size_t length) {
    while (length) {
        ssize_t sent = send(subscribers[index], at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = subscribers[index], .events = POLLOUT};
            poll(&writable, 1, 1000); // a reader that does not read holds everyone up: good enough for a bound
        } else if (sent < 0) {
            drop(index);
            return;
        } else {
            at += sent, length -= (size_t)sent;
        }
    }
}

static void send_to_all(const unsigned char *at, size_t length) {
    for (int i = 0; i < subscriber_count; i++)
        if (subscribers[i] >= 0) send_all(i, at, length);
}

static size_t write_frame(unsigned char *out, const unsigned char *payload, size_t length) {
    size_t at = 0;
    out[at++] = 0x81;
    if (length < 126) out[at++] = (unsigned char)length;
    else out[at++] = 126, out[at++] = (unsigned char)(length >> 8), out[at++] = (unsigned char)length;
    memcpy(out + at, payload, length);
    return at + length;
}

static void take_pushes(int joined) {
    ssize_t got = recv(pusher, waiting + waiting_length, sizeof waiting - waiting_length, 0);
    if (got <= 0) {
        close(pusher);
        pusher = -1;
        waiting_length = 0;
        return;
    }
    waiting_length += (size_t)got;
    size_t at = 0, framed = 0;
    while (waiting_length - at >= 4) {
        uint32_t length;
        memcpy(&length, waiting + at, 4);
        length = ntohl(length);
        if (waiting_length - at - 4 < length) break;
        framed += write_frame(frames + framed, waiting + at + 4, length);
        at += 4 + length;
        if (!joined) send_to_all(frames, framed), framed = 0;
    }
    if (framed) send_to_all(frames, framed);
    memmove(waiting, waiting + at, waiting_length - at);
    waiting_length -= at;
}

// A request comes in one piece from the load client.
static void answer(int fd) {
    char request[4096];
    int one = 1;
    if (recv(fd, request, sizeof request, 0) > 0 && subscriber_count < MOST) {
        epoll_ctl(poll_fd, EPOLL_CTL_DEL, fd, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        subscribers[subscriber_count++] = fd;
        if (send(fd, UPGRADED, sizeof UPGRADED - 1, MSG_NOSIGNAL) > 0) return;
    }
    close(fd);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: bare PORT PUSH-PORT each|joined\n");
        return 2;
    }
    poll_fd = epoll_create1(0);
    listener = listen_on(atoi(argv[1]));
    push_listener = listen_on(atoi(argv[2]));
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(poll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener || fd == push_listener) {
                int accepted = accept(fd, NULL, NULL);
                if (accepted < 0) continue;
                if (fd == push_listener) pusher = accepted;
                watch(accepted);
            } else if (fd == pusher) {
                take_pushes(strcmp(argv[3], "joined") == 0);
            } else {
                answer(fd);
            }
        }
    }
}
