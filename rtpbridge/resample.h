#pragma once
/*
 * 8 kHz to 16 kHz and back, for G.722 beside G.711: a half-band filter of 47 taps, flat to 3.4 kHz and 60 dB down from
 * 4.6 kHz. Pure; a frame may have any length.
 */

#include <stddef.h>
#include <stdint.h>

#define RESAMPLE_TAPS 24 /* beside the middle one, at every odd distance; a half-band filter has zeros at the even ones */
#define UP_HISTORY 23
#define DOWN_HISTORY 23
#define DOWN_MIDDLE_HISTORY 11

/* All zero at the beginning. */
struct upsampler {
    int16_t history[UP_HISTORY];
};

/* Of a pair of samples the earlier one is a middle, the later ones are beside it. */
struct downsampler {
    int16_t beside[DOWN_HISTORY];
    int16_t middle[DOWN_MIDDLE_HISTORY];
};

/* Writes two samples for each. */
void upsample(struct upsampler *upsampler, const int16_t *samples, size_t samples_count, int16_t *doubled);
/* Reads two samples for each that it writes. */
void downsample(struct downsampler *downsampler, const int16_t *samples, size_t halved_count, int16_t *halved);
