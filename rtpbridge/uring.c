/*
 * Datagrams by io_uring: each socket has one standing request that receives into rooms given in advance, and all that
 * leaves in a turn goes with the call that waits for the next one. Linux 6.1 or later, and not everywhere permitted.
 */

#include <errno.h>

#include "carriage.h"

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif

#ifdef IORING_SETUP_DEFER_TASKRUN

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "packet.h"
#include "port.h"

#define REQUESTS 1024      /* prepared before they must be handed over; a power of two */
#define COMPLETIONS 8192   /* more are kept back by the kernel, not lost */
#define COMPLETED_BY_A_CALL 16 /* or more, if there are */
#define ROOMS 512          /* a power of two. They take turns: many more than a turn needs would be in no cache */
#define ROOM_GROUP 0
#define SOURCE_BYTES sizeof(union address)
#define ROOM_HEAD_BYTES (sizeof(struct io_uring_recvmsg_out) + SOURCE_BYTES)
#define ROOM_BYTES ((ROOM_HEAD_BYTES + PACKET_BYTES_MAX + PACKET_TRAILER_BYTES + 15) / 16 * 16)

/*
 * What a completion is of: the address of a port leaves its lowest four bits and highest sixteen free. The sixteen are
 * the payload's size of a datagram that could not be sent.
 */
enum of { OF_RTP, OF_RTCP, OF_SENT, OF_CANCEL, OF_TICK, OF_WAKE };
#define OF_BITS 0xfu
#define PORT_BITS 0x0000fffffffffff0u
#define SIZE_SHIFT 48

struct uring {
    int fd;
    int tick_fd;
    int wake_fd;
    bool enabled;                    /* by the thread that it serves: the kernel wants it to be one and the same */
    void *rings;
    size_t rings_bytes;
    struct io_uring_sqe *requests;
    _Atomic uint32_t *request_tail;
    uint32_t requests_prepared;      /* our tail, and up to where the kernel has taken them */
    uint32_t requests_handed;
    _Atomic uint32_t *completion_head;
    _Atomic uint32_t *completion_tail;
    uint32_t completion_mask;
    struct io_uring_cqe *completions;
    struct io_uring_buf_ring *offers; /* rooms that the kernel may fill */
    uint16_t offers_tail;
    uint8_t *rooms;
    uint16_t used[TURN_ARRIVALS];     /* rooms of this turn, to be offered again */
    size_t used_count;
    struct msghdr pattern;            /* of what is to be received */
};

static int enter(const struct uring *uring, uint32_t requests, uint32_t completions, int64_t patience_ns)
{
    struct __kernel_timespec patience = {.tv_nsec = patience_ns};
    struct io_uring_getevents_arg until = {.ts = patience_ns > 0 ? (uintptr_t)&patience : 0};

    return (int)syscall(__NR_io_uring_enter, uring->fd, requests, completions,
                        IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &until, sizeof until);
}

/* Datagrams are sent while this runs: the kernel copies them, so that their rooms are free after it. */
static void hand_over(struct uring *uring, uint32_t completions, int64_t patience_ns)
{
    uint32_t left;

    atomic_store_explicit(uring->request_tail, uring->requests_prepared, memory_order_release);
    do {
        const int taken = enter(uring, uring->requests_prepared - uring->requests_handed, completions, patience_ns);

        if (taken < 0 && errno != EINTR)
            break; /* EBUSY, EAGAIN: the kernel has no room until completions were taken; they stay prepared */
        uring->requests_handed += taken > 0 ? (uint32_t)taken : 0;
        left = uring->requests_prepared - uring->requests_handed;
    } while (left > 0);
}

static struct io_uring_sqe *prepare(struct uring *uring, uint8_t action, int fd, uint64_t of)
{
    struct io_uring_sqe *request;

    while (uring->requests_prepared - uring->requests_handed == REQUESTS)
        hand_over(uring, 0, 0);
    request = &uring->requests[uring->requests_prepared++ & (REQUESTS - 1)];
    memset(request, 0, sizeof *request);
    request->opcode = action;
    request->fd = fd;
    request->user_data = of;
    return request;
}

