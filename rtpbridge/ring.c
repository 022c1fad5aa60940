#include "ring.h"

_Static_assert((EVENTS_MAX & (EVENTS_MAX - 1)) == 0, "the counts wrap at 2^32, so the size must divide it");

bool ring_put(struct ring *ring, struct event event)
{
    const uint32_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    const uint32_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    const bool room = written - read < EVENTS_MAX;

    if (room) {
        ring->events[written % EVENTS_MAX] = event;
        atomic_store_explicit(&ring->written, written + 1, memory_order_release);
    } else {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
    }
    return room;
}

size_t ring_take(struct ring *ring, struct event *events, size_t events_max)
{
    const uint32_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    uint32_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    size_t taken = 0;

    while (taken < events_max && read != written)
        events[taken++] = ring->events[read++ % EVENTS_MAX];
    atomic_store_explicit(&ring->read, read, memory_order_release);
    return taken;
}
