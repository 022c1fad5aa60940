/* Datagrams by epoll, recvmmsg and sendmmsg: the way that is always there. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "carriage.h"
#include "packet.h"
#include "port.h"

#define EVENTS TURN_ARRIVALS
#define RECEIVED 32 /* by one system call */

/* What an epoll event is of: a port, whose address leaves the lowest bit to say which socket, or none. */
#define OF_RTCP 1u
#define OF_TICK 2u
#define OF_WAKE 4u

struct epoll {
    int fd;
    int wake_fd;
    struct epoll_event events[EVENTS];
    size_t events_count;
    size_t event;                   /* that is served */
    size_t rooms_used;
    size_t received_count;          /* of the last recvmmsg, and how many of them were taken */
    size_t received_taken;
    struct mmsghdr received[RECEIVED];
    struct iovec into[RECEIVED];
    union address sources[RECEIVED];
    uint8_t rooms[TURN_ARRIVALS][PACKET_BYTES_MAX + PACKET_TRAILER_BYTES];
};

static int add(struct epoll *epoll, int fd, uint64_t of)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = of};

    return epoll_ctl(epoll->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

static void epoll_close(void *state)
{
    struct epoll *const epoll = state;

    if (epoll == NULL)
        return;
    if (epoll->fd >= 0)
        close(epoll->fd);
    free(epoll);
}

static int epoll_open(void **state, int tick_fd, int wake_fd)
{
    struct epoll *const opened = calloc(1, sizeof *opened);
    int error = 0;

    if (opened == NULL)
        return ENOMEM;
    for (size_t i = 0; i < RECEIVED; i++) {
        opened->into[i].iov_len = PACKET_BYTES_MAX;
        opened->received[i].msg_hdr.msg_iov = &opened->into[i];
        opened->received[i].msg_hdr.msg_iovlen = 1;
        opened->received[i].msg_hdr.msg_name = &opened->sources[i];
    }
    opened->wake_fd = wake_fd;
    opened->fd = epoll_create1(EPOLL_CLOEXEC);
    if (opened->fd < 0)
        error = errno;
    if (error == 0)
        error = add(opened, tick_fd, OF_TICK);
    if (error == 0)
        error = add(opened, wake_fd, OF_WAKE);
    if (error == 0)
        *state = opened;
    else
        epoll_close(opened);
    return error;
}

static int epoll_watch(void *state, struct port *port)
{
    struct epoll *const epoll = state;
    int error = add(epoll, port->rtp_fd, (uintptr_t)port);

    if (error == 0) {
        error = add(epoll, port->rtcp_fd, (uintptr_t)port | OF_RTCP);
        if (error != 0)
            epoll_ctl(epoll->fd, EPOLL_CTL_DEL, port->rtp_fd, NULL);
    }
    return error;
}

static bool epoll_unwatch(void *state, struct port *port)
{
    struct epoll *const epoll = state;

    epoll_ctl(epoll->fd, EPOLL_CTL_DEL, port->rtp_fd, NULL);
    epoll_ctl(epoll->fd, EPOLL_CTL_DEL, port->rtcp_fd, NULL);
    return true;
}

/* A descriptor of the sockets cannot be asked for more than one: it is left alone for that long, and who asks something is not. */
static void gather(const struct epoll *epoll, int64_t patience_ns)
{
    const struct timespec left = {.tv_nsec = patience_ns};
    struct pollfd wake = {.fd = epoll->wake_fd, .events = POLLIN};

    ppoll(&wake, 1, &left, NULL);
}

static void epoll_await(void *state, int64_t patience_ns)
{
    struct epoll *const epoll = state;
    int count;

    if (patience_ns > 0 && epoll->events_count < GATHERED_ENOUGH) /* else as much has gathered while those were served */
        gather(epoll, patience_ns);
    count = epoll_wait(epoll->fd, epoll->events, EVENTS, -1);

    epoll->events_count = count > 0 ? (size_t)count : 0;
    epoll->event = 0;
    epoll->rooms_used = 0;
    epoll->received_count = epoll->received_taken = 0;
}

static struct port *port_of(uint64_t of)
{
    return (struct port *)(uintptr_t)(of & ~(uint64_t)OF_RTCP);
}

/* Takes what the socket of the event has; false: nothing is there, or no room is left. */
static bool receive(struct epoll *epoll, uint64_t of)
{
    const int fd = of & OF_RTCP ? port_of(of)->rtcp_fd : port_of(of)->rtp_fd;
    const size_t left = TURN_ARRIVALS - epoll->rooms_used;
    const unsigned int rooms = left < RECEIVED ? (unsigned int)left : RECEIVED;
    int count;

    for (size_t i = 0; i < rooms; i++) {
        epoll->into[i].iov_base = epoll->rooms[epoll->rooms_used + i];
        epoll->received[i].msg_hdr.msg_namelen = sizeof epoll->sources[i];
    }
    count = rooms > 0 ? recvmmsg(fd, epoll->received, rooms, MSG_DONTWAIT, NULL) : 0;
    epoll->received_taken = 0;
    epoll->received_count = count > 0 ? (size_t)count : 0;
    epoll->rooms_used += epoll->received_count;
    return epoll->received_count > 0;
}

static void tell(struct epoll *epoll, uint64_t of, struct arrival *arrival)
{
    const size_t place = epoll->received_taken++;

    *arrival = (struct arrival){
        .kind = of & OF_RTCP ? ARRIVAL_RTCP : ARRIVAL_RTP,
        .port = port_of(of),
        .octets = epoll->into[place].iov_base,
        .bytes = epoll->received[place].msg_len,
        .truncated = (epoll->received[place].msg_hdr.msg_flags & MSG_TRUNC) != 0,
        .source = &epoll->sources[place],
    };
}

static bool epoll_next(void *state, struct arrival *arrival)
{
    struct epoll *const epoll = state;

    while (epoll->event < epoll->events_count) {
        const uint64_t of = epoll->events[epoll->event].data.u64;

        if (of == OF_TICK || of == OF_WAKE) {
            epoll->event++;
            *arrival = (struct arrival){.kind = of == OF_TICK ? ARRIVAL_TICK : ARRIVAL_WAKE};
            return true;
        }
        if (epoll->received_taken < epoll->received_count) {
            tell(epoll, of, arrival);
            return true;
        }
        /* A socket that did not fill the batch has nothing more. */
        if ((epoll->received_count > 0 && epoll->received_count < RECEIVED) || !receive(epoll, of)) {
            epoll->received_count = epoll->received_taken = 0;
            epoll->event++;
        }
    }
    return false;
}

/* Sends from `first` on what goes out of one and the same port, and returns how many that were. */
static size_t send_from_one(struct departures *departures, size_t first)
{
    struct port *const port = departures->leaving[first].port;
    size_t end = first + 1, done = first;

    while (end < departures->count && departures->leaving[end].port == port)
        end++;
    while (done < end) {
        const int sent = sendmmsg(port->rtp_fd, departures->messages + done, (unsigned int)(end - done), MSG_DONTWAIT);
        const size_t taken = sent > 0 ? (size_t)sent : 0;

        for (size_t i = done; i < done + taken; i++)
            port->counters.sent_octets += departures->leaving[i].payload_bytes;
        port->counters.sent_packets += taken;
        done += taken;
        if (taken == 0) { /* the error is of the first; the others may pass */
            port->counters.dropped_unsent++;
            done++;
        }
    }
    return end - first;
}

static void epoll_send(void *state, struct departures *departures, bool now)
{
    (void)state;
    (void)now;
    for (size_t done = 0; done < departures->count;)
        done += send_from_one(departures, done);
}

const struct carriage carriage_epoll = {
    epoll_open, epoll_close, epoll_watch, epoll_unwatch, epoll_await, epoll_next, epoll_send,
};