static void ask_to_receive(struct uring *uring, struct port *port, enum of of)
{
    struct io_uring_sqe *const request =
        prepare(uring, IORING_OP_RECVMSG, of == OF_RTCP ? port->rtcp_fd : port->rtp_fd, (uintptr_t)port | of);

    request->addr = (uintptr_t)&uring->pattern;
    request->ioprio = IORING_RECV_MULTISHOT;
    request->flags = IOSQE_BUFFER_SELECT;
    request->buf_group = ROOM_GROUP;
    port->requests++;
}

static void ask_to_poll(struct uring *uring, int fd, enum of of)
{
    struct io_uring_sqe *const request = prepare(uring, IORING_OP_POLL_ADD, fd, of);

    request->poll32_events = POLLIN;
    request->len = IORING_POLL_ADD_MULTI;
}

static void offer_room(struct uring *uring, uint16_t room)
{
    struct io_uring_buf *const offer = &uring->offers->bufs[uring->offers_tail++ & (ROOMS - 1)];

    offer->addr = (uintptr_t)(uring->rooms + (size_t)room * ROOM_BYTES);
    offer->len = ROOM_HEAD_BYTES + PACKET_BYTES_MAX;
    offer->bid = room;
}

static void publish_offers(struct uring *uring)
{
    __atomic_store_n(&uring->offers->tail, uring->offers_tail, __ATOMIC_RELEASE);
}

static void *map(size_t bytes, int flags, int fd, off_t what)
{
    void *const mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd, what);

    return mapped == MAP_FAILED ? NULL : mapped;
}

static void unmap(void *mapped, size_t bytes)
{
    if (mapped != NULL)
        munmap(mapped, bytes);
}

static void uring_close(void *state)
{
    struct uring *const uring = state;

    if (uring == NULL)
        return;
    if (uring->fd >= 0)
        close(uring->fd);
    unmap(uring->rings, uring->rings_bytes);
    unmap(uring->requests, REQUESTS * sizeof(struct io_uring_sqe));
    unmap(uring->offers, ROOMS * sizeof(struct io_uring_buf));
    unmap(uring->rooms, ROOMS * ROOM_BYTES);
    free(uring);
}

