#include "resample.h"

#include <string.h>

#define CHUNK 160
#define UNITY_BITS 14

_Static_assert(UP_HISTORY == 2 * RESAMPLE_TAPS - 1 && DOWN_HISTORY == 4 * RESAMPLE_TAPS - 3, "what the taps reach");

/* The taps 1, 3, 5 ... beside the middle one: a sinc under a Kaiser window (beta 5.3), doubled, in 1/16384. */
static const int16_t TAPS[RESAMPLE_TAPS] = {10393, -3351, 1880, -1212, 820, -560, 378, -248, 156, -91, 48, -21};

static int16_t rounded(int32_t sum, int bits)
{
    const int32_t number = (sum + (1 << (bits - 1))) >> bits;

    if (number > INT16_MAX)
        return INT16_MAX;
    return (int16_t)(number < INT16_MIN ? INT16_MIN : number);
}

static void upsample_chunk(struct upsampler *upsampler, const int16_t *samples, size_t count, int16_t *doubled)
{
    int16_t x[UP_HISTORY + CHUNK];

    memcpy(x, upsampler->history, sizeof upsampler->history);
    memcpy(x + UP_HISTORY, samples, count * sizeof *samples);
    for (size_t i = 0; i < count; i++) {
        const int16_t *const before = x + i + RESAMPLE_TAPS - 1, *const after = before + 1;
        int32_t sum = 0;

        for (int tap = 0; tap < RESAMPLE_TAPS; tap++)
            sum += TAPS[tap] * before[-tap] + TAPS[tap] * after[tap];
        doubled[2 * i] = *before;
        doubled[2 * i + 1] = rounded(sum, UNITY_BITS);
    }
    memcpy(upsampler->history, x + count, sizeof upsampler->history);
}

void upsample(struct upsampler *upsampler, const int16_t *samples, size_t samples_count, int16_t *doubled)
{
    for (size_t done = 0; done < samples_count; done += CHUNK) {
        const size_t rest = samples_count - done;

        upsample_chunk(upsampler, samples + done, rest < CHUNK ? rest : CHUNK, doubled + 2 * done);
    }
}

static void downsample_chunk(struct downsampler *downsampler, const int16_t *samples, size_t count, int16_t *halved)
{
    int16_t x[DOWN_HISTORY + 2 * CHUNK];

    memcpy(x, downsampler->history, sizeof downsampler->history);
    memcpy(x + DOWN_HISTORY, samples, 2 * count * sizeof *samples);
    for (size_t i = 0; i < count; i++) {
        const int16_t *const middle = x + 2 * i + 2 * RESAMPLE_TAPS - 1;
        int32_t sum = *middle * (1 << UNITY_BITS); /* of the pair the later one: with G.722 the delay is whole samples */

        for (int tap = 0; tap < RESAMPLE_TAPS; tap++)
            sum += TAPS[tap] * middle[-2 * tap - 1] + TAPS[tap] * middle[2 * tap + 1];
        halved[i] = rounded(sum, UNITY_BITS + 1);
    }
    memcpy(downsampler->history, x + 2 * count, sizeof downsampler->history);
}

void downsample(struct downsampler *downsampler, const int16_t *samples, size_t halved_count, int16_t *halved)
{
    for (size_t done = 0; done < halved_count; done += CHUNK) {
        const size_t rest = halved_count - done;

        downsample_chunk(downsampler, samples + 2 * done, rest < CHUNK ? rest : CHUNK, halved + done);
    }
}
