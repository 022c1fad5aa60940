#pragma once
/*
 * Digits heard as tones in the voice (ITU-T Q.23, Q.24): eight Goertzel filters over 16 ms, every 8 ms. Its limits: 1.5 % of the
 * frequency is taken, 3.5 % is not; the higher tone may be 4 dB stronger or 8 dB weaker; 40 ms on and 40 ms off are enough,
 * 23 ms are no digit; from 0 to -25 dBm0. Pure; samples are of 8 kHz, any number at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtmf.h"

#define INBAND_WINDOW 128
#define INBAND_HOP 64

/* All zero at the beginning. */
struct inband {
    int16_t samples[INBAND_WINDOW];
    size_t held;               /* of samples */
    char candidate;            /* the digit of the last window, 0: none */
    unsigned int hits;         /* windows in a row that said so */
    unsigned int misses;       /* windows in a row that did not, after it was pressed */
    char pressed;              /* the digit that is on, 0: none */
    double power;              /* of its two tones, in a window */
    uint32_t hops;             /* since it began */
};

/* As much as DTMF_ENDED_MAX digits may end; more samples than 160 ms have room for no more of them. */
void inband_hear(struct inband *inband, const int16_t *samples, size_t count, struct dtmf_told *told);
/* The two frequencies of a digit in Hz; EINVAL: no digit. */
int inband_tones(char digit, double frequencies_hz[2]);
