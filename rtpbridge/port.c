#include "port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "filter.h"
#include "pace.h"
#include "recode.h"

#define DSCP_EXPEDITED_FORWARDING 0xb8 /* the octet on the wire (RFC 3246) */

/* A socket of ours alone: no SO_REUSEADDR, so that a port in use is refused. */
static int socket_open(int *fd, const union address *host, uint16_t port)
{
    const int on = 1, traffic_class = DSCP_EXPEDITED_FORWARDING;
    const bool v6 = host->any.sa_family == AF_INET6;
    union address address = *host;
    int error = 0;

    address_set_port(&address, port);
    *fd = socket(host->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0 || (v6 && setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        setsockopt(*fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, &traffic_class,
                   sizeof traffic_class) != 0 ||
        bind(*fd, &address.any, address_bytes(&address)) != 0)
        error = errno;
    return error;
}

int port_open(struct port **port, const union address *host, uint16_t rtp_port)
{
    struct {
        uint32_t ssrc;
        uint32_t timestamp;
        uint16_t sequence;
        unsigned int seed;
    } drawn;
    struct port *opened = calloc(1, sizeof *opened);
    int error = 0;

    if (opened == NULL) {
        error = ENOMEM;
        goto out;
    }
    opened->rtp_port = rtp_port;
    opened->rtp_fd = opened->rtcp_fd = -1;
    opened->far_sends = opened->far_receives = true;
    opened->flow.deadline_ns = KERNEL_NEVER;
    memset(opened->codec_of, NO_CODEC, sizeof opened->codec_of);
    opened->host = *host;
    if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) {
        error = errno;
        goto out;
    }
    rtp_sender_begin(&opened->sender, drawn.ssrc, drawn.sequence, drawn.timestamp);
    opened->seed = drawn.seed;
    error = socket_open(&opened->rtp_fd, host, rtp_port);
    if (error != 0)
        goto out;
    error = socket_open(&opened->rtcp_fd, host, (uint16_t)(rtp_port + 1));
out:
    if (error == 0)
        *port = opened;
    else
        port_close(opened);
    return error;
}

void port_close(struct port *port)
{
    if (port == NULL)
        return;
    if (port->rtp_fd >= 0)
        close(port->rtp_fd);
    if (port->rtcp_fd >= 0)
        close(port->rtcp_fd);
    secured_close(&port->secured);
    playlist_close(port->player.list);
    free(port);
}

static void lower_fence(struct port *port)
{
    if (port->fence.up) {
        filter_clear(port->rtp_fd);
        filter_clear(port->rtcp_fd);
    }
    port->fence.up = false;
}

/* The address of the SDP outranks what was agreed whenever it speaks; RTCP comes from the host of either. */
static void raise_fence(struct port *port, size_t *fences_left)
{
    const struct latch *const latch = &port->latch;
    const union address *const rtcp = port->rtcp_reachable ? &port->rtcp_destination : &latch->agreed;
    struct fence *const fence = &port->fence;

    if (fence->up && address_equal(&fence->rtp[0], &latch->agreed) && address_equal(&fence->rtp[1], &latch->named) &&
        address_same_host(&fence->rtcp[0], &latch->agreed) && address_same_host(&fence->rtcp[1], rtcp))
        return;
    if (*fences_left == 0) {
        lower_fence(port); /* one around another address would keep out who is believed */
        return;
    }
    (*fences_left)--;
    fence->rtp[0] = fence->rtcp[0] = latch->agreed;
    fence->rtp[1] = latch->named;
    fence->rtcp[1] = *rtcp;
    fence->up = true;
    if (filter_set(port->rtp_fd, &fence->rtp[0], &fence->rtp[1], false) != 0 ||
        filter_set(port->rtcp_fd, &fence->rtcp[0], &fence->rtcp[1], true) != 0)
        lower_fence(port); /* the latch is as strict without it; it is tried again */
}

void port_fence(struct port *port, int64_t now_ns, const struct latch_rules *rules, size_t *fences_left)
{
    if (port->latch.has_agreed && latch_is_strict(&port->latch, now_ns, rules))
        raise_fence(port, fences_left);
    else
        lower_fence(port);
}

