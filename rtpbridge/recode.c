#include "recode.h"

#include <strings.h>

void recoder_begin(struct recoder *recoder, uint32_t frame_ticks)
{
    framer_begin(&recoder->framer, frame_ticks);
    voice_recoder_begin(&recoder->voice, VOICE_NONE, VOICE_NONE);
}

static size_t turn_voice(void *state, struct packet packets[RECODED_MAX])
{
    const struct recode_way *const way = state;
    struct voice_recoder *const voice = &way->recoder->voice;
    struct rtp_header *const header = &packets->header;

    if (way->from != way->to) {
        if (voice->decoder.voice != way->from || voice->encoder.voice != way->to)
            voice_recoder_begin(voice, way->from, way->to);
        voice_recode(voice, packets->octets + header->payload_begin, header->payload_bytes);
    }
    return framer_turn(&way->recoder->framer, packets, RECODED_MAX);
}

static size_t turn_other(void *state, struct packet packets[RECODED_MAX])
{
    const struct recode_way *const way = state;

    return framer_pass(&way->recoder->framer, packets);
}

bool recode_between(struct recoding *recoding, struct recoder *recoder, const struct codec *from,
                    const struct codec *to)
{
    const enum voice from_voice = voice_named(from->name), to_voice = voice_named(to->name);
    const bool same = strcasecmp(from->name, to->name) == 0;

    if (!same && (from_voice == VOICE_NONE || to_voice == VOICE_NONE))
        return false;
    recoding->payload_type = to->payload_type;
    recoding->clock_hz = to->clock_hz;
    if (same && recoder->framer.frame_ticks == 0)
        return true;
    recoder->ways[from_voice] = (struct recode_way){recoder, from_voice, to_voice};
    recoding->state = &recoder->ways[from_voice];
    recoding->turn = from_voice != VOICE_NONE ? turn_voice : turn_other;
    return true;
}
