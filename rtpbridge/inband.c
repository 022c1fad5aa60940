#include "inband.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define CLOCK_HZ 8000.0
#define TWO_PI 6.283185307179586
#define GROUP 4
#define POWER_MIN 26275271.0 /* in a window, of one tone of -31 dBm0; 3.14 dBm0 is a sine of 32,635 (ITU-T G.711, 4) */
#define DEVIATION_MAX 0.025        /* half-way between what must be taken and what must not */
#define HIGH_OVER_LOW_MAX 3.5      /* in power: 5.4 dB */
#define LOW_OVER_HIGH_MAX 9.0      /* 9.5 dB */
#define SHARE_MIN 0.82             /* of the power of all that is heard, to begin with */
#define SHARE_HELD_MIN 0.35        /* and for a digit to go on: gaps under 10 ms do not cut it */
#define POWER_HELD_MIN 0.1         /* of what it was at its loudest */
#define HITS_MIN 3                 /* 32 ms */
#define MISSES_MAX 3

static const double LOW_HZ[GROUP] = {697, 770, 852, 941};
static const double HIGH_HZ[GROUP] = {1209, 1336, 1477, 1633};
static const char KEYS[GROUP][GROUP + 1] = {"123A", "456B", "789C", "*0#D"};

int inband_tones(char digit, double frequencies_hz[2])
{
    for (int low = 0; low < GROUP; low++)
        for (int high = 0; high < GROUP; high++)
            if (KEYS[low][high] == digit) {
                frequencies_hz[0] = LOW_HZ[low];
                frequencies_hz[1] = HIGH_HZ[high];
                return 0;
            }
    return EINVAL;
}

/* What a frequency has of some samples: Goertzel's recurrence, ended as a complex number. */
struct part {
    double real, imaginary;
};

static struct part goertzel(const double *samples, size_t count, double frequency_hz)
{
    const double turn = TWO_PI * frequency_hz / CLOCK_HZ, coefficient = 2 * cos(turn);
    double before = 0, present = 0;

    for (size_t i = 0; i < count; i++) {
        const double next = samples[i] + coefficient * present - before;

        before = present;
        present = next;
    }
    return (struct part){present * cos(turn) - before, present * sin(turn)};
}

static double power_of(struct part part)
{
    return part.real * part.real + part.imaginary * part.imaginary;
}

/* 2 cos(2 pi f / 8000) of the eight frequencies. */
static const double COEFFICIENTS[2 * GROUP] = {
    1.707737809348902, 1.645281036041720, 1.568686983866820, 1.478204568240176,
    1.164104023027332, 0.996370210678982, 0.798618389226636, 0.568532706775202,
};

/* The power of all eight in one pass, side by side: none waits for another. */
static void powers_of(const double *samples, double powers[2 * GROUP])
{
    double before[2 * GROUP] = {0}, present[2 * GROUP] = {0};

    for (int n = 0; n < INBAND_WINDOW; n++)
        for (int i = 0; i < 2 * GROUP; i++) {
            const double next = samples[n] + COEFFICIENTS[i] * present[i] - before[i];

            before[i] = present[i];
            present[i] = next;
        }
    for (int i = 0; i < 2 * GROUP; i++)
        powers[i] = present[i] * present[i] + before[i] * before[i] - COEFFICIENTS[i] * present[i] * before[i];
}

static int strongest(const double powers[GROUP])
{
    int place = 0;

    for (int i = 1; i < GROUP; i++)
        if (powers[i] > powers[place])
            place = i;
    return place;
}

/*
 * The frequency of the sine near a nominal one, by how far its phase turns between the halves of the window. Hann's window
 * keeps the other tone, 268 Hz away or more, out of it.
 */
static double refined_hz(const double *samples, double nominal_hz)
{
    double halves[INBAND_WINDOW];
    struct part first, second;
    double phase;

    for (int i = 0; i < INBAND_HOP; i++) {
        const double weight = 1 - cos(TWO_PI * (i + 0.5) / INBAND_HOP);

        halves[i] = weight * samples[i];
        halves[INBAND_HOP + i] = weight * samples[INBAND_HOP + i];
    }
    first = goertzel(halves, INBAND_HOP, nominal_hz);
    second = goertzel(halves + INBAND_HOP, INBAND_HOP, nominal_hz);
    phase = atan2(second.imaginary, second.real) - atan2(first.imaginary, first.real);
    phase -= TWO_PI * nominal_hz / CLOCK_HZ * INBAND_HOP;
    return nominal_hz + remainder(phase, TWO_PI) / TWO_PI * CLOCK_HZ / INBAND_HOP;
}