/* Whether the far side has agreed to hear it; what else it may still say, or say already, is only understood. */
static bool is_sent(const struct codec *codec)
{
    return codec->payload_type != NO_PAYLOAD;
}

/* The peer's codec of that name, else the first of its codecs that it can be recoded to. */
static struct recoding recoding_of(struct port *port, const struct codec *from)
{
    struct recoding recoding = {.payload_type = NO_PAYLOAD, .clock_hz = from->clock_hz};
    const struct port *const peer = port->peer;

    for (size_t i = 0; recoding.payload_type == NO_PAYLOAD && i < peer->codecs_count; i++)
        if (is_sent(&peer->codecs[i]) && strcasecmp(peer->codecs[i].name, from->name) == 0)
            recode_between(&recoding, &port->recoder, from, &peer->codecs[i]);
    for (size_t i = 0; recoding.payload_type == NO_PAYLOAD && i < peer->codecs_count; i++)
        if (is_sent(&peer->codecs[i]))
            recode_between(&recoding, &port->recoder, from, &peer->codecs[i]);
    return recoding;
}

/* A phone sends as it likes to receive: frames are cut anew only where one side named another length than the other has. */
static uint32_t frame_ticks(const struct port *port)
{
    const uint32_t comes_ms = port->frame_ms != 0 ? port->frame_ms : FRAME_MS_USUAL;

    if (port->peer == NULL || port->peer->frame_ms == 0 || port->peer->frame_ms == comes_ms)
        return 0;
    return port->peer->frame_ms * (VOICE_CLOCK_HZ / 1000);
}

/* Writes down once, for the packets to come, what becomes of each of the port's codecs on the way to the peer. */
static void map_payloads(struct port *port)
{
    if (port->recoder.framer.active && port->peer != NULL)
        rtp_sender_switch(&port->peer->sender); /* frames had numbers of their own */
    recoder_begin(&port->recoder, frame_ticks(port));
    for (size_t number = 0; number < PAYLOAD_TYPES; number++) {
        port->recodings[number] = (struct recoding){.payload_type = NO_PAYLOAD};
        if (port->peer != NULL && port->codec_of[number] != NO_CODEC)
            port->recodings[number] = recoding_of(port, &port->codecs[port->codec_of[number]]);
    }
}

/* Packets come with our numbers; some phones send their own, which are understood where ours leave them free. */
static void read_payloads(struct port *port)
{
    memset(port->codec_of, NO_CODEC, sizeof port->codec_of);
    for (size_t i = 0; i < port->codecs_count; i++)
        if (is_sent(&port->codecs[i]))
            port->codec_of[port->codecs[i].payload_type] = (uint8_t)i;
    for (size_t i = 0; i < port->codecs_count; i++) {
        const char *const name = port->codecs[i].name;

        if (is_sent(&port->codecs[i]) || port->codec_of[port->codecs[i].our_payload_type] == NO_CODEC)
            port->codec_of[port->codecs[i].our_payload_type] = (uint8_t)i;
        port->roles[i] = (struct role){
            .voice = voice_named(name),
            .events = strncasecmp(name, "telephone-event/", 16) == 0,
            .comfort_noise = strncasecmp(name, "CN/", 3) == 0,
        };
    }
}

static int far_side_check(const struct far_side *far_side)
{
    if (far_side->codecs_count == 0 || far_side->codecs_count > CODECS_MAX)
        return EINVAL;
    for (size_t i = 0; i < far_side->codecs_count; i++) {
        const struct codec *codec = &far_side->codecs[i];

        if ((is_sent(codec) && codec->payload_type >= PAYLOAD_TYPES) || codec->our_payload_type >= PAYLOAD_TYPES || codec->clock_hz == 0 ||
            memchr(codec->name, 0, sizeof codec->name) == NULL)
            return EINVAL;
    }
    return far_side->frame_ms == 0 || (far_side->frame_ms >= FRAME_MS_MIN && far_side->frame_ms <= FRAME_MS_MAX)
               ? 0
               : EINVAL;
}

