#pragma once
/*
 * The packets of one turn: received into rooms that were allocated once, sent from the same rooms together at the end.
 * Knows sockets and addresses, but not what is in a packet.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "port.h"

#define BATCH_ROOMS 256   /* for what comes, and as many for what we make */
#define BATCH_RECEIVED 32 /* by one system call */

struct batch;

int batch_open(struct batch **batch);
void batch_close(struct batch *batch);

/* One datagram that came; the room behind it is PACKET_TRAILER_BYTES beyond PACKET_BYTES_MAX. */
struct arrival {
    uint8_t *octets;
    size_t bytes;         /* more than PACKET_BYTES_MAX is never told: see truncated */
    bool truncated;
    const union address *source;
};

/* Takes up to BATCH_RECEIVED datagrams; first sends what waits if there is no room. Returns how many, 0: none was there. */
size_t batch_receive(struct batch *batch, int fd);
/* The datagram of that place among those just received; its room stays as it is until batch_receive(). */
struct arrival batch_arrival(const struct batch *batch, size_t place);
/* A room to write a packet of our own into; valid while no more than `ahead` others are asked for. */
uint8_t *batch_room(struct batch *batch, size_t ahead);
/* Gives back the last rooms that were asked for and not used. */
void batch_return(struct batch *batch, size_t count);
/* Leaves a packet, which lies in one of the rooms, to be sent to the port's far side by batch_send(). */
void batch_put(struct batch *batch, struct port *port, const uint8_t *octets, size_t bytes, size_t payload_bytes);
/* Sends what was left, in that order; whatever the system refuses is counted and let go. */
void batch_send(struct batch *batch);
