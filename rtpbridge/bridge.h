#pragma once
/* The bridge as its own files see it: the table of ports, and who may touch what. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "face.h"
#include "flow.h"
#include "pace.h"
#include "port.h"
#include "relay.h"
#include "ring.h"

/*
 * `state` guards the ports and their table. The media thread holds it for one turn: what one wait brought. `turn` is
 * taken before `state` and let go once `state` is held, so that whoever asks is next however busy the other side is.
 * `opening` lets one port open or close at a time: sockets are made and closed outside `state`, and only its holder
 * changes which pairs are taken, and asks the media thread to watch a port or to do so no longer.
 */
enum ask { ASK_NOTHING, ASK_WATCH, ASK_UNWATCH, ASK_STOP };

struct bridge {
    pthread_mutex_t opening;
    pthread_mutex_t turn;
    pthread_mutex_t state;

    union address hosts[HOSTS_MAX];
    size_t hosts_count;
    uint16_t port_first;             /* the lowest even port of the range */
    size_t pairs;
    uint64_t ids_given;
    struct port **table;             /* by pair; NULL: not open */
    struct port **open;              /* the same ports without gaps */
    int64_t *due_ns;                 /* in the same order: when a tick must look at the port next; 0: the very next does */
    size_t open_count;
    int64_t gather_ns;
    struct latch_rules latch;
    struct flows flows;
    char kernel_why[KERNEL_WHY_BYTES];
    struct pace pace;

    struct batch *batch;             /* the media thread's own */
    struct ring ring;
    int64_t tick_ns;                 /* the last moment of the 20 ms grid that was served */

    enum ask ask;                    /* of the media thread; ASK_NOTHING: it has answered */
    struct port *asked_port;
    int answer;
    pthread_cond_t answered;

    int tick_fd;
    int wake_fd;
    int event_fd;
    bool started;
    pthread_t thread;
};

int64_t bridge_now_ns(void);
void bridge_lock(struct bridge *bridge);
void bridge_unlock(struct bridge *bridge);
/* The open port of that id, or NULL; the caller holds the state. */
struct port *bridge_find(const struct bridge *bridge, uint64_t port_id);
/* Has the media thread do it and waits until it is done; the caller holds `opening` but not the state. */
int bridge_ask(struct bridge *bridge, enum ask ask, struct port *port);
/* The same for a caller that changes it: what the kernel did for it, and for its peer, comes to the bridge from now on. */
struct port *bridge_take(const struct bridge *bridge, uint64_t port_id);
/* Its place in the table. */
size_t bridge_pair(const struct bridge *bridge, const struct port *port);
/* Whether an address is one of this host's own: EADDRNOTAVAIL when it is not. */
int bridge_try_host(const union address *host);
