#include "flow.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "port.h"

#define REVIEW_NS 1000000000
#define NS_PER_SECOND 1000000000
#define RTCP_NUMBER_MIN 64 /* with the marker 192: what comes under these is RTCP or may be (RFC 5761, 4) */
#define RTCP_NUMBER_MAX 95

/* What the next process must know of both legs to carry on. */
struct flow_memory {
    struct rtp_receiver receiver;
    struct rtp_sender sender;
    struct rtp_sender peer_sender;
    struct counters counters;
    struct quality quality;
    struct flow_part part;    /* what of the slot's is in all this already */
};

_Static_assert(sizeof(struct flow_memory) <= KERNEL_MEMORY_BYTES, "the memory of a flow is too small");
_Static_assert(KERNEL_BURST_MAX == QUALITY_GAP_PACKETS, "both paths must agree on what a burst is");
_Static_assert(KERNEL_SILENCE_NS == QUALITY_SILENCE_MS * 1000000, "both paths must agree on what silence is");
_Static_assert(KERNEL_GAP_MAX == RTP_DROPOUT_MAX, "both paths must agree on what a new source is");

int flows_open(struct flows *flows, const struct kernel_plan *plan, char why[KERNEL_WHY_BYTES])
{
    int error;

    *flows = (struct flows){.routes.fd = -1, .watch_fd = -1};
    error = kernel_open(&flows->kernel, plan, why);
    if (error != 0)
        return error;
    flows->watch_fd = routes_open(&flows->routes) == 0 ? route_watch() : -1;
    if (flows->watch_fd >= 0)
        return 0;
    error = errno;
    strncpy(why, "routes cannot be asked for (AF_NETLINK)", KERNEL_WHY_BYTES);
    flows_close(flows);
    return error;
}

void flows_close(struct flows *flows)
{
    if (flows->kernel == NULL)
        return;
    kernel_close(flows->kernel);
    flows->kernel = NULL;
    routes_close(&flows->routes);
    if (flows->watch_fd >= 0)
        close(flows->watch_fd);
}

bool flows_review(struct flows *flows, int64_t now_ns)
{
    if (flows->kernel == NULL || now_ns - flows->reviewed_ns < REVIEW_NS)
        return false;
    flows->reviewed_ns = now_ns;
    if (!route_changed(flows->watch_fd))
        return false;
    routes_forget(&flows->routes);
    kernel_review(flows->kernel);
    return true;
}

