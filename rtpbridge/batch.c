#include "batch.h"

#include <errno.h>
#include <stdlib.h>

#include "packet.h"

#define OWN_ROOMS (LEAVING_MAX - TURN_ARRIVALS) /* every packet that waits has a room: departures cannot be full */

struct batch {
    enum way way;
    const struct carriage *carriage;
    void *state;
    size_t own_rooms_used;
    struct departures departures;
    uint8_t own_rooms[OWN_ROOMS][PACKET_BYTES_MAX + PACKET_TRAILER_BYTES];
};

static int open_way(struct batch *batch, enum way way, int tick_fd, int wake_fd)
{
    batch->way = way;
    batch->carriage = way == WAY_URING ? &carriage_uring : &carriage_epoll;
    return batch->carriage->open(&batch->state, tick_fd, wake_fd);
}

int batch_open(struct batch **batch, enum way way, int tick_fd, int wake_fd)
{
    struct batch *opened = calloc(1, sizeof *opened);
    int error;

    if (opened == NULL)
        return ENOMEM;
    for (size_t i = 0; i < LEAVING_MAX; i++) {
        struct msghdr *const message = &opened->departures.messages[i].msg_hdr;

        message->msg_iov = &opened->departures.contents[i];
        message->msg_iovlen = 1;
        message->msg_name = &opened->departures.leaving[i].to;
    }
    error = open_way(opened, way == WAY_EPOLL ? WAY_EPOLL : WAY_URING, tick_fd, wake_fd);
    if (error != 0 && way == WAY_BEST)
        error = open_way(opened, WAY_EPOLL, tick_fd, wake_fd);
    if (error == 0)
        *batch = opened;
    else
        free(opened);
    return error;
}

void batch_close(struct batch *batch)
{
    if (batch == NULL)
        return;
    batch->carriage->close(batch->state);
    free(batch);
}

enum way batch_way(const struct batch *batch)
{
    return batch->way;
}

int batch_watch(struct batch *batch, struct port *port)
{
    port->unwatched = false;
    return batch->carriage->watch(batch->state, port);
}

bool batch_unwatch(struct batch *batch, struct port *port)
{
    port->unwatched = true;
    return batch->carriage->unwatch(batch->state, port);
}

void batch_wait(struct batch *batch, int64_t patience_ns)
{
    batch->carriage->wait(batch->state, patience_ns);
    batch->departures.count = 0;
    batch->own_rooms_used = 0;
}

bool batch_next(struct batch *batch, struct arrival *arrival)
{
    return batch->carriage->next(batch->state, arrival);
}

uint8_t *batch_room(struct batch *batch, size_t ahead)
{
    if (batch->own_rooms_used + ahead >= OWN_ROOMS) {
        batch->carriage->send(batch->state, &batch->departures, true);
        batch->departures.count = 0;
        batch->own_rooms_used = 0;
    }
    return batch->own_rooms[batch->own_rooms_used++];
}

void batch_return(struct batch *batch, size_t count)
{
    batch->own_rooms_used -= count;
}

void batch_put(struct batch *batch, struct port *port, uint8_t *octets, size_t bytes, size_t payload_bytes)
{
    struct departures *const departures = &batch->departures;
    const size_t place = departures->count++;
    struct leaving *const leaving = &departures->leaving[place];

    leaving->port = port;
    leaving->payload_bytes = payload_bytes;
    leaving->to = *latch_destination(&port->latch);
    departures->contents[place] = (struct iovec){octets, bytes};
    departures->messages[place].msg_hdr.msg_namelen = address_bytes(&leaving->to);
}

void batch_send(struct batch *batch, bool now)
{
    batch->carriage->send(batch->state, &batch->departures, now);
}
