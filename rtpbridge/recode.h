#pragma once
/*
 * What becomes of a port's packets where its peer has another codec or wants another length of frames: voice.c and framer.c
 * behind the place for them in hooks.h. Nothing is sent from here.
 */

#include <stdbool.h>

#include "framer.h"
#include "hooks.h"
#include "voice.h"

#define VOICES 4

struct recoder;

struct recode_way {
    struct recoder *recoder;
    enum voice from;           /* VOICE_NONE: events and comfort noise among frames of another length */
    enum voice to;
};

/* Of one direction. */
struct recoder {
    struct framer framer;
    struct voice_recoder voice; /* of the way that was taken last */
    struct recode_way ways[VOICES];
};

/* frame_ticks: the length of the peer's frames, 0 where they may stay. */
void recoder_begin(struct recoder *recoder, uint32_t frame_ticks);
/*
 * What stands between two codecs: the same one, or two that the bridge can speak; false: there is none. Sets turn, state and
 * clock_hz. `from` may be the same as `to`.
 */
bool recode_between(struct recoding *recoding, struct recoder *recoder, const struct codec *from,
                    const struct codec *to);
