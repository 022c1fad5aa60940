/* What the host program asks of the kernel path of a bridge. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"

static int joined(const struct bridge *bridge, uint64_t port_a, uint64_t port_b, struct port **a, struct port **b)
{
    *a = bridge_find(bridge, port_a);
    *b = bridge_find(bridge, port_b);
    if (*a == NULL || *b == NULL)
        return EBADF;
    return (*a)->peer != NULL && (*a)->peer == *b ? 0 : ENOTCONN;
}

int bridge_set_deadline(struct bridge *bridge, uint64_t port_a, uint64_t port_b, int64_t deadline_ns)
{
    struct port *a, *b;
    int error;

    bridge_lock(bridge);
    error = joined(bridge, port_a, port_b, &a, &b);
    if (error == 0) {
        flow_set_deadline(a, deadline_ns);
        flow_set_deadline(b, deadline_ns);
    }
    bridge_unlock(bridge);
    return error;
}

static int adopt(struct bridge *bridge, struct port *a, struct port *b)
{
    int error;

    if (a == NULL || b == NULL)
        return EBADF;
    if (a->peer != NULL || b->peer != NULL || a == b)
        return EBUSY;
    if (a->codecs_count == 0 || b->codecs_count == 0)
        return ENOTCONN;
    port_rejoin(a, b);
    error = flow_adopt(&bridge->flows, a, bridge_pair(bridge, a), b, bridge_pair(bridge, b));
    if (error != 0)
        port_split(a);
    return error;
}

int bridge_adopt(struct bridge *bridge, uint64_t port_a, uint64_t port_b)
{
    int error;

    bridge_lock(bridge);
    error = adopt(bridge, bridge_find(bridge, port_a), bridge_find(bridge, port_b));
    bridge_unlock(bridge);
    return error;
}

bool bridge_kernel(const struct bridge *bridge, char why[KERNEL_WHY_BYTES])
{
    memcpy(why, bridge->kernel_why, KERNEL_WHY_BYTES);
    return bridge->flows.kernel != NULL;
}

static struct kernel_entry entry_of(const struct bridge *bridge, size_t pair)
{
    const struct kernel_flow *const flow = kernel_flow(bridge->flows.kernel, pair);
    const struct port *const port = bridge->table[pair];

    return (struct kernel_entry){
        .rtp_port = (uint16_t)(bridge->port_first + 2 * pair),
        .peer_rtp_port = ntohs(flow->from_port),
        .held = port != NULL && port->flow.slot == flow,
        .deadline_ns = flow->deadline_ns,
        .packets = __atomic_load_n(&flow->packets, __ATOMIC_RELAXED),
        .last_ns = __atomic_load_n(&flow->last_ns, __ATOMIC_RELAXED),
    };
}

size_t bridge_kernel_entries(struct bridge *bridge, uint16_t after, struct kernel_entry *entries, size_t entries_max)
{
    size_t pair = after < bridge->port_first ? 0 : (size_t)(after - bridge->port_first) / 2 + 1, taken = 0;

    bridge_lock(bridge);
    for (; pair < bridge->pairs && taken < entries_max; pair++)
        if (flow_is_on(&bridge->flows, pair))
            entries[taken++] = entry_of(bridge, pair);
    bridge_unlock(bridge);
    return taken;
}

int bridge_kernel_remove(struct bridge *bridge, uint16_t rtp_port)
{
    const size_t pair = (size_t)(rtp_port - bridge->port_first) / 2;
    int error = ENOENT;

    bridge_lock(bridge);
    if (rtp_port >= bridge->port_first && pair < bridge->pairs && flow_is_on(&bridge->flows, pair)) {
        error = entry_of(bridge, pair).held ? EBUSY : 0;
        if (error == 0)
            flow_remove(&bridge->flows, pair);
    }
    bridge_unlock(bridge);
    return error;
}

bool bridge_kernel_try(char why[KERNEL_WHY_BYTES])
{
    char owner[KERNEL_OWNER_BYTES];
    struct kernel_plan plan = {.owner = owner, .port_first = 2, .pairs = 1};
    struct flows flows;
    bool possible;

    snprintf(owner, sizeof owner, "try-%d", getpid());
    possible = flows_open(&flows, &plan, why) == 0;
    flows_close(&flows);
    return possible;
}
