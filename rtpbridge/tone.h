#pragma once
/* A call-progress tone as samples: sines, switched on and off, at a level. Pure; knows nothing of RTP. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "face.h"

#define TONE_CLOCK_HZ 8000

struct tone {
    double step[TONE_FREQUENCIES_MAX];      /* radians a sample */
    size_t frequencies_count;
    double amplitude;                       /* of each sine; full scale is 32768 */
    uint32_t cadence[TONE_CADENCE_MAX];     /* samples */
    size_t cadence_count;
    size_t place;                           /* in the cadence; even: the tone is on */
    uint64_t position;                      /* samples since that place began */
};

/* EINVAL: more, or other, than a tone may have: see the limits in api.h; the sum of the sines must fit full scale. */
int tone_begin(struct tone *tone, const struct tone_plan *plan);
/* The next samples; the cadence starts over at its end. */
void tone_read(struct tone *tone, int16_t *samples, size_t samples_count);
