#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

struct batch {
    struct mmsghdr received[BATCH_PACKETS];
    struct iovec rooms[BATCH_PACKETS];
    union address sources[BATCH_PACKETS];
    struct mmsghdr sent[BATCH_PACKETS];
    struct iovec contents[BATCH_PACKETS];
    size_t payload_bytes[BATCH_PACKETS];
    uint8_t packets[BATCH_PACKETS][PACKET_BYTES_MAX];
};

int batch_open(struct batch **batch)
{
    struct batch *opened = calloc(1, sizeof *opened);

    if (opened == NULL)
        return ENOMEM;
    for (size_t i = 0; i < BATCH_PACKETS; i++) {
        opened->rooms[i] = (struct iovec){opened->packets[i], PACKET_BYTES_MAX};
        opened->received[i].msg_hdr.msg_iov = &opened->rooms[i];
        opened->received[i].msg_hdr.msg_iovlen = 1;
        opened->received[i].msg_hdr.msg_name = &opened->sources[i];
        opened->received[i].msg_hdr.msg_namelen = sizeof opened->sources[i];
        opened->sent[i].msg_hdr.msg_iov = &opened->contents[i];
        opened->sent[i].msg_hdr.msg_iovlen = 1;
    }
    *batch = opened;
    return 0;
}

void batch_close(struct batch *batch)
{
    free(batch);
}

static size_t batch_receive(struct batch *batch, int fd)
{
    const int count = recvmmsg(fd, batch->received, BATCH_PACKETS, MSG_DONTWAIT, NULL);

    return count > 0 ? (size_t)count : 0;
}

/* The kernel has written the size of the address and the flags; ready for the next batch. */
static void batch_renew(struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch->received[i].msg_hdr.msg_namelen = sizeof batch->sources[i];
}

static void batch_send(struct batch *batch, struct port *port, size_t count)
{
    const union address *to = latch_destination(&port->latch);
    size_t done = 0;

    for (size_t i = 0; i < count; i++) {
        batch->sent[i].msg_hdr.msg_name = (void *)to;
        batch->sent[i].msg_hdr.msg_namelen = address_bytes(to);
    }
    while (done < count) {
        const int sent = sendmmsg(port->rtp_fd, batch->sent + done, (unsigned int)(count - done), MSG_DONTWAIT);
        const size_t taken = sent > 0 ? (size_t)sent : 0;

        for (size_t i = done; i < done + taken; i++)
            port->counters.sent_octets += batch->payload_bytes[i];
        port->counters.sent_packets += taken;
        done += taken;
        if (taken == 0) { /* the error is of the first; the others may pass */
            port->counters.dropped_unsent++;
            done++;
        }
    }
}

static void watch_hears(struct port *port, struct ring *ring, int64_t now_ns)
{
    struct watch *watch = &port->watch;

    if (!watch->began)
        ring_put(ring, (struct event){port->id, now_ns, EVENT_MEDIA_BEGAN});
    else if (watch->silent)
        ring_put(ring, (struct event){port->id, now_ns, EVENT_RESUMED});
    watch->began = true;
    watch->silent = false;
    watch->heard_ns = now_ns;
}

static void take_multiplexed(struct port *port, const uint8_t *packet, size_t packet_bytes, int64_t now_ns)
{
    if (rtcp_read(&port->rtcp_heard, packet, packet_bytes, now_ns) == 0) {
        port->counters.received_rtcp++;
        port->rtcp_multiplexed = true;
    } else {
        port->counters.dropped_malformed++;
    }
}

/* Rewrites the packet for the peer's far side; false: it is not to be sent on. */
static bool pass_on(struct port *port, struct rtp_header header, uint8_t *packet, uint32_t clock_hz, int64_t now_ns)
{
    struct port *const peer = port->peer;
    uint8_t (*const recode)(uint8_t octet) = port->recoded_by[header.payload_type];

    if (peer == NULL || !peer->far_receives || latch_destination(&peer->latch) == NULL)
        return false;
    header.payload_type = port->relayed_as[header.payload_type];
    if (header.payload_type == NO_PAYLOAD) {
        port->counters.dropped_payload++;
        return false;
    }
    if (rtp_sender_follow(&peer->sender, &header, clock_hz, now_ns) != 0) {
        port->counters.dropped_late++;
        return false;
    }
    rtp_write(packet, &header);
    for (size_t at = 0; recode != NULL && at < header.payload_bytes; at++)
        packet[header.payload_begin + at] = recode(packet[header.payload_begin + at]);
    return true;
}

