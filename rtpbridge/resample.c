#include "resample.h"

#include <string.h>

#define CHUNK 160
#define UNITY_BITS 14

_Static_assert(UP_HISTORY == RESAMPLE_TAPS - 1 && DOWN_HISTORY == RESAMPLE_TAPS - 1 &&
                   DOWN_MIDDLE_HISTORY == RESAMPLE_TAPS / 2 - 1,
               "what the taps reach");

/* A sinc under a Kaiser window (beta 5.3), doubled, in 1/16384. */
static const int16_t TAPS[RESAMPLE_TAPS] = {
    -21,   48,    -91, 156,   -248, 378,  -560, 820,  -1212, 1880, -3351, 10393,
    10393, -3351, 1880, -1212, 820,  -560, 378,  -248, 156,   -91,  48,    -21,
};

static int16_t rounded(int32_t sum, int bits)
{
    const int32_t number = (sum + (1 << (bits - 1))) >> bits;

    if (number > INT16_MAX)
        return INT16_MAX;
    return (int16_t)(number < INT16_MIN ? INT16_MIN : number);
}

static int32_t filter(const int16_t *samples)
{
    int32_t sum = 0;

    for (int i = 0; i < RESAMPLE_TAPS; i++)
        sum += samples[i] * TAPS[i];
    return sum;
}

static void upsample_chunk(struct upsampler *upsampler, const int16_t *samples, size_t count, int16_t *doubled)
{
    int16_t x[UP_HISTORY + CHUNK];

    memcpy(x, upsampler->history, sizeof upsampler->history);
    memcpy(x + UP_HISTORY, samples, count * sizeof *samples);
    for (size_t i = 0; i < count; i++) {
        doubled[2 * i] = x[i + RESAMPLE_TAPS / 2 - 1];
        doubled[2 * i + 1] = rounded(filter(x + i), UNITY_BITS);
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
    int16_t beside[DOWN_HISTORY + CHUNK], middle[DOWN_MIDDLE_HISTORY + CHUNK];

    memcpy(beside, downsampler->beside, sizeof downsampler->beside);
    memcpy(middle, downsampler->middle, sizeof downsampler->middle);
    for (size_t i = 0; i < count; i++) {
        middle[DOWN_MIDDLE_HISTORY + i] = samples[2 * i];
        beside[DOWN_HISTORY + i] = samples[2 * i + 1];
    }
    /* The middle lies between the 12th and the 13th of those beside it; with G.722 the delay is whole samples. */
    for (size_t i = 0; i < count; i++)
        halved[i] = rounded(filter(beside + i) + middle[i] * (1 << UNITY_BITS), UNITY_BITS + 1);
    memcpy(downsampler->beside, beside + count, sizeof downsampler->beside);
    memcpy(downsampler->middle, middle + count, sizeof downsampler->middle);
}

void downsample(struct downsampler *downsampler, const int16_t *samples, size_t halved_count, int16_t *halved)
{
    for (size_t done = 0; done < halved_count; done += CHUNK) {
        const size_t rest = halved_count - done;

        downsample_chunk(downsampler, samples + 2 * done, rest < CHUNK ? rest : CHUNK, halved + done);
    }
}
