#pragma once
/*
 * A prompt: samples handed in once, shared by all who play it, freed when nobody holds it. G.722 gets the 16 kHz where there are
 * some. Pure but for memory; prompt_open() and prompt_release() are of api.h.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "face.h"

struct prompt {
    atomic_uint holders;
    size_t ticks;              /* of 8 kHz */
    const int16_t *wide;       /* 16 kHz, two samples a tick; NULL: there are none */
    int16_t samples[];         /* 8 kHz, then those */
};

void prompt_hold(struct prompt *prompt);
