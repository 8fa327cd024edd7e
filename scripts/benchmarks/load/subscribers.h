// The subscribers: each connection's way from its first packet to its events, and back after it was lost.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "protocols.h"
#include "tally.h"

struct options {
    const char *host, *path, *ticket;
    int port, fallback_port, connections, topics, window;
    const struct protocol *protocol;
};

extern struct options option;
extern struct tally tally;
extern int ended;     // connections that ended after they had subscribed, and do not come back
extern bool counting; // between a command and its answer, when no other line is to be written

void die(const char *what);

// Make the subscribers that `option` asks for, and watch their sockets with this epoll.
void subscribers_make(int poll_fd);

// Start as many as may be on their way in.
void subscribers_start_more(void);

// Take what has happened on the socket that epoll has this pointer for.
void subscriber_ready(void *subscriber, uint32_t events);

// Open those connections again whose time has come.
void subscribers_come_back(void);

// Let all count their topic's events from 1.
void subscribers_count_anew(void);
