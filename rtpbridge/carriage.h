#pragma once
/*
 * How datagrams come and go: one face for two ways of asking the system, io_uring (uring.c) and epoll (epoll.c). All of
 * it is the media thread's own. Knows sockets and addresses, but not what is in a packet.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "address.h"

#define TURN_ARRIVALS 256 /* taken in one turn: bounds how long a caller waits for the state */
#define LEAVING_MAX 512   /* of one turn: what came and what we made */
#define GATHERED_ENOUGH 64 /* in one turn: waking up for it costs as much as a few packets */

struct port;

enum arrival_kind { ARRIVAL_RTP, ARRIVAL_RTCP, ARRIVAL_TICK, ARRIVAL_WAKE, ARRIVAL_ENDED };

/* Something that came: a datagram of a port, word that a port is watched no longer, or a descriptor of the thread's own. */
struct arrival {
    enum arrival_kind kind;
    struct port *port;           /* NULL for a tick and a wake */
    uint8_t *octets;             /* with PACKET_TRAILER_BYTES behind PACKET_BYTES_MAX; valid until the next wait */
    size_t bytes;
    bool truncated;              /* there was more than PACKET_BYTES_MAX */
    const union address *source;
};

/* A datagram that is to leave by its port's RTP socket. */
struct leaving {
    struct port *port;
    size_t payload_bytes;
    union address to;
};

struct departures {
    size_t count;
    struct leaving leaving[LEAVING_MAX];
    struct mmsghdr messages[LEAVING_MAX];
    struct iovec contents[LEAVING_MAX];
};

struct carriage {
    /* tick_fd and wake_fd are told as ARRIVAL_TICK and ARRIVAL_WAKE when readable. An errno; ENOSYS: not on this host. */
    int (*open)(void **state, int tick_fd, int wake_fd);
    void (*close)(void *state);
    /* Both sockets of the port from now on. */
    int (*watch)(void *state, struct port *port);
    /* True: nothing of the port comes any more. False: ARRIVAL_ENDED will say when. */
    bool (*unwatch)(void *state, struct port *port);
    /*
     * Waits until next() has something; with a patience until GATHERED_ENOUGH has come or the patience is over, whatever has
     * come by then. What was sent is on its way before it waits.
     */
    void (*wait)(void *state, int64_t patience_ns);
    /* False: the turn is over, because nothing is left or it has been long enough. */
    bool (*next)(void *state, struct arrival *arrival);
    /* Sends in that order and counts it on the ports; `now`, or by the next wait() at the latest, up to which nothing may move. */
    void (*send)(void *state, struct departures *departures, bool now);
};

extern const struct carriage carriage_uring;
extern const struct carriage carriage_epoll;
