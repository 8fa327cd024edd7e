// The load client: many WebSocket subscribers in one epoll loop.
//
//     load HOST PORT PATH PROTOCOL CONNECTIONS TOPICS WINDOW TICKET [FALLBACK-PORT]
//
// Subscriber i has the topic v1.bench.(i mod TOPICS), which takes the place of {topic} in PATH. WINDOW connections at a
// time are on their way in; then a line tells how long that took. Commands on standard input, each answered with one line of JSON:
//
//     run EVENTS QUIET_S LATENCIES    count until EVENTS have come, or none for QUIET_S; LATENCIES is 1 to have quantiles
//     quit
//
// With FALLBACK-PORT, subscribers (of WAMP) keep a position; those whose connection ends come back there, with jitter,
// and recover. When all are back, a line tells so.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "subscribers.h"

enum { TURN_MS = 20 };

static int64_t quiet_ns, run_since;
static uint64_t run_events;

static void report_run(void) {
    printf("{\"received\": %llu, \"missing\": %llu, \"repeated\": %llu, \"ended\": %d, \"first_ns\": %lld, \"last_ns\": %lld",
           (unsigned long long)tally.received, (unsigned long long)tally.missing, (unsigned long long)tally.repeated, ended,
           (long long)tally.first_ns, (long long)tally.last_ns);
    if (tally.latency_count)
        printf(", \"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f", tally_quantile(&tally, 0.5), tally_quantile(&tally, 0.99), tally_quantile(&tally, 1));
    printf("}\n");
    fflush(stdout);
    counting = false;
}

static void check_run(void) {
    int64_t since = tally.last_ns > run_since ? tally.last_ns : run_since;
    if (counting && (tally.received >= run_events || now_ns() - since > quiet_ns)) report_run();
}

static void command(void) {
    static char line[256];
    if (!fgets(line, sizeof line, stdin) || strncmp(line, "quit", 4) == 0) exit(0);
    unsigned long long events;
    double quiet_s;
    int latencies;
    if (sscanf(line, "run %llu %lf %d", &events, &quiet_s, &latencies) != 3) {
        fprintf(stderr, "load: not a command: %s", line);
        exit(2);
    }
    tally_reset(&tally, latencies);
    subscribers_count_anew();
    run_events = events;
    quiet_ns = (int64_t)(quiet_s * 1e9);
    run_since = now_ns();
    counting = true;
    printf("{\"counting\": true}\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 9) {
        fprintf(stderr, "usage: load HOST PORT PATH PROTOCOL CONNECTIONS TOPICS WINDOW TICKET [FALLBACK-PORT]\n");
        return 2;
    }
    option = (struct options){
        .host = argv[1], .port = atoi(argv[2]), .path = argv[3], .protocol = find_protocol(argv[4]), .connections = atoi(argv[5]),
        .topics = atoi(argv[6]), .window = atoi(argv[7]), .ticket = argv[8], .fallback_port = argc > 9 ? atoi(argv[9]) : 0,
    };
    if (!option.protocol || option.connections < 1 || option.topics < 1 || option.window < 1) {
        fprintf(stderr, "load: no such protocol, or not a number above 0\n");
        return 2;
    }
    setvbuf(stdin, NULL, _IONBF, 0);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event)) die("epoll_ctl");
    subscribers_make(poll_fd);
    for (;;) {
        struct epoll_event events[1024];
        subscribers_start_more();
        int count = epoll_wait(poll_fd, events, 1024, TURN_MS);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) subscriber_ready(events[i].data.ptr, events[i].events);
            else command();
        }
        subscribers_come_back();
        check_run();
    }
}
