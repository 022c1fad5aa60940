/* The life of a bridge and its thread: wait, receive in batches, decide, send in batches. */

#include "bridge.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICKS_RESTING 50 /* of a port for which nothing is due: what its time depends on may have changed */
#define FENCES_A_TURN 16 /* 0.5 ms at most: of a thousand calls that begin at once, packets would wait for the fences of all */
#define NS_PER_SECOND 1000000000
#define NS_PER_MS 1000000
#define NS_PER_US 1000

int64_t bridge_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

void bridge_lock(struct bridge *bridge)
{
    pthread_mutex_lock(&bridge->turn);
    pthread_mutex_lock(&bridge->state);
    pthread_mutex_unlock(&bridge->turn);
}

void bridge_unlock(struct bridge *bridge)
{
    pthread_mutex_unlock(&bridge->state);
}

struct port *bridge_find(const struct bridge *bridge, uint64_t port_id)
{
    const size_t pair = port_id % (PORT_PAIRS_MAX + 1);
    struct port *const port = pair < bridge->pairs ? bridge->table[pair] : NULL;

    return port != NULL && port->id == port_id ? port : NULL;
}

struct port *bridge_take(const struct bridge *bridge, uint64_t port_id)
{
    struct port *const port = bridge_find(bridge, port_id);

    if (port != NULL) {
        flow_take_back(port);
        bridge->due_ns[port->place] = 0;
    }
    return port;
}

size_t bridge_pair(const struct bridge *bridge, const struct port *port)
{
    return (size_t)(port->rtp_port - bridge->port_first) / 2;
}

int bridge_ask(struct bridge *bridge, enum ask ask, struct port *port)
{
    int answer;

    bridge_lock(bridge);
    bridge->ask = ask;
    bridge->asked_port = port;
    eventfd_write(bridge->wake_fd, 1);
    while (bridge->ask != ASK_NOTHING)
        pthread_cond_wait(&bridge->answered, &bridge->state);
    answer = bridge->answer;
    bridge_unlock(bridge);
    return answer;
}

static void answer_ask(struct bridge *bridge, int answer)
{
    bridge->ask = ASK_NOTHING;
    bridge->answer = answer;
    pthread_cond_signal(&bridge->answered);
}

/* False: the bridge closes. */
static bool serve_ask(struct bridge *bridge)
{
    const enum ask ask = bridge->ask;
    eventfd_t wakes;

    eventfd_read(bridge->wake_fd, &wakes);
    if (ask == ASK_WATCH)
        answer_ask(bridge, batch_watch(bridge->batch, bridge->asked_port));
    else if (ask == ASK_STOP || (ask == ASK_UNWATCH && batch_unwatch(bridge->batch, bridge->asked_port)))
        answer_ask(bridge, 0);
    return ask != ASK_STOP;
}

/* A port for which nothing is due is not even looked at: with many calls, ports in no cache are what a tick takes. */
static void pace_ports(struct bridge *bridge, const struct turn *turn)
{
    const size_t turns = (size_t)(bridge->tick_ns / FRAME_NS);

    for (size_t i = 0; i < bridge->open_count; i++)
        if (turn->now_ns >= bridge->due_ns[i] || (turns + i) % TICKS_RESTING == 0)
            bridge->due_ns[i] = pace_port(bridge->open[i], &bridge->pace, turn, bridge->tick_ns);
}

static void serve_tick(struct bridge *bridge, const struct turn *turn)
{
    uint64_t ticks = 0;

    if (read(bridge->tick_fd, &ticks, sizeof ticks) != sizeof ticks)
        return;
    bridge->tick_ns += (int64_t)ticks * FRAME_NS;
    pace_ports(bridge, turn);
    if (flows_review(&bridge->flows, turn->now_ns))
        for (size_t i = 0; i < bridge->open_count; i++)
            flow_take_back(bridge->open[i]);
}

static bool serve(struct bridge *bridge, const struct arrival *arrival, const struct turn *turn)
{
    bool going_on = true;

    switch (arrival->kind) {
    case ARRIVAL_RTP:
        flow_is_due(&bridge->flows, arrival->port);
        relay_rtp(arrival->port, arrival, turn);
        break;
    case ARRIVAL_RTCP:
        relay_rtcp(arrival->port, arrival, turn);
        break;
    case ARRIVAL_TICK:
        serve_tick(bridge, turn);
        break;
    case ARRIVAL_WAKE:
        going_on = serve_ask(bridge);
        break;
    case ARRIVAL_ENDED:
        answer_ask(bridge, 0);
        break;
    }
    return going_on;
}