/* What is played goes on in the codec that the far side has now, its first that we can speak; ENOTSUP: it has none. */
static int player_choose_codec(struct port *port)
{
    enum voice voice = VOICE_NONE;
    uint8_t voice_payload = NO_PAYLOAD, event_payload = PLAY_NO_EVENTS;

    for (size_t i = 0; i < port->codecs_count; i++) {
        const struct codec *codec = &port->codecs[i];

        if (!is_sent(codec))
            continue;
        if (voice == VOICE_NONE && voice_named(codec->name) != VOICE_NONE) {
            voice = voice_named(codec->name);
            voice_payload = codec->payload_type;
        }
        if (event_payload == PLAY_NO_EVENTS && strcasecmp(codec->name, "telephone-event/8000") == 0)
            event_payload = codec->payload_type;
    }
    player_speak(&port->player, voice, voice_payload, event_payload);
    return voice != VOICE_NONE ? 0 : ENOTSUP;
}

int port_connect(struct port *port, const struct far_side *far_side, int64_t now_ns)
{
    const uint16_t rtcp_port = far_side->rtcp_port != 0 ? far_side->rtcp_port : (uint16_t)(far_side->rtp_port + 1);
    union address named;
    int error = far_side->rtp_port == 0 ? EINVAL : far_side_check(far_side);

    if (error == 0)
        error = address_read(&named, far_side->host, far_side->rtp_port);
    if (error == 0 && named.any.sa_family != port->host.any.sa_family)
        error = EAFNOSUPPORT;
    if (error != 0)
        goto out;

    lower_fence(port); /* at once: the new address may speak before the next tick */
    latch_name(&port->latch, &named, now_ns);
    port->rtcp_multiplexed = rtcp_port == far_side->rtp_port;
    port->rtcp_destination = named;
    address_set_port(&port->rtcp_destination, rtcp_port);
    port->rtcp_reachable = address_same_host(latch_destination(&port->latch), &named);
    port->watch.running = true;
    port->watch.silent = false;
    port->watch.heard_ns = now_ns;

    port->codecs_count = far_side->codecs_count;
    memcpy(port->codecs, far_side->codecs, far_side->codecs_count * sizeof *port->codecs);
    port->frame_ms = far_side->frame_ms;
    read_payloads(port);
    map_payloads(port);
    if (port->peer != NULL)
        map_payloads(port->peer);
    if (player_choose_codec(port) != 0)
        port_stop(port);
    port->listener = (struct listener){hear_packet, port};
out:
    return error;
}

void port_rejoin(struct port *a, struct port *b)
{
    a->peer = b;
    b->peer = a;
    map_payloads(a);
    map_payloads(b);
}

void port_join(struct port *a, struct port *b)
{
    struct port *const both[] = {a, b};

    for (size_t i = 0; i < 2; i++) {
        port_stop(both[i]);
        rtp_sender_switch(&both[i]->sender);
        rtcp_begin_anew(&both[i]->rtcp_view);
        both[i]->flow.deadline_ns = KERNEL_NEVER;
    }
    port_rejoin(a, b);
}

void port_split(struct port *port)
{
    struct port *const peer = port->peer;

    if (peer == NULL)
        return;
    port->peer = peer->peer = NULL;
    map_payloads(port);
    map_payloads(peer);
}

int port_play(struct port *port, struct playlist **list, int64_t next_ns)
{
    if (port->codecs_count == 0)
        return ENOTCONN;
    if (port->peer != NULL && playlist_is_endless(*list))
        return EBUSY;
    if (port->player.encoder.voice == VOICE_NONE)
        return ENOTSUP;
    *list = player_begin(&port->player, *list);
    port->play_ns = next_ns;
    rtp_sender_switch(&port->sender);
    return 0;
}

void port_stop(struct port *port)
{
    port->player.playing = false;
    port->player.key = 0;
    rtp_sender_switch(&port->sender);
}

void port_detect_inband(struct port *port, bool detects)
{
    if (detects && !port->hearing.detects_inband)
        port->hearing.inband = (struct inband){0};
    port->hearing.detects_inband = detects;
}

void port_note(struct port *port, const struct rtp_header *header, int64_t now_ns)
{
    const struct role *const role = &port->roles[port->codec_of[header->payload_type]];

    if (!role->events && !role->comfort_noise)
        port->spoken = role->voice;
    quality_note(&port->quality, header, role->comfort_noise, now_ns);
}