/* Into four words of IPv6 or the one of IPv4. */
static void write_host(uint32_t *words, const union address *address)
{
    if (address->any.sa_family == AF_INET6)
        memcpy(words, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
    else
        memcpy(words, &address->v4.sin_addr, sizeof address->v4.sin_addr);
}

static bool is_unspecified(const union address *address)
{
    uint32_t words[4] = {0};

    write_host(words, address);
    return (words[0] | words[1] | words[2] | words[3]) == 0;
}

/* Voice of one clock, in the same codec on both sides; digits and comfort noise are the bridge's to hear. */
static bool passes(const struct port *port, size_t number, uint32_t clock_hz)
{
    const struct codec *codec;

    if (port->codec_of[number] == NO_CODEC || port->recodings[number].payload_type == NO_PAYLOAD ||
        port->recodings[number].turn != NULL || (number >= RTCP_NUMBER_MIN && number <= RTCP_NUMBER_MAX))
        return false;
    codec = &port->codecs[port->codec_of[number]];
    return codec->clock_hz == clock_hz && strncasecmp(codec->name, "telephone-event/", 16) != 0 &&
           strncasecmp(codec->name, "CN/", 3) != 0;
}

/* Digits are looked for in the voice itself. */
static bool hears_voice(const struct port *port)
{
    return port->hearing.detects_inband && !port->hearing.has_events;
}

/* Plain RTP of one known source between two known addresses of one family, and nothing in the bridge that must see it. */
static bool may_pass(const struct port *port)
{
    const struct port *const peer = port->peer;
    const struct rtp_sender *sender;

    if (peer == NULL || !port->latch.has_agreed || !peer->latch.has_agreed || !peer->far_receives ||
        player_is_busy(&peer->player) || hears_voice(port) || is_unspecified(&port->host) ||
        is_unspecified(&peer->host) || port->host.any.sa_family != peer->host.any.sa_family)
        return false;
    if (port->envelope.open_rtp != NULL || port->envelope.seal_rtp != NULL || peer->envelope.open_rtp != NULL ||
        peer->envelope.seal_rtp != NULL)
        return false;
    sender = &peer->sender;
    return sender->following && port->receiver.begun && !port->receiver.jumped &&
           sender->source_ssrc == port->receiver.ssrc && sender->source_highest == port->receiver.sequence_highest;
}

/* The flow as it would be now, but for the device. */
static void describe(struct kernel_flow *flow, struct kernel_more *more, const struct port *port)
{
    const struct port *const peer = port->peer;
    const struct rtp_sender *const sender = &peer->sender;

    const bool v6 = port->host.any.sa_family == AF_INET6;

    write_host(v6 ? more->near : &flow->near_v4, &port->host);
    write_host(v6 ? more->far : &flow->far_v4, &port->latch.agreed);
    write_host(v6 ? more->from : &flow->from_v4, &peer->host);
    write_host(v6 ? more->to : &flow->to_v4, &peer->latch.agreed);
    flow->far_port = htons(address_port(&port->latch.agreed));
    flow->to_port = htons(address_port(&peer->latch.agreed));
    flow->from_port = htons(peer->rtp_port);
    flow->sequence_offset = sender->sequence_offset;
    flow->timestamp_offset = sender->timestamp_offset;
    flow->far_ssrc = htonl(sender->source_ssrc);
    flow->our_ssrc = htonl(sender->ssrc);
    flow->tick_ns = NS_PER_SECOND / sender->clock_hz;
    flow->family = port->host.any.sa_family;
    memset(flow->payloads, KERNEL_STAYS, sizeof flow->payloads);
    for (size_t number = 0, at = 0; number < PAYLOAD_TYPES && at < sizeof flow->payloads; number++)
        if (passes(port, number, sender->clock_hz)) {
            flow->payloads[at++] = (uint8_t)number;
            flow->payloads[at++] = port->recodings[number].payload_type;
        }
}

static uint64_t newest_of(const struct port *port, unsigned int state)
{
    const struct rtp_sender *const sender = &port->peer->sender;

    return CLAIM(state, sender->source_highest, sender->timestamp_last - sender->timestamp_offset);
}

static bool is_described(const struct port *port)
{
    const size_t begin = offsetof(struct kernel_flow, family), hosts_bytes = offsetof(struct kernel_more, first_ns);
    struct kernel_flow now = {.to_device = port->flow.slot->to_device};
    struct kernel_more more = {.first_ns = 0};

    describe(&now, &more, port);
    return memcmp((uint8_t *)&now + begin, (uint8_t *)port->flow.slot + begin, sizeof now - begin) == 0 &&
           memcmp(&more, port->flow.more, hosts_bytes) == 0;
}

/* Both ways out, for the program must also be where the far side's packets come in. */
static int find_ways(struct flows *flows, const struct port *port, uint32_t *to_device)
{
    uint32_t back_device;
    int error = routes_find(&flows->routes, to_device, &port->peer->host, &port->peer->latch.agreed);

    if (error == 0)
        error = routes_find(&flows->routes, &back_device, &port->host, &port->latch.agreed);
    /* What a program on the loopback redirects to a device, or the other way, the stack takes for a lie. */
    if (error == 0 && (*to_device == 0) != (back_device == 0))
        error = ENOTSUP;
    if (error == 0 && back_device != 0)
        error = kernel_attach(flows->kernel, back_device);
    return error;
}

static void remember(const struct port *port)
{
    const struct flow_memory memory = {
        .receiver = port->receiver,
        .sender = port->sender,
        .peer_sender = port->peer->sender,
        .counters = port->counters,
        .quality = port->quality,
        .part = port->flow,
    };

    memcpy(port->flow.memory, &memory, sizeof memory);
}

static void lay(struct flows *flows, struct port *port, size_t pair, int64_t now_ns)
{
    struct kernel_flow *const slot = kernel_flow(flows->kernel, pair);
    struct kernel_more *const more = kernel_more(flows->kernel, pair);
    const struct rtp_receiver *const receiver = &port->receiver;
    uint32_t to_device = 0;

    port->flow.refused = find_ways(flows, port, &to_device) != 0;
    if (port->flow.refused)
        return;
    __atomic_store_n(&slot->claim, 0, __ATOMIC_SEQ_CST);
    memset(&slot->deadline_ns, 0, sizeof *slot - offsetof(struct kernel_flow, deadline_ns));
    memset(more, 0, sizeof *more);
    describe(slot, more, port);
    slot->to_device = to_device;
    slot->deadline_ns = port->flow.deadline_ns;
    slot->armed_ns = now_ns;
    slot->last_ns = port->quality.resting ? 0 : now_ns; /* a pause after comfort noise is none of silence */
    slot->came = port->quality.came;
    slot->jitter_ns = (uint64_t)(receiver->jitter * NS_PER_SECOND / receiver->clock_hz * (1 << KERNEL_JITTER_BITS));
    port->flow.slot = slot;
    port->flow.more = more;
    port->flow.memory = kernel_memory(flows->kernel, pair);
    port->flow.packets = port->flow.octets = port->flow.gap_packets = port->flow.gaps = 0;
    port->flow.burst_packets = 0;
    port->flow.silent_ns = 0;
    remember(port);
    __atomic_store_n(&slot->claim, newest_of(port, FLOW_ARMED), __ATOMIC_SEQ_CST);
}

/* What a number of the slot has grown by since it was last read here. */
static uint64_t since(uint64_t *read, const uint64_t *number)
{
    const uint64_t now = __atomic_load_n(number, __ATOMIC_SEQ_CST), grown = now - *read;

    *read = now;
    return grown;
}

static void merge(struct port *port, uint64_t claim)
{
    const struct kernel_flow *const slot = port->flow.slot;
    const struct kernel_more *const more = port->flow.more;
    struct flow_part *const part = &port->flow;
    const int64_t at_ns = __atomic_load_n(&slot->last_ns, __ATOMIC_RELAXED);
    const uint64_t jitter_ns = __atomic_load_n(&slot->jitter_ns, __ATOMIC_RELAXED);
    const int64_t silent_ns = __atomic_load_n(&more->silent_ns, __ATOMIC_RELAXED);
    uint64_t packets, octets, lost;

    if ((int64_t)(__atomic_load_n(&slot->packets, __ATOMIC_SEQ_CST) - part->packets) <= 0)
        return; /* counted, and about to be taken back */
    packets = since(&part->packets, &slot->packets);
    octets = since(&part->octets, &slot->octets);
    lost = since(&part->gap_packets, &more->gap_packets);
    port->counters.received_packets += packets;
    port->counters.received_octets += octets;
    port->counters.kernel_packets += packets;
    port->counters.last_received_ns = port->watch.heard_ns = port->latch.heard_ns = at_ns;
    port->peer->counters.sent_packets += packets;
    port->peer->counters.sent_octets += octets;
    const struct rtp_progress progress = {
        .packets = (uint32_t)packets,
        .numbers = (uint32_t)(packets + lost),
        .sequence = CLAIM_SEQUENCE(claim),
        .timestamp = CLAIM_TIMESTAMP(claim),
        .at_ns = at_ns,
        .jitter_s = (double)jitter_ns / (NS_PER_SECOND * (double)(1 << KERNEL_JITTER_BITS)),
    };
    const struct quality_progress heard = {
        .losses = {packets + lost, lost, since(&part->burst_packets, &more->burst_packets), since(&part->gaps, &more->gaps)},
        .highest = progress.sequence,
        .came = __atomic_load_n(&slot->came, __ATOMIC_RELAXED),
        .silent_ns = silent_ns - part->silent_ns,
        .heard_ns = at_ns,
    };

    part->silent_ns = silent_ns;
    rtp_receiver_merge(&port->receiver, &progress);
    rtp_sender_merge(&port->peer->sender, &progress);
    quality_merge(&port->quality, &heard);
}

void flow_sync(struct port *port)
{
    if (port->flow.slot != NULL)
        merge(port, __atomic_load_n(&port->flow.slot->claim, __ATOMIC_SEQ_CST));
}

void flow_is_due(struct flows *flows, struct port *port)
{
    flow_sync(port);
    if (port->flow.due || flows->kernel == NULL)
        return;
    port->flow.due = true;
    port->flow.next_due = flows->due;
    flows->due = port;
}

bool flows_overtake(const struct flows *flows)
{
    const struct port *port = flows->due;

    while (port != NULL && port->flow.slot == NULL && (port->flow.refused || !may_pass(port)))
        port = port->flow.next_due;
    return port != NULL;
}

struct port *flow_next_due(struct flows *flows)
{
    struct port *const port = flows->due;

    if (port != NULL) {
        flows->due = port->flow.next_due;
        port->flow.due = false;
    }
    return port;
}

void flow_withdraw(struct port *port)
{
    if (port->flow.slot == NULL)
        return;
    merge(port, __atomic_exchange_n(&port->flow.slot->claim, 0, __ATOMIC_SEQ_CST));
    port->flow.slot = NULL;
}

void flow_take_back(struct port *port)
{
    flow_withdraw(port);
    port->flow.refused = false;
    if (port->peer != NULL) {
        flow_withdraw(port->peer);
        port->peer->flow.refused = false;
    }
}

/* The kernel goes on behind what the bridge has sent meanwhile, if that is newer than what it has itself. */
static void arm(const struct port *port, int64_t now_ns)
{
    struct kernel_flow *const slot = port->flow.slot;
    uint64_t claim = __atomic_load_n(&slot->claim, __ATOMIC_SEQ_CST);
    const uint64_t newest = newest_of(port, FLOW_ARMED);

    if ((int16_t)(CLAIM_SEQUENCE(newest) - CLAIM_SEQUENCE(claim)) <= 0)
        return;
    slot->armed_ns = now_ns;
    slot->last_ns = port->quality.resting ? 0 : now_ns; /* a pause after comfort noise is none of silence */
    slot->came = port->quality.came;
    remember(port);
    __atomic_compare_exchange_n(&slot->claim, &claim, newest, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void flow_settle(struct flows *flows, struct port *port, size_t pair, int64_t now_ns)
{
    if (port->peer != NULL && port->peer->flow.slot != NULL && !is_described(port->peer))
        flow_withdraw(port->peer); /* the far side was believed at another address */
    if (port->flow.slot != NULL && (!may_pass(port) || !is_described(port)))
        flow_withdraw(port);
    if (port->flow.slot != NULL)
        arm(port, now_ns);
    else if (!port->flow.refused && may_pass(port))
        lay(flows, port, pair, now_ns);
}

void flow_set_deadline(struct port *port, int64_t deadline_ns)
{
    port->flow.deadline_ns = deadline_ns;
    if (port->flow.slot != NULL)
        __atomic_store_n(&port->flow.slot->deadline_ns, deadline_ns, __ATOMIC_SEQ_CST);
}

bool flow_is_on(const struct flows *flows, size_t pair)
{
    return flows->kernel != NULL && __atomic_load_n(&kernel_flow(flows->kernel, pair)->claim, __ATOMIC_SEQ_CST) != 0;
}

void flow_remove(const struct flows *flows, size_t pair)
{
    if (flows->kernel != NULL)
        __atomic_store_n(&kernel_flow(flows->kernel, pair)->claim, 0, __ATOMIC_SEQ_CST);
}

static void read_host(union address *address, const uint32_t *words, uint32_t family, uint16_t port)
{
    memset(address, 0, sizeof *address);
    address->any.sa_family = (sa_family_t)family;
    if (family == AF_INET6)
        memcpy(&address->v6.sin6_addr, words, sizeof address->v6.sin6_addr);
    else
        memcpy(&address->v4.sin_addr, words, sizeof address->v4.sin_addr);
    address_set_port(address, ntohs(port));
}

static void believe(struct port *port, const uint32_t *host, uint32_t family, uint16_t rtp_port)
{
    struct latch *const latch = &port->latch;

    read_host(&latch->agreed, host, family, rtp_port);
    latch->has_agreed = true;
    latch->listening = false;
    latch->named_heard = latch->named_heard || address_equal(&latch->agreed, &latch->named);
    port->watch.began = true;
    port_moved(port);
}

static struct kernel_flow *left_for(const struct flows *flows, const struct port *port, size_t pair)
{
    struct kernel_flow *const slot = flow_is_on(flows, pair) ? kernel_flow(flows->kernel, pair) : NULL;

    return slot != NULL && slot->from_port == htons(port->peer->rtp_port) && slot->family == port->host.any.sa_family
               ? slot
               : NULL;
}

/* All but the peer's sender, which the flow drives and which therefore comes last. */
static void restore(const struct flows *flows, struct port *port, struct kernel_flow *slot, size_t pair)
{
    const struct kernel_more *const more = kernel_more(flows->kernel, pair);
    const bool v6 = slot->family == AF_INET6;
    struct flow_memory memory;

    memcpy(&memory, kernel_memory(flows->kernel, pair), sizeof memory);
    port->receiver = memory.receiver;
    port->sender = memory.sender;
    port->counters = memory.counters;
    port->peer->sender = memory.peer_sender;
    believe(port, v6 ? more->far : &slot->far_v4, slot->family, slot->far_port);
    believe(port->peer, v6 ? more->to : &slot->to_v4, slot->family, slot->to_port);
    port->quality = memory.quality;
    port->flow.packets = memory.part.packets;
    port->flow.octets = memory.part.octets;
    port->flow.gap_packets = memory.part.gap_packets;
    port->flow.gaps = memory.part.gaps;
    port->flow.burst_packets = memory.part.burst_packets;
    port->flow.silent_ns = memory.part.silent_ns;
    port->flow.slot = slot;
    port->flow.more = kernel_more(flows->kernel, pair);
    port->flow.memory = kernel_memory(flows->kernel, pair);
    port->flow.deadline_ns = port->peer->flow.deadline_ns = slot->deadline_ns;
}

int flow_adopt(const struct flows *flows, struct port *a, size_t pair_a, struct port *b, size_t pair_b)
{
    struct kernel_flow *const slot_a = left_for(flows, a, pair_a), *const slot_b = left_for(flows, b, pair_b);
    struct rtp_sender driven;

    if (slot_a != NULL)
        restore(flows, a, slot_a, pair_a);
    driven = b->sender;
    if (slot_b != NULL) {
        restore(flows, b, slot_b, pair_b);
        if (slot_a != NULL)
            b->sender = driven;
    }
    flow_sync(a);
    flow_sync(b);
    return slot_a != NULL || slot_b != NULL ? 0 : ENOENT;
}
