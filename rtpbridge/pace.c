#include "pace.h"

#include <stdlib.h>
#include <time.h>

#define NTP_SECONDS_AT_1970 2208988800u
#define UNFENCED_NS 200000000 /* where none can be raised, it is tried so often */

static void play_frame(struct port *port, const struct turn *turn)
{
    struct packet packet = {.octets = batch_room(turn->batch, 0)};
    const bool last = player_frame(&port->player, &packet);

    relay_own(port, turn, packet);
    port->play_ns += FRAME_NS;
    if (last)
        ring_put(turn->ring, (struct event){port->id, turn->now_ns, EVENT_PLAYED, 0, 0});
    if (!player_is_busy(&port->player))
        rtp_sender_switch(&port->sender);
}

static void play_due(struct port *port, const struct turn *turn, int64_t tick_ns)
{
    for (int i = 0; i < FRAMES_CAUGHT_UP_MAX && port->play_ns <= tick_ns && player_is_busy(&port->player); i++)
        play_frame(port, turn);
    if (port->play_ns <= tick_ns) {
        port->play_ns = tick_ns + FRAME_NS;
        rtp_sender_switch(&port->sender); /* the timestamp makes up for what was left out */
    }
}

uint64_t pace_ntp_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec + NTP_SECONDS_AT_1970) << 32 | ((uint64_t)now.tv_nsec << 32) / 1000000000u;
}

/* Of what comes from the far side, and of what goes to it. */
static void sync(struct port *port)
{
    flow_sync(port);
    if (port->peer != NULL)
        flow_sync(port->peer);
}

static void report(struct port *port, const struct pace *pace, bool goodbye, int64_t now_ns)
{
    uint8_t packet[RTCP_REPORT_BYTES_MAX + PACKET_TRAILER_BYTES];
    struct rtcp_report what = {
        .ssrc = port->sender.ssrc,
        .cname = pace->cname,
        .sender = port->counters.sent_packets != port->reported_packets,
        .ntp = pace_ntp_now(),
        .timestamp = rtp_sender_timestamp(&port->sender, now_ns),
        .sent_packets = (uint32_t)port->counters.sent_packets,
        .sent_octets = (uint32_t)port->counters.sent_octets,
        .goodbye = goodbye,
    };

    rtcp_look_beyond(&port->beyond, port->peer != NULL ? &port->peer->rtcp_view : NULL, port->receiver.ssrc);
    what.beyond = port->beyond;
    port->reported_packets = port->counters.sent_packets;
    port_send_rtcp(port, packet, rtcp_write(packet, &what, &port->receiver, &port->rtcp_heard, now_ns));
}

/* Half to one and a half times the mean, so that the reports of many ports do not fall together (RFC 3550, 6.3.1). */
static int64_t report_interval(struct port *port, const struct pace *pace)
{
    return pace->report_ns / 2 + pace->report_ns * (rand_r(&port->seed) % 1024) / 1024;
}

static bool is_silent(const struct port *port, const struct pace *pace, int64_t now_ns)
{
    const struct watch *const watch = &port->watch;

    return watch->running && port->far_sends && !watch->silent && now_ns - watch->heard_ns >= pace->silence_ns;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A port without a far side, or whose fence is still to be raised or cannot be, is looked at by every tick. */
static int64_t next_due(const struct port *port, const struct pace *pace, const struct latch_rules *rules, int64_t now_ns)
{
    const struct watch *const watch = &port->watch;
    int64_t due_ns = earlier(port->quality.window_ns, port->report_ns);

    if (player_is_busy(&port->player) || port->hearing.events.pressed || !watch->running ||
        (!port->fence.up && port->flow.slot == NULL))
        return 0;
    if (port->far_sends && !watch->silent)
        due_ns = earlier(due_ns, watch->heard_ns + pace->silence_ns);
    if (!port->fence.up)
        due_ns = earlier(due_ns, now_ns + UNFENCED_NS);
    else /* who is on hold must be excused before his silence counts */
        due_ns = earlier(due_ns, port->latch.heard_ns + rules->relearn_ns / (port->far_sends ? 1 : 2));
    return due_ns;
}

int64_t pace_port(struct port *port, const struct pace *pace, const struct turn *turn, int64_t tick_ns)
{
    struct watch *const watch = &port->watch;
    const int64_t now_ns = turn->now_ns;

    hear_time(port, turn);
    if (now_ns >= port->quality.window_ns)
        sync(port);
    port_judge(port, now_ns);
    if (player_is_busy(&port->player))
        play_due(port, turn, tick_ns);
    if (!port->far_sends)
        latch_excuse(&port->latch, now_ns);
    port_fence(port, now_ns, &turn->latch, turn->fences_left);
    if (is_silent(port, pace, now_ns))
        flow_sync(port);
    if (is_silent(port, pace, now_ns)) {
        flow_withdraw(port); /* so that its next packet is seen to come */
        watch->silent = true;
        ring_put(turn->ring, (struct event){port->id, now_ns, EVENT_SILENT, 0, 0});
    }
    if (port->watch.running && now_ns >= port->report_ns) {
        if (port->reports_begun) {
            sync(port);
            report(port, pace, false, now_ns);
        }
        port->reports_begun = true;
        port->report_ns = now_ns + report_interval(port, pace);
    }
    return next_due(port, pace, &turn->latch, now_ns);
}

void pace_goodbye(struct port *port, const struct pace *pace, int64_t now_ns)
{
    if (port->counters.sent_rtcp > 0)
        report(port, pace, true, now_ns);
}
