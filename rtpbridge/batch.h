#pragma once
/*
 * The packets of one turn: they come into rooms that were allocated once, and what goes out leaves together at the end.
 * One batch belongs to one media thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "carriage.h"
#include "face.h"
#include "port.h"

struct batch;

/* WAY_BEST takes io_uring where the host permits it. */
int batch_open(struct batch **batch, enum way way, int tick_fd, int wake_fd);
void batch_close(struct batch *batch);
/* WAY_URING or WAY_EPOLL. */
enum way batch_way(const struct batch *batch);

/* See carriage.h. */
int batch_watch(struct batch *batch, struct port *port);
bool batch_unwatch(struct batch *batch, struct port *port);
/* Sends what still waits, then waits for the next turn, a patience as in carriage.h; all rooms are free then. */
void batch_wait(struct batch *batch, int64_t patience_ns);
bool batch_next(struct batch *batch, struct arrival *arrival);

/* A room to write a packet of our own into; valid while no more than `ahead` others are asked for. */
uint8_t *batch_room(struct batch *batch, size_t ahead);
/* Gives back the last rooms that were asked for and not used. */
void batch_return(struct batch *batch, size_t count);
/* Leaves a packet, which lies in a room or is an arrival, to be sent to the port's far side when the turn ends. */
void batch_put(struct batch *batch, struct port *port, uint8_t *octets, size_t bytes, size_t payload_bytes);
/* The turn is over; `now`: what it leaves is on its way after this call. Whatever the system refuses is counted and let go. */
void batch_send(struct batch *batch, bool now);
