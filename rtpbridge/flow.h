#pragma once
/*
 * What a flow in the kernel means for a port: when its packets may pass there, under which numbers, and how what the
 * kernel has done since comes back into the port's own state. The kernel's side is kernel.c, the way out route.c.
 *
 * All is called with the bridge's state held. A port that has a flow is asked through flow_sync() before anything of
 * its receiver, its counters, its watch, or its peer's sender is read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"
#include "route.h"

struct port;

/* Of one bridge; kernel is NULL where it may not be used. */
struct flows {
    struct kernel *kernel;
    struct routes routes;
    int watch_fd;                 /* readable after routes have changed; -1: none */
    int64_t reviewed_ns;
    struct port *due;             /* of which packets have come in this turn */
};

/* Of one port. */
struct flow_part {
    struct kernel_flow *slot;     /* NULL: its packets come to the bridge */
    struct kernel_more *more;     /* with the slot, and what the next process must know */
    void *memory;
    bool refused;                 /* and shall, until something changes */
    bool due;
    struct port *next_due;
    int64_t deadline_ns;
    uint64_t packets;             /* of the slot's, already in the port's own state */
    uint64_t octets;
    uint64_t gap_packets;
    uint64_t gaps;
    uint64_t burst_packets;
    int64_t silent_ns;
};

int flows_open(struct flows *flows, const struct kernel_plan *plan, char why[KERNEL_WHY_BYTES]);
void flows_close(struct flows *flows);
/* After routes have changed, once a second at most: true, and every port must be taken back. */
bool flows_review(struct flows *flows, int64_t now_ns);

/* Brings what the kernel has done for the port into its state. */
void flow_sync(struct port *port);
/* Before a packet that has come for the port is looked at. */
void flow_is_due(struct flows *flows, struct port *port);
/* Whether the kernel may send on, once the turn is over, what comes behind a packet that came in it. */
bool flows_overtake(const struct flows *flows);
/* Takes one of the ports for which packets have come; NULL: there is none left. */
struct port *flow_next_due(struct flows *flows);
/* After packets of the port were sent: lays its flow into the kernel if it may pass there, or has it go on behind them. */
void flow_settle(struct flows *flows, struct port *port, size_t pair, int64_t now_ns);
/* The port's packets come to the bridge from now on. */
void flow_withdraw(struct port *port);
/* And those for its far side as well; both may pass again once the next has come. */
void flow_take_back(struct port *port);
void flow_set_deadline(struct port *port, int64_t deadline_ns);
/* Carries on two ports, joined by now, from the flows that an earlier process left. ENOENT: it left none between them. */
int flow_adopt(const struct flows *flows, struct port *a, size_t pair_a, struct port *b, size_t pair_b);
/* Whether the kernel forwards for that pair; of the bridge's own ports or of an earlier process. */
bool flow_is_on(const struct flows *flows, size_t pair);
void flow_remove(const struct flows *flows, size_t pair);
