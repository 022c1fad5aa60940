#pragma once
/*
 * Whose packets a port takes. The address of the SDP first; another only after that one stayed silent and several
 * packets in a row of one SSRC came from the other (a phone behind NAT that names its private address); then nobody
 * else. The SDP's address outranks a latched one whenever it speaks. This shuts out RTP bleed (CVE-2017-14099).
 * Pure: time is handed in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

#define LATCH_PACKETS 4

enum latch_verdict { LATCH_STRANGER, LATCH_ACCEPTED, LATCH_MOVED };

struct latch {
    union address named;      /* by the SDP */
    union address agreed;     /* seen on the wire and believed */
    bool has_named;
    bool has_agreed;
    bool listening;           /* another address may still be believed */
    int64_t heard_ns;         /* named or agreed last spoke; before that, when the SDP came */
    union address candidate;
    uint32_t candidate_ssrc;
    uint32_t candidate_packets;
};

/* A new SDP: listens anew; what was agreed stays while the SDP names the same address. */
void latch_name(struct latch *latch, const union address *named, int64_t now_ns);
/* LATCH_MOVED: accepted, and from now on agreed is the source. Only a candidate's header is ever read. */
enum latch_verdict latch_judge(struct latch *latch, const union address *source, const uint8_t *packet,
                               size_t packet_bytes, int64_t now_ns, int64_t patience_ns);
/* Where to send: the agreed address, before that the named one; NULL without an SDP. */
const union address *latch_destination(const struct latch *latch);
