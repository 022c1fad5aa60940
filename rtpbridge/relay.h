#pragma once
/*
 * What becomes of the packets that have come to a port. One way for all of them, in this order: received, whose it is
 * (latch), opened (envelope), believed (latch), read, counted, listened to, recoded, made part of the stream to the peer's far
 * side, sealed (envelope), sent. Hooks of hooks.h stand where they are named in relay.c.
 */

#include <stdint.h>

#include "batch.h"
#include "port.h"
#include "ring.h"

/* What the packets of one turn are judged by. */
struct turn {
    struct batch *batch;
    struct ring *ring;
    int64_t now_ns;
    struct latch_rules latch;
    size_t *fences_left;       /* that may be raised in it: each costs as much as some packets */
    int64_t *due_ns;           /* by the port's place: when a tick must look at it next */
};

/* What has come to the port, or for it, has something to do with time: the next tick looks at it. */
static inline void turn_rouse(const struct turn *turn, const struct port *port)
{
    turn->due_ns[port->place] = 0;
}

/* Takes one datagram that came to the port's RTP or RTCP socket; what goes on waits in the batch. */
void relay_rtp(struct port *port, const struct arrival *arrival, const struct turn *turn);
void relay_rtcp(struct port *port, const struct arrival *arrival, const struct turn *turn);
/* Leaves a packet of our own, whose header is of a source of its own, in the batch for the port's far side. */
void relay_own(struct port *port, const struct turn *turn, struct packet packet);
