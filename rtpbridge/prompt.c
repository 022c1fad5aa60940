#include "prompt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "voice.h"

int prompt_open(struct prompt **prompt, const int16_t *samples, size_t samples_count, uint32_t clock_hz)
{
    const size_t width = clock_hz / VOICE_CLOCK_HZ, ticks = width > 0 ? samples_count / width : 0;
    struct downsampler down = {0};
    struct prompt *opened;

    if (clock_hz != VOICE_CLOCK_HZ && clock_hz != 2 * VOICE_CLOCK_HZ)
        return EINVAL;
    if (ticks == 0 || ticks > (size_t)PROMPT_SECONDS_MAX * VOICE_CLOCK_HZ)
        return EINVAL;
    opened = malloc(sizeof *opened + ticks * (width == 2 ? 3 : 1) * sizeof *samples);
    if (opened == NULL)
        return ENOMEM;
    atomic_init(&opened->holders, 1);
    opened->ticks = ticks;
    opened->wide = NULL;
    if (width == 2) {
        int16_t *const wide = opened->samples + ticks;

        memcpy(wide, samples, 2 * ticks * sizeof *samples);
        downsample(&down, samples, ticks, opened->samples);
        opened->wide = wide;
    } else {
        memcpy(opened->samples, samples, ticks * sizeof *samples);
    }
    *prompt = opened;
    return 0;
}

void prompt_hold(struct prompt *prompt)
{
    atomic_fetch_add_explicit(&prompt->holders, 1, memory_order_relaxed);
}

void prompt_release(struct prompt *prompt)
{
    if (prompt != NULL && atomic_fetch_sub_explicit(&prompt->holders, 1, memory_order_acq_rel) == 1)
        free(prompt);
}
