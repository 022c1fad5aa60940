// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
/*
 * The kernel path, run for every packet that comes in on a device (tcx ingress): RTP of a flow that the bridge has laid
 * into the map is rewritten as relay.c would and sent on; everything else is left alone and goes its way, to the
 * bridge's sockets where it is for them. Nothing is ever answered or dropped here.
 *
 * Built into kernel_program.h by build_program.py. The kernel has no libc: what this file needs stands in it.
 */

#include <linux/bpf.h>
#include <stdint.h>

#include "slot.h"

#define INLINE static inline __attribute__((always_inline))
#define NEXT (-1)                     /* TCX_NEXT: whoever else looks at packets here, then the host itself */
#define PACKET_HOST 0
#define ETHERNET_BYTES 14
#define UDP 17
#define UDP_BYTES 8
#define RTP_BYTES 12
#define DATAGRAM_BYTES_MAX 1220       /* with the headers under the smallest MTU of IPv6: no route has less */
#define EXPEDITED_FORWARDING 0xb8
#define TTL 64                        /* the leg is a session of its own and so is its datagram: sent here, not routed */
#define FRAGMENT 0x3fff
#define DO_NOT_FRAGMENT 0x4000
#define JITTER_NS_MAX 1000000000      /* RTP_JITTER_SECONDS_MAX */
#define CHECKSUM_OF_IPV6 (1ull << 7)  /* BPF_F_IPV6, since 6.16 */
#define INVALID (-22)
#define UNCHANGED UINT32_MAX          /* a ones' complement sum of nothing; of two addresses of one host, as on the loopback */

#define swap_16(number) ((uint16_t)__builtin_bswap16(number))
#define swap_32(number) __builtin_bswap32(number)