void port_view(struct port *port, const uint8_t *packet, size_t packet_bytes)
{
    port->counters.received_rtcp++;
    rtcp_read_view(&port->rtcp_view, packet, packet_bytes, port->sender.ssrc, (uint32_t)(pace_ntp_now() >> 16));
}

static double jitter_ms(const struct port *port)
{
    return port->receiver.clock_hz > 0 ? port->receiver.jitter * 1000 / port->receiver.clock_hz : 0;
}

static double round_trip_ms(const struct port *port)
{
    return port->rtcp_view.has_round_trip ? port->rtcp_view.round_trip * 1000.0 / 65536 : 0;
}

void port_judge(struct port *port, int64_t now_ns)
{
    const struct quality_leg leg = {
        .voice = port->spoken,
        .jitter_ms = jitter_ms(port),
        .round_trip_ms = round_trip_ms(port),
        .sent_packets = port->counters.sent_packets,
        .received_packets = port->counters.received_packets,
        .far_sends = port->far_sends,
        .joined = port->peer != NULL,
    };

    if (port->watch.running)
        quality_time(&port->quality, &port->history, &leg, now_ns);
}

void port_scores(const struct port *port, struct scores *scores)
{
    const struct quality_history *const history = &port->history;

    _Static_assert(SCORES_MAX == QUALITY_SCORES_MAX, "all of them fit");
    scores->begun_ns = history->begun_ns;
    scores->window_ms = history->span * QUALITY_WINDOW_MS;
    scores->count = history->count;
    memcpy(scores->fiftieths, history->scores, history->count);
}

struct counters port_counters(const struct port *port)
{
    const struct quality *const quality = &port->quality;
    const struct rtp_receiver *receiver = &port->receiver;
    const int64_t lost = rtp_receiver_lost(receiver);
    struct counters counters = port->counters;

    counters.dropped_by_system = filter_dropped(port->rtp_fd) + filter_dropped(port->rtcp_fd);
    counters.lost_packets = lost > 0 ? lost : 0;
    counters.jitter_ms = jitter_ms(port);
    counters.duplicate_packets = quality->duplicates;
    counters.reordered_packets = quality->reordered;
    counters.burst_lost_packets = quality->losses.burst_lost;
    counters.comfort_noise_packets = quality->comfort_noise;
    counters.silent_ms = quality->silent_ns / 1000000;
    counters.one_way = quality->one_way;
    counters.was_one_way = quality->was_one_way;
    counters.score = quality->score;
    counters.score_min = quality->score_min;
    counters.score_mean = quality->scores > 0 ? quality->score_sum / quality->scores : 0;
    counters.far_lost_packets = port->rtcp_view.lost > 0 ? port->rtcp_view.lost : 0;
    counters.far_jitter_ms =
        port->sender.clock_hz > 0 ? port->rtcp_view.jitter * 1000.0 / port->sender.clock_hz : 0;
    counters.round_trip_ms = round_trip_ms(port);
    return counters;
}

void port_moved(struct port *port)
{
    port->rtcp_reachable = address_same_host(&port->rtcp_destination, &port->latch.agreed);
}

void port_hold(struct port *port, bool far_sends, bool far_receives, int64_t now_ns)
{
    if (far_receives && !port->far_receives)
        rtp_sender_switch(&port->sender); /* what was not sent is no loss */
    if (far_sends && !port->far_sends)
        port->watch.heard_ns = now_ns;
    port->far_sends = far_sends;
    port->far_receives = far_receives;
}

void port_send_rtcp(struct port *port, uint8_t *packet, size_t packet_bytes)
{
    const union address *to = port->rtcp_multiplexed ? latch_destination(&port->latch) : &port->rtcp_destination;
    const int fd = port->rtcp_multiplexed ? port->rtp_fd : port->rtcp_fd;

    if (to == NULL || !(port->rtcp_multiplexed || port->rtcp_reachable))
        return;
    if (port->envelope.seal_rtcp != NULL && port->envelope.seal_rtcp(port->envelope.state, packet, &packet_bytes) != 0)
        port->counters.dropped_unsent++;
    else if (sendto(fd, packet, packet_bytes, MSG_DONTWAIT, &to->any, address_bytes(to)) == (ssize_t)packet_bytes)
        port->counters.sent_rtcp++;
    else
        port->counters.dropped_unsent++;
}