/* Once everything of the turn has been sent: from then on the kernel may take what comes next. */
static void settle(struct bridge *bridge, int64_t now_ns)
{
    for (struct port *port = flow_next_due(&bridge->flows); port != NULL; port = flow_next_due(&bridge->flows))
        flow_settle(&bridge->flows, port, bridge_pair(bridge, port), now_ns);
}

/* Serves what has come; false: the bridge closes. */
static bool take_turn(struct bridge *bridge, const struct turn *turn, bool *packets)
{
    const uint32_t written = atomic_load_explicit(&bridge->ring.written, memory_order_relaxed);
    struct arrival arrival;
    bool going_on = true;

    bridge_lock(bridge);
    while (going_on && batch_next(bridge->batch, &arrival)) {
        *packets = *packets || arrival.kind == ARRIVAL_RTP;
        going_on = serve(bridge, &arrival, turn);
    }
    batch_send(bridge->batch, flows_overtake(&bridge->flows));
    settle(bridge, turn->now_ns);
    bridge_unlock(bridge);
    if (atomic_load_explicit(&bridge->ring.written, memory_order_relaxed) != written)
        eventfd_write(bridge->event_fd, 1);
    return going_on;
}

/* How long packets may come together after a turn: until the next tick at most. */
static int64_t patience_ns(const struct bridge *bridge, int64_t turn_ns)
{
    const int64_t due_ns = bridge->tick_ns + FRAME_NS, long_ns = turn_ns + bridge->gather_ns;

    return (due_ns < long_ns ? due_ns : long_ns) - bridge_now_ns();
}

/*
 * A frame is due at its moment however busy the host is. Where it may not (no CAP_SYS_NICE, no RLIMIT_RTPRIO) the thread
 * is served like any other.
 */
static void ask_for_real_time(void)
{
    const struct sched_param first = {.sched_priority = 1};

    pthread_setschedparam(pthread_self(), SCHED_RR, &first);
}

static void *run(void *argument)
{
    struct bridge *const bridge = argument;
    bool going_on = true;
    int64_t patience = 0;

    ask_for_real_time();
    while (going_on) {
        size_t fences_left = FENCES_A_TURN;
        struct turn turn = {bridge->batch, &bridge->ring, 0, bridge->latch, &fences_left, bridge->due_ns};
        bool packets = false;

        batch_wait(bridge->batch, patience);
        turn.now_ns = bridge_now_ns();
        going_on = take_turn(bridge, &turn, &packets);
        patience = packets && bridge->gather_ns > 0 ? patience_ns(bridge, turn.now_ns) : 0;
    }
    return NULL;
}

/* Signals belong to the threads of the host program. */
static int start_thread(struct bridge *bridge)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&bridge->thread, NULL, run, bridge);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    bridge->started = error == 0;
    if (bridge->started)
        pthread_setname_np(bridge->thread, "rtpbridge");
    return error;
}

static int start_ticking(struct bridge *bridge)
{
    const struct timespec frame = {.tv_nsec = FRAME_NS};
    struct itimerspec timer = {.it_interval = frame};

    bridge->tick_ns = bridge_now_ns();
    timer.it_value.tv_sec = (bridge->tick_ns + frame.tv_nsec) / NS_PER_SECOND;
    timer.it_value.tv_nsec = (bridge->tick_ns + frame.tv_nsec) % NS_PER_SECOND;
    return timerfd_settime(bridge->tick_fd, TFD_TIMER_ABSTIME, &timer, NULL) == 0 ? 0 : errno;
}

static int open_descriptors(struct bridge *bridge)
{
    int error = 0;

    bridge->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    bridge->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bridge->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (bridge->tick_fd < 0 || bridge->wake_fd < 0 || bridge->event_fd < 0)
        error = errno;
    return error;
}

int bridge_try_host(const union address *host)
{
    const int fd = socket(host->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0 || bind(fd, &host->any, address_bytes(host)) != 0)
        error = errno;
    if (fd >= 0)
        close(fd);
    return error;
}

/* Tells the far sides nothing of who we are, and is the same for all our streams (RFC 7022, 4.2). */
static int draw_cname(char cname[RTCP_CNAME_BYTES])
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t drawn[RTCP_CNAME_BYTES - 1];

    if (getrandom(drawn, sizeof drawn, 0) != sizeof drawn)
        return errno;
    for (size_t i = 0; i < sizeof drawn; i++)
        cname[i] = base64[drawn[i] % 64];
    cname[sizeof drawn] = 0;
    return 0;
}

