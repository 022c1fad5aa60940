#pragma once
/*
 * Whose packets a port takes. The address of the SDP first; another only after that one stayed silent and several
 * packets in a row of one SSRC came from the other (a phone behind NAT that names its private address); then nobody
 * else. The SDP's address outranks a latched one whenever it speaks. This shuts out RTP bleed (CVE-2017-14099).
 *
 * Once somebody was believed and then stays silent for long, his neighbours may be: the same IPv4 /24 or IPv6 /64, for a
 * NAT that forgot its binding. After twice that time anybody may, unless the SDP's address itself was heard: of
 * that one only a new SDP can say that it is another. Pure: time is handed in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

#define LATCH_PACKETS 4

enum latch_verdict { LATCH_STRANGER, LATCH_ACCEPTED, LATCH_MOVED };

struct latch_rules {
    int64_t patience_ns;      /* the SDP's address must be silent so long, after the SDP, before another is believed */
    int64_t relearn_ns;       /* so long must who was believed be silent */
};

struct latch {
    union address named;      /* by the SDP */
    union address agreed;     /* seen on the wire and believed */
    bool has_named;
    bool has_agreed;
    bool listening;           /* nobody was heard since the SDP came */
    bool named_heard;         /* the SDP's address itself was */
    int64_t heard_ns;         /* named or agreed last spoke; before that, when the SDP came */
    union address candidate;
    uint32_t candidate_ssrc;
    uint32_t candidate_packets;
};

/* A new SDP: listens anew; what was agreed stays while the SDP names the same address. */
void latch_name(struct latch *latch, const union address *named, int64_t now_ns);
/* False: a stranger, whatever he says. Looks at the address alone and changes nothing. */
bool latch_considers(const struct latch *latch, const union address *source, int64_t now_ns,
                     const struct latch_rules *rules);
/* LATCH_MOVED: accepted, and from now on agreed is the source. Only a candidate's header is ever read. */
enum latch_verdict latch_judge(struct latch *latch, const union address *source, const uint8_t *packet,
                               size_t packet_bytes, int64_t now_ns, const struct latch_rules *rules);
/* Where to send: the agreed address, before that the named one; NULL without an SDP. */
const union address *latch_destination(const struct latch *latch);
/* The far side is not expected to speak just now: its silence makes nobody else believed. */
void latch_excuse(struct latch *latch, int64_t now_ns);
/* Whether nobody but the named and the agreed address can be believed now. */
bool latch_is_strict(const struct latch *latch, int64_t now_ns, const struct latch_rules *rules);