static int set_up(struct uring *uring)
{
    struct io_uring_params params = {
        /* 6.1 knows the last of these, and all else that is used here. */
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_R_DISABLED,
        .cq_entries = COMPLETIONS,
    };
    uint8_t *rings;
    uint32_t *order;
    size_t requests_bytes, completions_bytes;

    uring->fd = (int)syscall(__NR_io_uring_setup, REQUESTS, &params);
    if (uring->fd < 0)
        return errno == EINVAL ? ENOSYS : errno;
    requests_bytes = params.sq_off.array + REQUESTS * sizeof(uint32_t);
    completions_bytes = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    uring->rings_bytes = requests_bytes > completions_bytes ? requests_bytes : completions_bytes;
    uring->rings = map(uring->rings_bytes, MAP_SHARED, uring->fd, IORING_OFF_SQ_RING);
    uring->requests = map(REQUESTS * sizeof(struct io_uring_sqe), MAP_SHARED, uring->fd, IORING_OFF_SQES);
    uring->offers = map(ROOMS * sizeof(struct io_uring_buf), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uring->rooms = map(ROOMS * ROOM_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (uring->rings == NULL || uring->requests == NULL || uring->offers == NULL || uring->rooms == NULL)
        return ENOMEM;
    rings = uring->rings;
    uring->request_tail = (_Atomic uint32_t *)(void *)(rings + params.sq_off.tail);
    uring->completion_head = (_Atomic uint32_t *)(void *)(rings + params.cq_off.head);
    uring->completion_tail = (_Atomic uint32_t *)(void *)(rings + params.cq_off.tail);
    uring->completions = (void *)(rings + params.cq_off.cqes);
    uring->completion_mask = params.cq_entries - 1;
    order = (void *)(rings + params.sq_off.array);
    for (uint32_t i = 0; i < REQUESTS; i++)
        order[i] = i;
    return 0;
}

static int register_offers(struct uring *uring)
{
    struct io_uring_buf_reg offers = {
        .ring_addr = (uintptr_t)uring->offers,
        .ring_entries = ROOMS,
        .bgid = ROOM_GROUP,
    };

    if (syscall(__NR_io_uring_register, uring->fd, IORING_REGISTER_PBUF_RING, &offers, 1) != 0)
        return errno;
    for (uint16_t room = 0; room < ROOMS; room++)
        offer_room(uring, room);
    publish_offers(uring);
    return 0;
}

static int uring_open(void **state, int tick_fd, int wake_fd)
{
    struct uring *const opened = calloc(1, sizeof *opened);
    int error;

    if (opened == NULL)
        return ENOMEM;
    opened->pattern.msg_namelen = SOURCE_BYTES;
    error = set_up(opened);
    if (error == 0)
        error = register_offers(opened);
    if (error == 0) {
        opened->tick_fd = tick_fd;
        opened->wake_fd = wake_fd;
        ask_to_poll(opened, tick_fd, OF_TICK);
        ask_to_poll(opened, wake_fd, OF_WAKE);
        *state = opened;
    } else {
        uring_close(opened);
    }
    return error;
}

static int uring_watch(void *state, struct port *port)
{
    ask_to_receive(state, port, OF_RTP);
    ask_to_receive(state, port, OF_RTCP);
    return 0;
}

static bool uring_unwatch(void *state, struct port *port)
{
    for (enum of of = OF_RTP; of <= OF_RTCP; of++)
        prepare(state, IORING_OP_ASYNC_CANCEL, -1, OF_CANCEL)->addr = (uintptr_t)port | of;
    if (port->requests == 0) /* what it sent before goes while its socket is there */
        hand_over(state, 0, 0);
    return port->requests == 0;
}

static uint32_t completions_waiting(const struct uring *uring)
{
    return atomic_load_explicit(uring->completion_tail, memory_order_acquire) -
           atomic_load_explicit(uring->completion_head, memory_order_relaxed);
}

/*
 * Since Linux 6.13 one call completes some twenty of the requests for which something has come, however many there are. What
 * it leaves would wait for the next turn, and at 50,000 packets a second would never be caught up with.
 */
static void collect(struct uring *uring)
{
    uint32_t before;

    do {
        before = completions_waiting(uring);
        enter(uring, 0, 0, 0);
    } while (completions_waiting(uring) >= before + COMPLETED_BY_A_CALL && completions_waiting(uring) < TURN_ARRIVALS);
}

static void uring_wait(void *state, int64_t patience_ns)
{
    struct uring *const uring = state;
    const uint32_t enough = patience_ns > 0 ? GATHERED_ENOUGH : 1;

    if (!uring->enabled)
        uring->enabled = syscall(__NR_io_uring_register, uring->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0;
    hand_over(uring, enough, patience_ns);
    if (completions_waiting(uring) >= enough)
        collect(uring);
    for (size_t i = 0; i < uring->used_count; i++)
        offer_room(uring, uring->used[i]);
    uring->used_count = 0;
    publish_offers(uring);
}

/* The head of the room is the kernel's: sizes and flags, then the source, then the datagram. */
static void tell(struct uring *uring, const struct io_uring_cqe *completion, struct arrival *arrival)
{
    const uint16_t room = (uint16_t)(completion->flags >> IORING_CQE_BUFFER_SHIFT);
    uint8_t *const begin = uring->rooms + (size_t)room * ROOM_BYTES;
    const struct io_uring_recvmsg_out *const head = (const void *)begin;

    uring->used[uring->used_count++] = room;
    *arrival = (struct arrival){
        .kind = (completion->user_data & OF_BITS) == OF_RTCP ? ARRIVAL_RTCP : ARRIVAL_RTP,
        .port = (struct port *)(completion->user_data & PORT_BITS),
        .octets = begin + ROOM_HEAD_BYTES,
        .bytes = (size_t)completion->res - ROOM_HEAD_BYTES,
        .truncated = (head->flags & MSG_TRUNC) != 0,
        .source = (const void *)(begin + sizeof *head),
    };
}

static void note_unsent(const struct io_uring_cqe *completion)
{
    struct port *const port = (struct port *)(completion->user_data & PORT_BITS);

    if (completion->res < 0) { /* it was counted as sent when it was handed over */
        port->counters.sent_packets--;
        port->counters.sent_octets -= completion->user_data >> SIZE_SHIFT;
        port->counters.dropped_unsent++;
    }
}

/* One completion of a standing request; true: it is something to tell. A request that has ended is made anew. */
static bool take_received(struct uring *uring, const struct io_uring_cqe *completion, struct arrival *arrival)
{
    struct port *const port = (struct port *)(completion->user_data & PORT_BITS);
    const bool ended = (completion->flags & IORING_CQE_F_MORE) == 0;
    bool told = false;

    if (completion->flags & IORING_CQE_F_BUFFER) {
        tell(uring, completion, arrival);
        told = completion->res >= (int)ROOM_HEAD_BYTES;
    }
    if (ended) {
        port->requests--;
        if (!port->unwatched) {
            ask_to_receive(uring, port, completion->user_data & OF_BITS);
        } else if (port->requests == 0) {
            *arrival = (struct arrival){.kind = ARRIVAL_ENDED, .port = port};
            told = true;
        }
    }
    return told;
}

static bool take(struct uring *uring, const struct io_uring_cqe *completion, struct arrival *arrival)
{
    const enum of of = completion->user_data & OF_BITS;
    bool told = false;

    switch (of) {
    case OF_RTP:
    case OF_RTCP:
        told = take_received(uring, completion, arrival);
        break;
    case OF_SENT:
        note_unsent(completion);
        break;
    case OF_CANCEL: /* what it has ended says so itself */
        break;
    case OF_TICK:
    case OF_WAKE:
        if ((completion->flags & IORING_CQE_F_MORE) == 0)
            ask_to_poll(uring, of == OF_TICK ? uring->tick_fd : uring->wake_fd, of);
        *arrival = (struct arrival){.kind = of == OF_TICK ? ARRIVAL_TICK : ARRIVAL_WAKE};
        told = true;
        break;
    }
    return told;
}

static bool uring_next(void *state, struct arrival *arrival)
{
    struct uring *const uring = state;
    const uint32_t tail = atomic_load_explicit(uring->completion_tail, memory_order_acquire);
    uint32_t head = atomic_load_explicit(uring->completion_head, memory_order_relaxed);
    bool told = false;

    while (!told && head != tail && uring->used_count < TURN_ARRIVALS) {
        const struct io_uring_cqe completion = uring->completions[head & uring->completion_mask];

        atomic_store_explicit(uring->completion_head, ++head, memory_order_release);
        told = take(uring, &completion, arrival);
    }
    return told;
}

static void uring_send(void *state, struct departures *departures, bool now)
{
    struct uring *const uring = state;

    for (size_t i = 0; i < departures->count; i++) {
        const struct leaving *const leaving = &departures->leaving[i];
        struct io_uring_sqe *const request =
            prepare(uring, IORING_OP_SEND, leaving->port->rtp_fd,
                    (uintptr_t)leaving->port | OF_SENT | (uint64_t)leaving->payload_bytes << SIZE_SHIFT);

        request->addr = (uintptr_t)departures->contents[i].iov_base;
        request->len = (uint32_t)departures->contents[i].iov_len;
        request->addr2 = (uintptr_t)&leaving->to;
        request->addr_len = (uint16_t)address_bytes(&leaving->to);
        request->msg_flags = MSG_DONTWAIT;
        request->flags = IOSQE_CQE_SKIP_SUCCESS;
        leaving->port->counters.sent_packets++;
        leaving->port->counters.sent_octets += leaving->payload_bytes;
    }
    if (now)
        hand_over(uring, 0, 0);
}

const struct carriage carriage_uring = {
    uring_open, uring_close, uring_watch, uring_unwatch, uring_wait, uring_next, uring_send,
};

#else

static int nowhere_open(void **state, int tick_fd, int wake_fd)
{
    (void)state;
    (void)tick_fd;
    (void)wake_fd;
    return ENOSYS; /* this was built with the headers of an older kernel */
}

const struct carriage carriage_uring = {.open = nowhere_open};

#endif
