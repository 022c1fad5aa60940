#pragma once
/*
 * Events on their way from the media thread to the one reader: one writer, one reader, no lock. Knows nothing of the
 * eventfd that wakes the reader.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "face.h"

struct ring {
    _Atomic uint32_t written;
    _Atomic uint32_t read;
    _Atomic uint64_t lost;
    struct event events[EVENTS_MAX];
};

/* False: the ring is full; the event is counted as lost. Only the writer calls this. */
bool ring_put(struct ring *ring, struct event event);
/* Takes up to events_max, oldest first, and returns how many. Only the reader calls this. */
size_t ring_take(struct ring *ring, struct event *events, size_t events_max);
