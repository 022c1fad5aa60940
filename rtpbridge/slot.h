#pragma once
/*
 * The map that the bridge and the kernel program share, octet by octet: an array, one slot for its head, then one for
 * each pair of ports, behind these one more for each pair with what few packets need, then KERNEL_MEMORY_SLOTS for each that
 * only the bridge reads. So what every packet needs lies close together: of 1,300 octets each, the flows were spread over so
 * many pages that to find the page took a third of the program's time. The bridge has it all mapped into its memory; both
 * sides read and write it while packets pass.
 * A change of anything here changes KERNEL_LAYOUT, or an engine would take over flows that it reads wrongly.
 */

#include <stdint.h>

#define KERNEL_LAYOUT 3u
#define KERNEL_OWNER_BYTES 64    /* with the closing zero */
#define KERNEL_PAYLOADS 8        /* voice codecs of a flow at most; more are left to the bridge */
#define KERNEL_STAYS UINT8_MAX   /* no payload number */
#define KERNEL_SLOT_BYTES 128
#define KERNEL_MEMORY_SLOTS 8     /* of KERNEL_MEMORY_BYTES together */
#define KERNEL_MEMORY_BYTES 1024
#define KERNEL_GAP_MAX 3000      /* a longer jump is a source that began anew: RTP_DROPOUT_MAX */
#define KERNEL_JITTER_BITS 4     /* fraction of jitter_ns: the sum of RFC 3550, A.8 */
#define KERNEL_BURST_MAX 16
#define KERNEL_SILENCE_NS 200000000
#define KERNEL_NEVER INT64_MAX   /* the deadline of a flow that has none */

/*
 * `claim` is the one word that both sides write: the state, the sequence number of the newest packet sent on, and that
 * packet's timestamp. A packet is forwarded by whoever moves it on by compare and exchange, and the bridge takes a flow
 * back by exchanging it for 0: no number is spent twice.
 *
 * FLOW_ARMED: the bridge may have packets of this flow in hand that came before; the program takes only the very next
 * number, so that nothing overtakes them. With it the flow is FLOW_RUNNING, until the program leaves a newer packet to the
 * bridge. A bridge that has not armed the flow anew within KERNEL_ARMED_NS is dead or late, and is not waited for.
 */
#define FLOW_ARMED 1u
#define FLOW_RUNNING 2u
#define KERNEL_ARMED_NS 15000000
#define CLAIM(state, sequence, timestamp) ((uint64_t)(state) << 48 | (uint64_t)(sequence) << 32 | (timestamp))
#define CLAIM_STATE(claim) ((uint16_t)((claim) >> 48))
#define CLAIM_SEQUENCE(claim) ((uint16_t)((claim) >> 32))
#define CLAIM_TIMESTAMP(claim) ((uint32_t)(claim))

/*
 * What comes to one port from its far side, and goes to the far side of the port it is joined to. A packet of IPv4 touches
 * these two lines of 64 octets, and no more where none was lost: on a host with many calls they are in no cache.
 */
struct kernel_flow {
    uint64_t claim;
    int64_t deadline_ns;          /* CLOCK_MONOTONIC: from then on nothing is forwarded */
    /* Written by the program; read at any time. armed_ns, last_ns, came and jitter_ns by both sides. */
    int64_t armed_ns;             /* CLOCK_MONOTONIC */
    int64_t last_ns;              /* CLOCK_MONOTONIC */
    uint64_t packets;
    uint64_t octets;              /* of payload */
    uint64_t came;                /* a bit for each of the newest 64 numbers, the lowest for the newest of all */
    uint64_t jitter_ns;           /* with KERNEL_JITTER_BITS of fraction */

    /* Written by the bridge while claim is 0. Addresses and ports in network order, an IPv4 address in the first word. */
    uint16_t family;              /* AF_INET or AF_INET6 */
    uint16_t far_port;
    uint16_t to_port;
    uint16_t from_port;
    uint32_t far_ssrc;            /* in network order, as our_ssrc */
    uint32_t our_ssrc;
    uint32_t timestamp_offset;
    uint16_t sequence_offset;
    uint16_t unused;
    uint32_t to_device;           /* its index; 0: the far side is on this host */
    uint32_t tick_ns;             /* of the timestamp */
    uint32_t far_v4, near_v4;     /* near: the port's own address; from: the peer's own */
    uint32_t from_v4, to_v4;
    uint8_t payloads[2 * KERNEL_PAYLOADS]; /* the far side's number, the peer's; others, and those of none, stay */

} __attribute__((aligned(KERNEL_SLOT_BYTES)));

/* Further of a flow. */
struct kernel_more {
    uint32_t far[4];              /* of IPv6 */
    uint32_t near[4];
    uint32_t from[4];
    uint32_t to[4];

    int64_t first_ns;             /* CLOCK_MONOTONIC */
    int64_t silent_ns;            /* pauses over KERNEL_SILENCE_NS that no marker explains */
    uint64_t gaps;                /* runs of numbers that were passed over, and how many numbers those were */
    uint64_t gap_packets;
    uint64_t burst_packets;       /* of those: KERNEL_BURST_MAX packets after or before another (QUALITY_GAP_PACKETS) */
    uint32_t lost_last;           /* the last number passed over, and whether it was the only one far and wide */
    uint32_t lost_alone;
} __attribute__((aligned(KERNEL_SLOT_BYTES)));

struct kernel_head {
    uint32_t layout;
    uint16_t port_first;
    uint16_t unused;
    uint32_t pairs;
    uint32_t memory_bytes;
    char owner[KERNEL_OWNER_BYTES];
};

union kernel_slot {
    struct kernel_head head;      /* of slot 0 */
    struct kernel_flow flow;
    struct kernel_more more;
    uint8_t octets[KERNEL_SLOT_BYTES];
};
