#pragma once
/*
 * Digits that a port hears: telephone events, and tones in the voice where that was asked for. Each is told once, when it ends;
 * when it begins it may cut off what is played. A peer without telephone events hears the key as a tone.
 */

#include "dtmf.h"
#include "hooks.h"
#include "inband.h"
#include "voice.h"

struct port;
struct turn;

struct hearing {
    bool detects_inband;
    bool has_events;           /* telephone events have come: the tones that some send along are not heard again */
    struct dtmf_receiver events;
    struct inband inband;
    struct voice_decoder decoder;
};

/* The listener of hooks.h; `state` is the port. */
void hear_packet(void *state, const struct packet *packet, const struct codec *codec, const struct turn *turn);
/* A digit is over whose end was lost. */
void hear_time(struct port *port, const struct turn *turn);