/* One tone of a window, at the frequency it has: its power as a share in the sum of squares. */
static double tone_power(const double *samples, double nominal_hz, double *deviation)
{
    const double hz = refined_hz(samples, nominal_hz);

    *deviation = fabs(hz - nominal_hz) / nominal_hz;
    return power_of(goertzel(samples, INBAND_WINDOW, *deviation < 2 * DEVIATION_MAX ? hz : nominal_hz)) * 2 /
           INBAND_WINDOW;
}

static double sum_of_squares(const double *samples)
{
    double sum = 0;

    for (int i = 0; i < INBAND_WINDOW; i++)
        sum += samples[i] * samples[i];
    return sum;
}

/* The digit of a window, 0 for none, and the power of its tones. */
static char judge(const double *samples, double *power)
{
    const double least = POWER_MIN, total = sum_of_squares(samples);
    double powers[2 * GROUP], low, high, low_deviation, high_deviation;
    int row, column;

    if (total < 2 * least)
        return 0;
    powers_of(samples, powers);
    row = strongest(powers);
    column = strongest(powers + GROUP);
    if (powers[row] + powers[GROUP + column] < total * SHARE_HELD_MIN * INBAND_WINDOW / 2)
        return 0; /* speech and silence cost no more than this */
    low = tone_power(samples, LOW_HZ[row], &low_deviation);
    high = tone_power(samples, HIGH_HZ[column], &high_deviation);
    *power = low + high;
    if (low < least || high < least || low_deviation > DEVIATION_MAX || high_deviation > DEVIATION_MAX ||
        high > low * HIGH_OVER_LOW_MAX || low > high * LOW_OVER_HIGH_MAX || low + high < total * SHARE_MIN)
        return 0;
    return KEYS[row][column];
}

/* Whether the digit that is on can still be heard; more is borne than at its begin. */
static bool goes_on(const struct inband *inband, const double *samples)
{
    double frequencies_hz[2], power = 0;

    inband_tones(inband->pressed, frequencies_hz);
    for (int i = 0; i < 2; i++)
        power += power_of(goertzel(samples, INBAND_WINDOW, frequencies_hz[i])) * 2 / INBAND_WINDOW;
    return power > inband->power * POWER_HELD_MIN && power > sum_of_squares(samples) * SHARE_HELD_MIN;
}

static void hear_window(struct inband *inband, struct dtmf_told *told)
{
    double samples[INBAND_WINDOW], power = 0;
    char digit;

    for (int i = 0; i < INBAND_WINDOW; i++)
        samples[i] = inband->samples[i];
    digit = judge(samples, &power);
    inband->hops++;
    if (inband->pressed != 0) {
        if (digit == inband->pressed || (digit == 0 && goes_on(inband, samples))) {
            inband->misses = 0;
            if (digit != 0 && power > inband->power)
                inband->power = power;
        } else if (++inband->misses == MISSES_MAX && told->ended_count < DTMF_ENDED_MAX) {
            const uint32_t windows = inband->hops - MISSES_MAX;

            told->ended[told->ended_count++] =
                (struct dtmf_digit){inband->pressed, (uint32_t)((windows + 1) * INBAND_HOP * 1000 / CLOCK_HZ)};
            inband->pressed = 0;
        }
    }
    inband->hits = digit != 0 && digit == inband->candidate ? inband->hits + 1 : digit != 0;
    inband->candidate = digit;
    if (inband->pressed == 0 && inband->hits >= HITS_MIN) {
        inband->pressed = digit;
        inband->power = power;
        inband->hops = inband->hits;
        inband->misses = 0;
        told->began = true;
    }
}

void inband_hear(struct inband *inband, const int16_t *samples, size_t count, struct dtmf_told *told)
{
    *told = (struct dtmf_told){0};
    while (count > 0) {
        const size_t room = INBAND_WINDOW - inband->held, part = count < room ? count : room;

        memcpy(inband->samples + inband->held, samples, part * sizeof *samples);
        inband->held += part;
        samples += part;
        count -= part;
        if (inband->held == INBAND_WINDOW) {
            hear_window(inband, told);
            memmove(inband->samples, inband->samples + INBAND_HOP, INBAND_HOP * sizeof *samples);
            inband->held = INBAND_HOP;
        }
    }
}
