#include "rate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define CROSSINGS 16      /* zeros of the sinc on either side */
#define PASSED 0.94       /* of half the lower rate: room for the window's slope */

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        const uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* The filter at `distance` input samples from its middle; `cutoff` is in input samples too, 1 for half their rate. */
static double tap(double distance, double cutoff, double reach)
{
    const double x = M_PI * distance * cutoff, turn = M_PI * distance / reach;
    const double window = 0.42 + 0.5 * cos(turn) + 0.08 * cos(2 * turn);

    if (fabs(distance) >= reach)
        return 0;
    return cutoff * window * (fabs(x) < 1e-9 ? 1 : sin(x) / x);
}

static int16_t clipped(double value)
{
    if (value >= INT16_MAX)
        return INT16_MAX;
    return (int16_t)lrint(value <= INT16_MIN ? INT16_MIN : value);
}

int rate_change(const int16_t *samples, size_t samples_count, uint32_t from_hz, int16_t *changed, size_t changed_count,
                uint32_t to_hz)
{
    uint32_t divisor;
    size_t phases, step, taps;
    double cutoff, reach;
    double *table;

    if (from_hz < RATE_HZ_MIN || from_hz > RATE_HZ_MAX || to_hz < RATE_HZ_MIN || to_hz > RATE_HZ_MAX)
        return EINVAL;
    divisor = common_divisor(from_hz, to_hz);
    phases = to_hz / divisor;
    step = from_hz / divisor;
    cutoff = PASSED * (to_hz < from_hz ? (double)to_hz / from_hz : 1);
    reach = CROSSINGS / cutoff;
    taps = 2 * (size_t)ceil(reach);
    table = malloc(phases * taps * sizeof *table);
    if (table == NULL)
        return ENOMEM;
    for (size_t phase = 0; phase < phases; phase++)
        for (size_t i = 0; i < taps; i++)
            table[phase * taps + i] =
                tap((double)i + 1 - (double)taps / 2 - (double)phase / (double)phases, cutoff, reach);
    for (size_t i = 0; i < changed_count; i++) {
        const size_t middle = i * step / phases;
        const double *const row = table + i * step % phases * taps;
        double sum = 0;

        for (size_t k = 0; k < taps; k++) {
            const size_t at = middle + k + 1;

            if (at >= taps / 2 && at - taps / 2 < samples_count)
                sum += row[k] * samples[at - taps / 2];
        }
        changed[i] = clipped(sum);
    }
    free(table);
    return 0;
}
