#include "batch.h"

#include <errno.h>
#include <stdlib.h>

#include "packet.h"

#define LEAVING_MAX (2 * BATCH_ROOMS)

struct leaving {
    struct port *port;
    size_t payload_bytes;
};

struct batch {
    size_t rooms_used;
    size_t own_rooms_used;
    size_t received_first;          /* the room of the first datagram that came last */
    size_t leaving_count;
    struct mmsghdr received[BATCH_RECEIVED];
    struct iovec received_into[BATCH_RECEIVED];
    union address sources[BATCH_RECEIVED];
    struct leaving leaving[LEAVING_MAX];
    struct mmsghdr sent[LEAVING_MAX];
    struct iovec sent_from[LEAVING_MAX];
    uint8_t rooms[BATCH_ROOMS][PACKET_BYTES_MAX + PACKET_TRAILER_BYTES];
    uint8_t own_rooms[BATCH_ROOMS][PACKET_BYTES_MAX + PACKET_TRAILER_BYTES];
};

int batch_open(struct batch **batch)
{
    struct batch *opened = calloc(1, sizeof *opened);

    if (opened == NULL)
        return ENOMEM;
    for (size_t i = 0; i < BATCH_RECEIVED; i++) {
        opened->received_into[i].iov_len = PACKET_BYTES_MAX;
        opened->received[i].msg_hdr.msg_iov = &opened->received_into[i];
        opened->received[i].msg_hdr.msg_iovlen = 1;
        opened->received[i].msg_hdr.msg_name = &opened->sources[i];
    }
    for (size_t i = 0; i < LEAVING_MAX; i++) {
        opened->sent[i].msg_hdr.msg_iov = &opened->sent_from[i];
        opened->sent[i].msg_hdr.msg_iovlen = 1;
    }
    *batch = opened;
    return 0;
}

void batch_close(struct batch *batch)
{
    free(batch);
}

size_t batch_receive(struct batch *batch, int fd)
{
    int count;

    if (batch->rooms_used + BATCH_RECEIVED > BATCH_ROOMS)
        batch_send(batch);
    if (batch->leaving_count == 0) /* nothing that waits lies in one of them */
        batch->rooms_used = 0;
    for (size_t i = 0; i < BATCH_RECEIVED; i++) {
        batch->received_into[i].iov_base = batch->rooms[batch->rooms_used + i];
        batch->received[i].msg_hdr.msg_namelen = sizeof batch->sources[i];
    }
    count = recvmmsg(fd, batch->received, BATCH_RECEIVED, MSG_DONTWAIT, NULL);
    batch->received_first = batch->rooms_used;
    if (count > 0)
        batch->rooms_used += (size_t)count;
    return count > 0 ? (size_t)count : 0;
}

struct arrival batch_arrival(const struct batch *batch, size_t place)
{
    return (struct arrival){
        .octets = (uint8_t *)batch->rooms[batch->received_first + place],
        .bytes = batch->received[place].msg_len,
        .truncated = (batch->received[place].msg_hdr.msg_flags & MSG_TRUNC) != 0,
        .source = &batch->sources[place],
    };
}

uint8_t *batch_room(struct batch *batch, size_t ahead)
{
    if (batch->own_rooms_used + ahead >= BATCH_ROOMS)
        batch_send(batch);
    return batch->own_rooms[batch->own_rooms_used++];
}

void batch_return(struct batch *batch, size_t count)
{
    batch->own_rooms_used -= count;
}

void batch_put(struct batch *batch, struct port *port, const uint8_t *octets, size_t bytes, size_t payload_bytes)
{
    const union address *const to = latch_destination(&port->latch);
    const size_t place = batch->leaving_count++; /* every packet that waits has a room of its own: it cannot be full */

    batch->leaving[place] = (struct leaving){port, payload_bytes};
    batch->sent_from[place] = (struct iovec){(void *)octets, bytes};
    batch->sent[place].msg_hdr.msg_name = (void *)to;
    batch->sent[place].msg_hdr.msg_namelen = address_bytes(to);
}

/* Sends from `first` on what goes out of one and the same port, and returns how many that were. */
static size_t send_from_one(struct batch *batch, size_t first)
{
    struct port *const port = batch->leaving[first].port;
    size_t end = first + 1, done = first;

    while (end < batch->leaving_count && batch->leaving[end].port == port)
        end++;
    while (done < end) {
        const int sent = sendmmsg(port->rtp_fd, batch->sent + done, (unsigned int)(end - done), MSG_DONTWAIT);
        const size_t taken = sent > 0 ? (size_t)sent : 0;

        for (size_t i = done; i < done + taken; i++)
            port->counters.sent_octets += batch->leaving[i].payload_bytes;
        port->counters.sent_packets += taken;
        done += taken;
        if (taken == 0) { /* the error is of the first; the others may pass */
            port->counters.dropped_unsent++;
            done++;
        }
    }
    return end - first;
}

void batch_send(struct batch *batch)
{
    for (size_t done = 0; done < batch->leaving_count;)
        done += send_from_one(batch, done);
    batch->leaving_count = 0;
    batch->own_rooms_used = 0;
}
