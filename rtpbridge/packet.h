#pragma once
/* One RTP packet on its way through the bridge, and the room it lies in. Holds no rule. */

#include <stddef.h>
#include <stdint.h>

#include "rtp.h"

#define PACKET_BYTES_MAX 1500    /* a longer datagram is dropped as malformed: no voice needs it */
#define PACKET_TRAILER_BYTES 160 /* room behind every packet for what an envelope adds (RFC 3711, 3.1) */

struct packet {
    uint8_t *octets;             /* PACKET_BYTES_MAX + PACKET_TRAILER_BYTES of room */
    size_t bytes;
    struct rtp_header header;    /* what octets say, or shall say once it is sent */
    uint32_t clock_hz;           /* of its timestamp */
};
