#include "tone.h"

#include <errno.h>
#include <math.h>

#define TWO_PI 6.283185307179586
#define FULL_SCALE 32635.0   /* the last value that PCMU can say; PCMA reaches a little less */
#define FULL_SCALE_DBM0 3.14 /* of a sine in PCMA, 3.17 in PCMU (ITU-T G.711, 4) */

int tone_begin(struct tone *tone, const struct tone_plan *plan)
{
    int error = EINVAL;

    *tone = (struct tone){.frequencies_count = plan->frequencies_count, .cadence_count = plan->cadence_count};
    if (plan->frequencies_count == 0 || plan->frequencies_count > TONE_FREQUENCIES_MAX ||
        plan->cadence_count > TONE_CADENCE_MAX || plan->cadence_count % 2 != 0)
        goto out;
    for (size_t i = 0; i < plan->frequencies_count; i++) {
        if (!(plan->frequencies_hz[i] > 0 && plan->frequencies_hz[i] < TONE_CLOCK_HZ / 2.0))
            goto out;
        tone->step[i] = TWO_PI * plan->frequencies_hz[i] / TONE_CLOCK_HZ;
    }
    for (size_t i = 0; i < plan->cadence_count; i++) {
        if (plan->cadence_ms[i] == 0 || plan->cadence_ms[i] > TONE_CADENCE_MS_MAX)
            goto out;
        tone->cadence[i] = plan->cadence_ms[i] * (TONE_CLOCK_HZ / 1000);
    }
    tone->amplitude = FULL_SCALE * pow(10.0, (plan->level_dbm0 - FULL_SCALE_DBM0) / 20.0);
    if (!(tone->amplitude * (double)plan->frequencies_count <= FULL_SCALE))
        goto out;
    error = 0;
out:
    return error;
}

/* Adds one sine by its recurrence, set anew at each call so that no error grows. */
static void add_sine(double *sum, size_t count, double step, double position, double amplitude)
{
    const double twice_cosine = 2.0 * cos(step);
    double before = amplitude * sin(fmod(step * (position - 1), TWO_PI));
    double present = amplitude * sin(fmod(step * position, TWO_PI));

    for (size_t i = 0; i < count; i++) {
        const double after = twice_cosine * present - before;

        sum[i] += present;
        before = present;
        present = after;
    }
}

/* Samples up to the next change of the cadence, at most RUN_MAX. */
#define RUN_MAX 160

static size_t tone_run(struct tone *tone, int16_t *samples, size_t samples_count)
{
    size_t run = samples_count < RUN_MAX ? samples_count : RUN_MAX;
    double sum[RUN_MAX] = {0};

    if (tone->cadence_count > 0 && run > tone->cadence[tone->place] - tone->position)
        run = (size_t)(tone->cadence[tone->place] - tone->position);
    for (size_t i = 0; i < tone->frequencies_count && tone->place % 2 == 0; i++)
        add_sine(sum, run, tone->step[i], (double)tone->position, tone->amplitude);
    for (size_t i = 0; i < run; i++)
        samples[i] = (int16_t)lrint(sum[i]);
    tone->position += run;
    if (tone->cadence_count > 0 && tone->position == tone->cadence[tone->place]) {
        tone->place = (tone->place + 1) % tone->cadence_count;
        tone->position = 0;
    }
    return run;
}

void tone_read(struct tone *tone, int16_t *samples, size_t samples_count)
{
    size_t done = 0;

    while (done < samples_count)
        done += tone_run(tone, samples + done, samples_count - done);
}
