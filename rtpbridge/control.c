/* What the host program asks of a bridge's ports: each call takes the state for as long as it needs, and no longer. */

#include <errno.h>
#include <sys/random.h>

#include "bridge.h"

static uint16_t pair_port(const struct bridge *bridge, size_t pair)
{
    return (uint16_t)(bridge->port_first + 2 * pair);
}

static size_t greatest_common_divisor(size_t a, size_t b)
{
    while (b != 0) {
        const size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Makes the port known, then its sockets readable to the media thread. */
static int publish(struct bridge *bridge, struct port *port, size_t pair)
{
    port->id = ++bridge->ids_given * (PORT_PAIRS_MAX + 1) + pair;
    bridge_lock(bridge);
    bridge->table[pair] = port;
    port->place = bridge->open_count++;
    bridge->open[port->place] = port;
    bridge->due_ns[port->place] = 0;
    bridge_unlock(bridge);
    return bridge_ask(bridge, ASK_WATCH, port);
}

/* After this nobody can reach the port. */
static void forget(struct bridge *bridge, struct port *port)
{
    struct port *last;

    bridge_lock(bridge);
    flow_remove(&bridge->flows, bridge_pair(bridge, port)); /* one that an earlier process left */
    bridge->table[bridge_pair(bridge, port)] = NULL;
    last = bridge->open[--bridge->open_count];
    last->place = port->place;
    bridge->open[port->place] = last;
    bridge->due_ns[port->place] = bridge->due_ns[bridge->open_count];
    bridge_unlock(bridge);
}

static void withdraw(struct bridge *bridge, struct port *port)
{
    bridge_lock(bridge);
    flow_take_back(port);
    port_split(port);
    bridge_unlock(bridge);
    bridge_ask(bridge, ASK_UNWATCH, port);
    forget(bridge, port);
}

static int open_pair(struct bridge *bridge, size_t host, size_t pair, struct port **port)
{
    int error = EADDRINUSE;

    if (bridge->table[pair] == NULL)
        error = port_open(port, &bridge->hosts[host], pair_port(bridge, pair));
    if (error != 0)
        return error;
    error = publish(bridge, *port, pair);
    if (error != 0) {
        forget(bridge, *port);
        port_close(*port);
    }
    return error;
}

/* Walks all pairs once, from a random one in random strides, so that nobody can tell which is next. */
static int open_any(struct bridge *bridge, size_t host, struct port **port)
{
    uint64_t drawn[2];
    size_t pair, stride;
    int error = EADDRINUSE;

    if (getrandom(drawn, sizeof drawn, 0) != sizeof drawn)
        return errno;
    pair = drawn[0] % bridge->pairs;
    stride = 1 + drawn[1] % bridge->pairs;
    while (greatest_common_divisor(stride, bridge->pairs) != 1)
        stride++;
    for (size_t tried = 0; tried < bridge->pairs && error == EADDRINUSE; tried++) {
        if (!flow_is_on(&bridge->flows, pair)) /* an earlier process's, and may be adopted still */
            error = open_pair(bridge, host, pair, port);
        pair = (pair + stride) % bridge->pairs;
    }
    return error;
}

int bridge_port_open(struct bridge *bridge, size_t host, uint16_t rtp_port, uint64_t *port_id,
                     uint16_t *rtp_port_opened)
{
    const size_t pair = (size_t)(rtp_port - bridge->port_first) / 2;
    struct port *port = NULL;
    int error = EINVAL;

    pthread_mutex_lock(&bridge->opening);
    if (host >= bridge->hosts_count)
        error = EINVAL;
    else if (rtp_port == 0)
        error = open_any(bridge, host, &port);
    else if (rtp_port % 2 == 0 && rtp_port >= bridge->port_first && pair < bridge->pairs)
        error = open_pair(bridge, host, pair, &port);
    if (error == 0) {
        *port_id = port->id;
        *rtp_port_opened = port->rtp_port;
    }
    pthread_mutex_unlock(&bridge->opening);
    return error;
}

int bridge_port_close(struct bridge *bridge, uint64_t port_id)
{
    struct port *port;
    int error = EBADF;

    pthread_mutex_lock(&bridge->opening);
    port = bridge_find(bridge, port_id); /* only the holder of `opening` changes the table */
    if (port != NULL) {
        withdraw(bridge, port);
        pace_goodbye(port, &bridge->pace, bridge_now_ns());
        port_close(port);
        error = 0;
    }
    pthread_mutex_unlock(&bridge->opening);
    return error;
}

/* One of our own open ports as a far side would send every packet round for ever. */
static bool is_own_port(struct bridge *bridge, const struct far_side *far_side)
{
    const size_t pair = (size_t)(far_side->rtp_port - bridge->port_first) / 2;
    union address host;
    bool open;

    bridge_lock(bridge);
    open = far_side->rtp_port >= bridge->port_first && pair < bridge->pairs && bridge->table[pair] != NULL;
    bridge_unlock(bridge);
    return open && address_read(&host, far_side->host, 0) == 0 && bridge_try_host(&host) == 0;
}

int bridge_port_connect(struct bridge *bridge, uint64_t port_id, const struct far_side *far_side)
{
    struct port *port;
    int error = EBADF;

    if (is_own_port(bridge, far_side))
        return ELOOP;
    bridge_lock(bridge);
    port = bridge_take(bridge, port_id);
    if (port != NULL)
        error = port_connect(port, far_side, bridge_now_ns());
    bridge_unlock(bridge);
    return error;
}

int bridge_port_secure(struct bridge *bridge, uint64_t port_id, const struct srtp_key *ours,
                       const struct srtp_key *theirs, uint32_t rollovers_max)
{
    struct secured fresh; /* made and freed while the media thread goes on */
    struct port *port;
    int error = secured_open(&fresh, ours, theirs, rollovers_max);

    if (error != 0)
        return error;
    bridge_lock(bridge);
    port = bridge_take(bridge, port_id);
    if (port != NULL)
        secured_renew(&port->secured, &fresh, &port->envelope);
    bridge_unlock(bridge);
    secured_close(&fresh);
    return port != NULL ? 0 : EBADF;
}

int bridge_port_hold(struct bridge *bridge, uint64_t port_id, bool far_sends, bool far_receives)
{
    struct port *port;
    int error = EBADF;

    bridge_lock(bridge);
    port = bridge_take(bridge, port_id);
    if (port != NULL) {
        port_hold(port, far_sends, far_receives, bridge_now_ns());
        error = 0;
    }
    bridge_unlock(bridge);
    return error;
}

int bridge_port_play(struct bridge *bridge, uint64_t port_id, const struct play_item *items, size_t count,
                     bool barge_in)
{
    struct playlist *list; /* made and freed while the media thread goes on */
    struct port *port;
    int error = playlist_open(&list, items, count, barge_in);

    if (error != 0)
        return error;
    error = EBADF;
    bridge_lock(bridge);
    port = bridge_take(bridge, port_id);
    if (port != NULL) /* on the grid: a frame that lay between two ticks would fall to one or the other by chance */
        error = port_play(port, &list, bridge->tick_ns + FRAME_NS);
    bridge_unlock(bridge);
    playlist_close(list);
    return error;
}

int bridge_port_detect_inband(struct bridge *bridge, uint64_t port_id, bool detects)
{
    struct port *port;
    int error = EBADF;

    bridge_lock(bridge);
    port = bridge_take(bridge, port_id);
    if (port != NULL) {
        port_detect_inband(port, detects);
        error = 0;
    }
    bridge_unlock(bridge);
    return error;
}

int bridge_port_stop(struct bridge *bridge, uint64_t port_id)
{
    struct port *port;
    int error = EBADF;

    bridge_lock(bridge);
    port = bridge_take(bridge, port_id);
    if (port != NULL) {
        port_stop(port);
        error = 0;
    }
    bridge_unlock(bridge);
    return error;
}

int bridge_port_counters(struct bridge *bridge, uint64_t port_id, struct counters *counters)
{
    struct port *port;
    int error = EBADF;

    bridge_lock(bridge);
    port = bridge_find(bridge, port_id);
    if (port != NULL) {
        flow_sync(port);
        if (port->peer != NULL)
            flow_sync(port->peer);
        *counters = port_counters(port);
        error = 0;
    }
    bridge_unlock(bridge);
    return error;
}

int bridge_port_scores(struct bridge *bridge, uint64_t port_id, struct scores *scores)
{
    const struct port *port;
    int error = EBADF;

    bridge_lock(bridge);
    port = bridge_find(bridge, port_id);
    if (port != NULL) {
        port_scores(port, scores);
        error = 0;
    }
    bridge_unlock(bridge);
    return error;
}

/* What an earlier process left for them and nobody adopted is over. */
static void join(const struct bridge *bridge, struct port *a, struct port *b)
{
    flow_remove(&bridge->flows, bridge_pair(bridge, a));
    flow_remove(&bridge->flows, bridge_pair(bridge, b));
    port_join(a, b);
}

int bridge_join(struct bridge *bridge, uint64_t port_a, uint64_t port_b)
{
    struct port *a, *b;
    int error = 0;

    bridge_lock(bridge);
    a = bridge_find(bridge, port_a);
    b = bridge_find(bridge, port_b);
    if (a == NULL || b == NULL)
        error = EBADF;
    else if (a == b)
        error = EINVAL;
    else if ((a->peer != NULL || b->peer != NULL) && a->peer != b)
        error = EBUSY;
    else if (a->peer == NULL)
        join(bridge, a, b);
    bridge_unlock(bridge);
    return error;
}

int bridge_split(struct bridge *bridge, uint64_t port_a, uint64_t port_b)
{
    struct port *a, *b;
    int error = 0;

    bridge_lock(bridge);
    a = bridge_take(bridge, port_a);
    b = bridge_find(bridge, port_b);
    if (a == NULL || b == NULL)
        error = EBADF;
    else if (a->peer == NULL || a->peer != b)
        error = ENOTCONN;
    else
        port_split(a);
    bridge_unlock(bridge);
    return error;
}