static int lay_out(struct bridge *bridge, const struct bridge_plan *plan)
{
    const size_t min = plan->port_min, max = plan->port_max, first = min + min % 2;
    int error = min == 0 || first + 1 > max || plan->hosts_count == 0 || plan->hosts_count > HOSTS_MAX ? EINVAL : 0;

    for (size_t i = 0; error == 0 && i < plan->hosts_count; i++) {
        error = address_read(&bridge->hosts[i], plan->hosts[i], 0);
        if (error == 0)
            error = bridge_try_host(&bridge->hosts[i]); /* refused now, not when the first call comes */
    }
    if (error != 0)
        return error;
    bridge->hosts_count = plan->hosts_count;
    bridge->port_first = (uint16_t)first;
    bridge->pairs = (max + 1 - first) / 2;
    bridge->gather_ns = (int64_t)plan->gather_us * NS_PER_US;
    bridge->latch.patience_ns = (int64_t)plan->latch_ms * NS_PER_MS;
    bridge->latch.relearn_ns = (int64_t)plan->relearn_ms * NS_PER_MS;
    bridge->pace.silence_ns = (int64_t)plan->silence_ms * NS_PER_MS;
    bridge->pace.report_ns = (int64_t)plan->report_ms * NS_PER_MS;
    bridge->table = calloc(bridge->pairs, sizeof(struct port *));
    bridge->open = calloc(bridge->pairs, sizeof(struct port *));
    bridge->due_ns = calloc(bridge->pairs, sizeof *bridge->due_ns);
    if (bridge->table == NULL || bridge->open == NULL || bridge->due_ns == NULL)
        return ENOMEM;
    return draw_cname(bridge->pace.cname);
}

/* Without it the bridge works all the same, and says why. */
static void open_kernel(struct bridge *bridge, const struct bridge_plan *plan)
{
    const struct kernel_plan wanted = {plan->kernel_owner, plan->kernel_pins, bridge->port_first,
                                       (uint32_t)bridge->pairs};

    if (plan->kernel) {
        flows_open(&bridge->flows, &wanted, bridge->kernel_why);
    } else {
        kernel_forget(&wanted);
        snprintf(bridge->kernel_why, sizeof bridge->kernel_why, "it is switched off");
    }
}

int bridge_open(struct bridge **bridge, const struct bridge_plan *plan)
{
    struct bridge *opened = calloc(1, sizeof *opened);
    int error = ENOMEM;

    if (opened == NULL)
        goto out;
    pthread_mutex_init(&opened->opening, NULL);
    pthread_mutex_init(&opened->turn, NULL);
    pthread_mutex_init(&opened->state, NULL);
    pthread_cond_init(&opened->answered, NULL);
    opened->tick_fd = opened->wake_fd = opened->event_fd = -1;
    error = lay_out(opened, plan);
    if (error == 0)
        error = open_descriptors(opened);
    if (error == 0)
        error = batch_open(&opened->batch, plan->way, opened->tick_fd, opened->wake_fd);
    if (error == 0)
        open_kernel(opened, plan);
    if (error == 0)
        error = start_ticking(opened);
    if (error == 0)
        error = start_thread(opened);
out:
    if (error == 0)
        *bridge = opened;
    else
        bridge_close(opened);
    return error;
}

static void close_descriptor(int fd)
{
    if (fd >= 0)
        close(fd);
}

void bridge_close(struct bridge *bridge)
{
    if (bridge == NULL)
        return;
    while (bridge->open_count > 0)
        bridge_port_close(bridge, bridge->open[0]->id);
    if (bridge->started) {
        bridge_ask(bridge, ASK_STOP, NULL);
        pthread_join(bridge->thread, NULL);
    }
    flows_close(&bridge->flows);
    batch_close(bridge->batch);
    close_descriptor(bridge->tick_fd);
    close_descriptor(bridge->wake_fd);
    close_descriptor(bridge->event_fd);
    free(bridge->due_ns);
    free(bridge->open);
    free(bridge->table);
    pthread_cond_destroy(&bridge->answered);
    pthread_mutex_destroy(&bridge->state);
    pthread_mutex_destroy(&bridge->turn);
    pthread_mutex_destroy(&bridge->opening);
    free(bridge);
}

enum way bridge_way(const struct bridge *bridge)
{
    return batch_way(bridge->batch);
}

int bridge_event_fd(const struct bridge *bridge)
{
    return bridge->event_fd;
}

size_t bridge_events(struct bridge *bridge, struct event *events, size_t events_max)
{
    eventfd_t wakes;
    size_t taken;

    /* The eventfd first: an event that comes after the ring is read wakes again. */
    eventfd_read(bridge->event_fd, &wakes);
    taken = ring_take(&bridge->ring, events, events_max);
    if (taken == events_max)
        eventfd_write(bridge->event_fd, 1);
    return taken;
}

uint64_t bridge_events_lost(const struct bridge *bridge)
{
    return atomic_load_explicit(&bridge->ring.lost, memory_order_relaxed);
}