static void *(*const map_lookup)(const void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static uint64_t (*const time_ns)(void) = (void *)BPF_FUNC_ktime_get_ns;
static long (*const load)(const void *skb, uint32_t at, void *to, uint32_t bytes) = (void *)BPF_FUNC_skb_load_bytes;
static long (*const store)(void *skb, uint32_t at, const void *from, uint32_t bytes,
                           uint64_t flags) = (void *)BPF_FUNC_skb_store_bytes;
static long (*const mend_checksum)(void *skb, uint32_t at, uint64_t from, uint64_t to,
                                   uint64_t flags) = (void *)BPF_FUNC_l4_csum_replace;
static long (*const redirect_neighbour)(uint32_t device, void *next_hop, int bytes,
                                        uint64_t flags) = (void *)BPF_FUNC_redirect_neigh;

extern const char slots;              /* the map; the loader writes its descriptor where the address is taken */

struct udp_rtp {
    uint16_t source, destination;
    uint16_t udp_bytes, checksum;
    uint8_t flags, payload;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t ssrc;
};

struct ipv4 {
    uint8_t version, traffic;
    uint16_t bytes, id, fragment;
    uint8_t ttl, protocol;
    uint16_t checksum;
    uint32_t source, destination;
    struct udp_rtp udp;
};

struct ipv6 {
    uint32_t version;                 /* traffic class and flow label with it */
    uint16_t bytes;
    uint8_t protocol, hops;
    uint32_t source[4], destination[4];
    struct udp_rtp udp;
};

INLINE union kernel_slot *slot_at(uint32_t at)
{
    return map_lookup(&slots, &at);
}

/* The slot of the flow that may be waiting for what comes to this port; 0: none. And that of what few packets need. */
INLINE uint32_t place_of(uint16_t destination, uint32_t *more)
{
    const union kernel_slot *const first = slot_at(0);
    uint32_t above;

    if (!first)
        return 0;
    above = (uint32_t)swap_16(destination) - first->head.port_first;
    if (above % 2 != 0 || above / 2 >= first->head.pairs)
        return 0;
    *more = above / 2 + 1 + first->head.pairs;
    return above / 2 + 1;
}

/* Numbers were passed over: of which burst they are (RFC 3611, 4.7.2). The packet behind them has been counted already. */
INLINE void note_gap(struct kernel_more *more, uint16_t before, uint16_t lost)
{
    const int near = more->gaps > 0 && (uint16_t)(before - (uint16_t)more->lost_last) < KERNEL_BURST_MAX;
    const uint64_t burst = near || lost > 1 ? (uint64_t)lost + (near && more->lost_alone) : 0;

    more->lost_alone = burst == 0;
    more->lost_last = (uint16_t)(before + lost);
    __sync_fetch_and_add(&more->burst_packets, burst);
    __sync_fetch_and_add(&more->gaps, 1);
    __sync_fetch_and_add(&more->gap_packets, (uint64_t)lost);
}

/* What happens to few packets: the first, those behind a gap, those behind a pause. */
INLINE void note_rarity(uint32_t more_at, uint64_t count, uint64_t before, uint16_t step, int64_t pause_ns, int marker,
                        int64_t now_ns)
{
    const int paused = pause_ns > KERNEL_SILENCE_NS && !marker;
    union kernel_slot *slot;

    if (count != 0 && step == 1 && !paused)
        return;
    slot = slot_at(more_at);
    if (!slot)
        return;
    if (count == 0)
        slot->more.first_ns = now_ns;
    if (step > 1)
        note_gap(&slot->more, CLAIM_SEQUENCE(before), (uint16_t)(step - 1));
    if (paused)
        slot->more.silent_ns += pause_ns;
}

/* `count` packets of the flow came before. */
INLINE void note_arrival(struct kernel_flow *flow, uint32_t more_at, uint64_t count, uint64_t before,
                         uint32_t timestamp, uint16_t step, int marker, int64_t now_ns)
{
    const int64_t ticks = (int32_t)(timestamp - CLAIM_TIMESTAMP(before));
    const int64_t pause_ns = flow->last_ns != 0 ? now_ns - flow->last_ns : 0;
    int64_t difference_ns = now_ns - flow->last_ns - ticks * flow->tick_ns;

    note_rarity(more_at, count, before, step, pause_ns, marker, now_ns);
    flow->came = (step < 64 ? flow->came << (step & 63) : 0) | 1;
    if (difference_ns < 0)
        difference_ns = -difference_ns;
    if (ticks != 0 && difference_ns <= JITTER_NS_MAX) /* RFC 3550, A.8 */
        flow->jitter_ns += (uint64_t)difference_ns - ((flow->jitter_ns + 8) >> KERNEL_JITTER_BITS);
    flow->last_ns = now_ns;
}

/*
 * The peer's number of a payload, or KERNEL_STAYS. The pairs are looked through in registers: of a place in memory that
 * depends on the packet the verifier wants CAP_PERFMON.
 */
INLINE uint8_t payload_of(const struct kernel_flow *flow, uint8_t theirs)
{
    uint8_t ours = KERNEL_STAYS;

    if (flow->payloads[0] == theirs) /* the codec that both prefer is what nearly all packets are of */
        return flow->payloads[1];
    for (int i = 0; i < KERNEL_PAYLOADS * 2 / 8; i++) {
        const uint64_t pairs = ((const uint64_t *)flow->payloads)[i];

        for (int bit = 0; bit < 64; bit += 16)
            if ((uint8_t)(pairs >> bit) == theirs)
                ours = (uint8_t)(pairs >> (bit + 8));
    }
    return ours;
}

INLINE void arm(struct kernel_flow *flow, uint64_t claim, int64_t now_ns)
{
    if (CLAIM_STATE(claim) != FLOW_RUNNING)
        return;
    flow->armed_ns = now_ns;
    __sync_val_compare_and_swap(&flow->claim, claim,
                                CLAIM(FLOW_ARMED, CLAIM_SEQUENCE(claim), CLAIM_TIMESTAMP(claim)));
}

/* Whether the packet comes from where the flow's do and to where they do; of IPv6 `more` says it, and is found. */
INLINE int is_between(const struct kernel_flow *flow, uint32_t more_at, const uint32_t *source,
                      const uint32_t *destination, const struct kernel_more **more)
{
    const union kernel_slot *slot;

    if (!more)
        return flow->family == 2 && flow->far_v4 == *source && flow->near_v4 == *destination;
    slot = flow->family != 2 ? slot_at(more_at) : 0;
    if (!slot)
        return 0;
    *more = &slot->more;
    for (int i = 0; i < 4; i++)
        if (slot->more.far[i] != source[i] || slot->more.near[i] != destination[i])
            return 0;
    return 1;
}

/* Judges a packet and rewrites its header for where it goes; NULL: it is not for us to send on. */
INLINE struct kernel_flow *take(struct udp_rtp *udp, const uint32_t *source, const uint32_t *destination,
                                const struct kernel_more **more)
{
    const uint32_t octets = (uint32_t)swap_16(udp->udp_bytes) - UDP_BYTES - RTP_BYTES;
    const uint16_t sequence = swap_16(udp->sequence);
    const uint32_t timestamp = swap_32(udp->timestamp);
    uint32_t more_at = 0;
    const uint32_t at = place_of(udp->destination, &more_at);
    struct kernel_flow *flow;
    union kernel_slot *slot;
    uint64_t claim, count;
    int64_t now_ns;
    uint16_t step;
    uint8_t payload;

    if (at == 0)
        return 0;
    now_ns = (int64_t)time_ns(); /* now: the processor reads its clock when it has all it asked the memory for */
    slot = slot_at(at);
    if (!slot)
        return 0;
    flow = &slot->flow;
    claim = *(volatile uint64_t *)&flow->claim;
    if (CLAIM_STATE(claim) == 0 || flow->far_port != udp->source || 
        !is_between(flow, more_at, source, destination, more))
        return 0;
    step = (uint16_t)(sequence - CLAIM_SEQUENCE(claim));
    if (udp->flags >> 6 != 2 || udp->ssrc != flow->far_ssrc || step == 0 || step >= KERNEL_GAP_MAX ||
        now_ns >= *(volatile int64_t *)&flow->deadline_ns)
        return 0;
    /* With padding, extension or CSRC, or of a codec that stays, it is the bridge's, and so are those close behind it. */
    payload = payload_of(flow, udp->payload & 0x7f);
    if (udp->flags != 0x80 || payload == KERNEL_STAYS) {
        arm(flow, claim, now_ns);
        return 0;
    }
    if (CLAIM_STATE(claim) == FLOW_ARMED && step != 1 && now_ns - flow->armed_ns < KERNEL_ARMED_NS)
        return 0;

    /* Counted before it is claimed: whoever takes the flow back finds every packet counted that was sent on. */
    count = __sync_fetch_and_add(&flow->packets, 1);
    __sync_fetch_and_add(&flow->octets, (uint64_t)octets);
    if (__sync_val_compare_and_swap(&flow->claim, claim, CLAIM(FLOW_RUNNING, sequence, timestamp)) != claim) {
        __sync_fetch_and_add(&flow->packets, -1);
        __sync_fetch_and_add(&flow->octets, -(uint64_t)octets);
        return 0;
    }
    note_arrival(flow, more_at, count, claim, timestamp, step, udp->payload & 0x80, now_ns);

    udp->source = flow->from_port;
    udp->destination = flow->to_port;
    udp->payload = (uint8_t)((udp->payload & 0x80) | payload);
    udp->sequence = swap_16((uint16_t)(sequence + flow->sequence_offset));
    udp->timestamp = swap_32(timestamp + flow->timestamp_offset);
    udp->ssrc = flow->our_ssrc;
    return flow;
}

/* Of the right kind and size: what the UDP header says is what came, and no voice is longer. */
INLINE int is_plausible(const struct __sk_buff *skb, uint32_t ip_bytes, uint32_t udp_bytes, uint32_t headers)
{
    return ip_bytes == headers + udp_bytes && udp_bytes > UDP_BYTES + RTP_BYTES && udp_bytes <= DATAGRAM_BYTES_MAX &&
           skb->len >= ETHERNET_BYTES + headers + udp_bytes;
}

/* What follows the Ethernet header: nearly always it lies in one piece. */
INLINE int read_headers(const struct __sk_buff *skb, void *to, uint32_t bytes)
{
    const uint8_t *const from = (const uint8_t *)(uintptr_t)skb->data + ETHERNET_BYTES;

    if (from + bytes > (const uint8_t *)(uintptr_t)skb->data_end)
        return load(skb, ETHERNET_BYTES, to, bytes) == 0;
    __builtin_memcpy(to, __builtin_assume_aligned(from, 8), bytes); /* as words: no processor of today minds */
    return 1;
}

/* How the ones' complement sum of these words changes; of 32 bits, as the kernel adds them up (RFC 1624). */
INLINE uint32_t change(const void *before, const void *after, int words)
{
    const uint32_t *const old = before, *const new = after;
    uint64_t sum = 0;

    for (int i = 0; i < words; i++)
        sum += (uint64_t)(uint32_t)~old[i] + new[i];
    sum = (sum & UINT32_MAX) + (sum >> 32);
    return (uint32_t)((sum & UINT32_MAX) + (sum >> 32));
}

/*
 * The part of the addresses apart from the rest: a checksum that a device is yet to finish holds only the former. Where
 * IPv4 goes without one it stays so.
 */
INLINE void mend_udp(struct __sk_buff *skb, uint32_t headers, uint32_t addresses, const struct udp_rtp *before,
                     const struct udp_rtp *after, uint64_t family)
{
    const uint32_t at = ETHERNET_BYTES + headers + __builtin_offsetof(struct udp_rtp, checksum);
    const uint32_t ports = change(before, after, 1), rtp = change(&before->flags, &after->flags, RTP_BYTES / 4);
    const uint64_t rest = (uint64_t)ports + rtp;
    const uint64_t flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;

    if (addresses != UNCHANGED && mend_checksum(skb, at, 0, addresses, flags | family) == INVALID && family != 0)
        mend_checksum(skb, at, 0, addresses, flags);
    mend_checksum(skb, at, 0, (uint32_t)(rest + (rest >> 32)), BPF_F_MARK_MANGLED_0);
}

/* On this host it goes on up the stack, to the socket that it is for now; the kernel knows the way to every other. */
INLINE int send_on(const struct kernel_flow *flow)
{
    return flow->to_device == 0 ? NEXT : (int)redirect_neighbour(flow->to_device, 0, 0, 0);
}

INLINE int forward_ipv4(struct __sk_buff *skb)
{
    const uint32_t headers = __builtin_offsetof(struct ipv4, udp);
    const struct kernel_flow *flow;
    struct ipv4 came, goes;
    uint32_t sum;

    if (!read_headers(skb, &came, sizeof came) || came.version != 0x45 || came.protocol != UDP ||
        (came.fragment & swap_16(FRAGMENT)) != 0 ||
        !is_plausible(skb, swap_16(came.bytes), swap_16(came.udp.udp_bytes), headers))
        return NEXT;
    goes = came;
    flow = take(&goes.udp, &came.source, &came.destination, 0);
    if (!flow)
        return NEXT;
    goes.source = flow->from_v4;
    goes.destination = flow->to_v4;
    goes.traffic = EXPEDITED_FORWARDING;
    goes.ttl = TTL;
    goes.id = 0;
    goes.fragment = swap_16(DO_NOT_FRAGMENT);
    sum = change(&came, &goes, (int)headers / 4);
    sum = (sum & 0xffff) + (sum >> 16) + (uint16_t)~came.checksum;
    sum = (sum & 0xffff) + (sum >> 16);
    goes.checksum = (uint16_t)~((sum & 0xffff) + (sum >> 16));
    store(skb, ETHERNET_BYTES, &goes, sizeof goes, 0);
    mend_udp(skb, headers, change(&came.source, &goes.source, 2), &came.udp, &goes.udp, 0);
    return send_on(flow);
}

INLINE int forward_ipv6(struct __sk_buff *skb)
{
    const uint32_t headers = __builtin_offsetof(struct ipv6, udp);
    const struct kernel_more *more = 0;
    const struct kernel_flow *flow;
    struct ipv6 came, goes;

    if (!read_headers(skb, &came, sizeof came) || swap_32(came.version) >> 28 != 6 ||
        came.protocol != UDP ||
        !is_plausible(skb, headers + swap_16(came.bytes), swap_16(came.udp.udp_bytes), headers))
        return NEXT;
    goes = came;
    flow = take(&goes.udp, came.source, came.destination, &more);
    if (!flow || !more)
        return NEXT;
    for (int i = 0; i < 4; i++) {
        goes.source[i] = more->from[i];
        goes.destination[i] = more->to[i];
    }
    goes.version = swap_32(6u << 28 | EXPEDITED_FORWARDING << 20);
    goes.hops = TTL;
    store(skb, ETHERNET_BYTES, &goes, sizeof goes, 0);
    mend_udp(skb, headers, change(came.source, goes.source, 8), &came.udp, &goes.udp, CHECKSUM_OF_IPV6);
    return send_on(flow);
}

__attribute__((section("tcx/ingress"), used)) int webcb_rtp(struct __sk_buff *skb)
{
    if (skb->pkt_type != PACKET_HOST || skb->gso_size != 0)
        return NEXT;
    if (skb->protocol == swap_16(0x0800))
        return forward_ipv4(skb);
    if (skb->protocol == swap_16(0x86dd))
        return forward_ipv6(skb);
    return NEXT;
}