/* One packet of the batch; true: it is rewritten and goes to the peer. */
static bool take_rtp(struct port *port, struct batch *batch, size_t i, struct ring *ring, int64_t now_ns,
                     int64_t patience_ns)
{
    uint8_t *const packet = batch->packets[i];
    const size_t packet_bytes = batch->received[i].msg_len;
    struct counters *const counters = &port->counters;
    struct rtp_header header;
    uint8_t codec;

    switch (latch_judge(&port->latch, &batch->sources[i], packet, packet_bytes, now_ns, patience_ns)) {
    case LATCH_STRANGER:
        counters->dropped_strangers++;
        return false;
    case LATCH_MOVED:
        port_moved(port);
        break;
    case LATCH_ACCEPTED:
        break;
    }
    if (rtp_is_rtcp(packet, packet_bytes)) {
        take_multiplexed(port, packet, packet_bytes, now_ns);
        return false;
    }
    if ((batch->received[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 || rtp_read(&header, packet, packet_bytes) != 0) {
        counters->dropped_malformed++;
        return false;
    }
    counters->received_packets++;
    counters->received_octets += header.payload_bytes;
    counters->last_received_ns = now_ns;
    watch_hears(port, ring, now_ns);
    codec = port->codec_of[header.payload_type];
    if (codec == NO_CODEC) {
        counters->dropped_payload++;
        return false;
    }
    rtp_receiver_note(&port->receiver, &header, port->codecs[codec].clock_hz, now_ns);
    batch->payload_bytes[i] = header.payload_bytes;
    return pass_on(port, header, packet, port->codecs[codec].clock_hz, now_ns);
}

void relay_rtp(struct port *port, struct batch *batch, struct ring *ring, int64_t now_ns, int64_t patience_ns)
{
    const size_t count = batch_receive(batch, port->rtp_fd);
    size_t outgoing = 0;

    for (size_t i = 0; i < count; i++) {
        if (!take_rtp(port, batch, i, ring, now_ns, patience_ns))
            continue;
        batch->contents[outgoing] = (struct iovec){batch->packets[i], batch->received[i].msg_len};
        batch->payload_bytes[outgoing] = batch->payload_bytes[i];
        outgoing++;
    }
    batch_renew(batch, count);
    if (outgoing > 0)
        batch_send(batch, port->peer, outgoing);
}

/* Only where our reports go, or, where that is not known, the host that RTP has been agreed on. */
static bool rtcp_is_familiar(const struct port *port, const union address *source)
{
    if (port->rtcp_reachable)
        return address_equal(&port->rtcp_destination, source);
    return port->latch.has_agreed && address_same_host(&port->latch.agreed, source);
}

void relay_rtcp(struct port *port, struct batch *batch, int64_t now_ns)
{
    const size_t count = batch_receive(batch, port->rtcp_fd);

    for (size_t i = 0; i < count; i++) {
        if (!rtcp_is_familiar(port, &batch->sources[i])) {
            port->counters.dropped_strangers++;
        } else if (rtcp_read(&port->rtcp_heard, batch->packets[i], batch->received[i].msg_len, now_ns) != 0) {
            port->counters.dropped_malformed++;
        } else {
            port->counters.received_rtcp++;
            port->rtcp_destination = batch->sources[i];
            port->rtcp_reachable = true;
        }
    }
    batch_renew(batch, count);
}

void relay_own(struct port *port, struct rtp_header header, uint8_t *packet, size_t packet_bytes, int64_t now_ns)
{
    const union address *to = latch_destination(&port->latch);
    const uint32_t clock_hz = port->codecs[port->codec_of[header.payload_type]].clock_hz;

    if (to == NULL || !port->far_receives || rtp_sender_follow(&port->sender, &header, clock_hz, now_ns) != 0)
        return;
    packet[0] = 0x80;
    rtp_write(packet, &header);
    if (sendto(port->rtp_fd, packet, packet_bytes, MSG_DONTWAIT, &to->any, address_bytes(to)) !=
        (ssize_t)packet_bytes) {
        port->counters.dropped_unsent++;
        return;
    }
    port->counters.sent_packets++;
    port->counters.sent_octets += packet_bytes - RTP_HEADER_BYTES;
}
