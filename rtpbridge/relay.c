#include "relay.h"

/* Makes the packet the next one of the stream to the port's far side, and leaves it in the batch. False: it is too late. */
static bool send_on(struct port *port, const struct turn *turn, struct packet *packet)
{
    size_t bytes = packet->bytes;

    if (rtp_sender_follow(&port->sender, &packet->header, packet->clock_hz, turn->now_ns) != 0)
        return false;
    rtp_write(packet->octets, &packet->header);
    if (port->envelope.seal_rtp != NULL && port->envelope.seal_rtp(port->envelope.state, packet->octets, &bytes) != 0) {
        port->counters.dropped_unsent++;
    } else {
        batch_put(turn->batch, port, packet->octets, bytes, packet->header.payload_bytes);
    }
    return true;
}

static bool far_side_listens(const struct port *port)
{
    return port->far_receives && !port->unwatched && latch_destination(&port->latch) != NULL;
}

/* One packet becomes none, one or several. */
static void recode(struct port *port, const struct recoding *recoding, const struct turn *turn, struct packet packet)
{
    struct packet packets[RECODED_MAX] = {packet};
    size_t count;

    for (size_t i = 1; i < RECODED_MAX; i++)
        packets[i] = (struct packet){.octets = batch_room(turn->batch, RECODED_MAX - i)};
    count = recoding->turn(recoding->state, packets);
    for (size_t i = 0; i < count; i++) {
        packets[i].header.payload_type = recoding->payload_type;
        packets[i].clock_hz = recoding->clock_hz;
        port->counters.dropped_late += !send_on(port->peer, turn, &packets[i]);
    }
    batch_return(turn->batch, RECODED_MAX - (count > 1 ? count : 1));
}

static void pass_on(struct port *port, const struct turn *turn, struct packet packet)
{
    const struct recoding *const recoding = &port->recodings[packet.header.payload_type];

    if (port->peer == NULL || !far_side_listens(port->peer) || player_is_busy(&port->peer->player))
        return; /* what is played to a side that is joined replaces what its peer says */
    if (turn->now_ns >= port->flow.deadline_ns) {
        port->counters.dropped_deadline++;
        return;
    }
    if (recoding->payload_type == NO_PAYLOAD) {
        port->counters.dropped_payload++;
    } else if (recoding->turn != NULL) {
        recode(port, recoding, turn, packet);
    } else {
        packet.header.payload_type = recoding->payload_type;
        port->counters.dropped_late += !send_on(port->peer, turn, &packet);
    }
}

static void watch_hears(struct port *port, const struct turn *turn)
{
    struct watch *watch = &port->watch;

    if (!watch->began || watch->silent) {
        const enum event_kind kind = watch->began ? EVENT_RESUMED : EVENT_MEDIA_BEGAN;

        ring_put(turn->ring, (struct event){port->id, turn->now_ns, kind, 0, 0});
        turn_rouse(turn, port);
    }
    watch->began = true;
    watch->silent = false;
    watch->heard_ns = turn->now_ns;
}

/* True: it is the far side's, and opened. Nothing is changed by a packet that is not; of a stranger's nothing is read. */
static bool believe(struct port *port, const struct arrival *arrival, size_t *bytes, const struct turn *turn)
{
    const struct envelope *const envelope = &port->envelope;
    int (*open)(void *state, uint8_t *packet, size_t *packet_bytes);

    if (!latch_considers(&port->latch, arrival->source, turn->now_ns, &turn->latch)) {
        port->counters.dropped_strangers++;
        return false;
    }
    open = rtp_is_rtcp(arrival->octets, arrival->bytes) ? envelope->open_rtcp : envelope->open_rtp;
    if (open != NULL && open(envelope->state, arrival->octets, bytes) != 0) {
        port->counters.dropped_unauthentic++;
        return false;
    }
    switch (latch_judge(&port->latch, arrival->source, arrival->octets, *bytes, turn->now_ns, &turn->latch)) {
    case LATCH_STRANGER:
        port->counters.dropped_strangers++;
        return false;
    case LATCH_MOVED:
        port_moved(port);
        turn_rouse(turn, port);
        port_fence(port, turn->now_ns, &turn->latch, turn->fences_left); /* now: at the next tick the buffer may be full of junk */
        break;
    case LATCH_ACCEPTED:
        break;
    }
    return true;
}

static void take_multiplexed(struct port *port, const struct packet *packet, int64_t now_ns)
{
    if (rtcp_read(&port->rtcp_heard, packet->octets, packet->bytes, now_ns) == 0) {
        port_view(port, packet->octets, packet->bytes);
        port->rtcp_multiplexed = true;
    } else {
        port->counters.dropped_malformed++;
    }
}

void relay_rtp(struct port *port, const struct arrival *arrival, const struct turn *turn)
{
    struct counters *const counters = &port->counters;
    struct packet packet = {.octets = arrival->octets, .bytes = arrival->bytes};
    const struct codec *codec;

    if (!believe(port, arrival, &packet.bytes, turn))
        return;
    if (!arrival->truncated && rtp_is_rtcp(packet.octets, packet.bytes)) {
        take_multiplexed(port, &packet, turn->now_ns);
        return;
    }
    if (arrival->truncated || rtp_read(&packet.header, packet.octets, packet.bytes) != 0) {
        counters->dropped_malformed++;
        return;
    }
    counters->received_packets++;
    counters->received_octets += packet.header.payload_bytes;
    counters->last_received_ns = turn->now_ns;
    watch_hears(port, turn);
    if (port->codec_of[packet.header.payload_type] == NO_CODEC) {
        counters->dropped_payload++;
        return;
    }
    codec = &port->codecs[port->codec_of[packet.header.payload_type]];
    packet.clock_hz = codec->clock_hz;
    rtp_receiver_note(&port->receiver, &packet.header, packet.clock_hz, turn->now_ns);
    port_note(port, &packet.header, turn->now_ns);
    if (port->listener.hear != NULL)
        port->listener.hear(port->listener.state, &packet, codec, turn);
    pass_on(port, turn, packet);
}

/* Only where our reports go, or, where that is not known, the host that RTP has been agreed on. */
static bool rtcp_is_familiar(const struct port *port, const union address *source)
{
    if (port->rtcp_reachable)
        return address_equal(&port->rtcp_destination, source);
    return port->latch.has_agreed && address_same_host(&port->latch.agreed, source);
}

void relay_rtcp(struct port *port, const struct arrival *arrival, const struct turn *turn)
{
    const struct envelope *const envelope = &port->envelope;
    size_t bytes = arrival->bytes;

    if (!rtcp_is_familiar(port, arrival->source)) {
        port->counters.dropped_strangers++;
    } else if (envelope->open_rtcp != NULL && envelope->open_rtcp(envelope->state, arrival->octets, &bytes) != 0) {
        port->counters.dropped_unauthentic++;
    } else if (arrival->truncated || rtcp_read(&port->rtcp_heard, arrival->octets, bytes, turn->now_ns) != 0) {
        port->counters.dropped_malformed++;
    } else {
        port_view(port, arrival->octets, bytes);
        port->rtcp_destination = *arrival->source;
        port->rtcp_reachable = true;
    }
}

void relay_own(struct port *port, const struct turn *turn, struct packet packet)
{
    if (!far_side_listens(port)) {
        batch_return(turn->batch, 1);
        return;
    }
    packet.octets[0] = 0x80;
    send_on(port, turn, &packet);
}
