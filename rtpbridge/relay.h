#pragma once
/* What becomes of the packets that have come to a port: taken, judged, rewritten, sent on, a batch at a time. */

#include <stdint.h>

#include "port.h"
#include "ring.h"

#define BATCH_PACKETS 32
#define PACKET_BYTES_MAX 1500 /* a longer datagram is dropped as malformed: no voice needs it */

struct batch;

int batch_open(struct batch **batch);
void batch_close(struct batch *batch);

/* Takes at most BATCH_PACKETS; what is left is readable still. patience_ns is the latch's. */
void relay_rtp(struct port *port, struct batch *batch, struct ring *ring, int64_t now_ns, int64_t patience_ns);
void relay_rtcp(struct port *port, struct batch *batch, int64_t now_ns);
/* Sends one frame of our own to the port's far side; the header is written into the packet's first 12 octets. */
void relay_own(struct port *port, struct rtp_header header, uint8_t *packet, size_t packet_bytes, int64_t now_ns);
