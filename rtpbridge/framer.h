#pragma once
/*
 * Frames of another length: the octets of a stream whose codec has an octet a tick are put together anew, so that the far side
 * gets them in the packets it asked for (a=ptime). Losses stay losses, pauses stay pauses. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"

#define FRAMER_TICKS_MIN 80      /* 10 ms */
#define FRAMER_TICKS_MAX 960     /* 120 ms */

struct framer {
    uint32_t frame_ticks;      /* 0: packets stay as they are */
    bool active;               /* a packet of another length has come: from now on the numbers are ours */
    bool begun;
    uint32_t ssrc;
    uint16_t highest;          /* of the source's sequence */
    uint16_t sequence;         /* the next of our own */
    uint32_t timestamp;        /* that follows what is held */
    bool marked;               /* the next frame begins a talkspurt */
    size_t held;
    uint8_t octets[FRAMER_TICKS_MAX];
};

/* Frames stay as they are with frame_ticks 0, and as long as they have that length. */
void framer_begin(struct framer *framer, uint32_t frame_ticks);
/*
 * Takes packets[0], writes up to packets_max of them from there on, and says how many; the others are rooms. A packet that is
 * late or came before makes none.
 */
size_t framer_turn(struct framer *framer, struct packet *packets, size_t packets_max);
/* A packet that is no voice (an event, comfort noise) goes among the frames, with a number of theirs: 1, or 0 if late. */
size_t framer_pass(struct framer *framer, struct packet *packet);
