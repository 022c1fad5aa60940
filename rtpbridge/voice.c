#include "voice.h"

#include <strings.h>

#include "g711.h"

#define CHUNK 160

static const struct {
    const char *name;
    enum voice voice;
} NAMES[] = {
    {"PCMU/8000", VOICE_PCMU},
    {"PCMA/8000", VOICE_PCMA},
    {"G722/8000", VOICE_G722}, /* its RTP clock is 8,000 by an old mistake (RFC 3551, 4.5.2) */
};

enum voice voice_named(const char *name)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcasecmp(NAMES[i].name, name) == 0)
            return NAMES[i].voice;
    return VOICE_NONE;
}

void voice_decoder_begin(struct voice_decoder *decoder, enum voice voice)
{
    *decoder = (struct voice_decoder){.voice = voice};
    g722_decoder_begin(&decoder->g722);
}

static void decode_g722(struct voice_decoder *decoder, const uint8_t *octets, size_t count, int16_t *samples)
{
    int16_t wide[2 * CHUNK];

    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t part = count - done < CHUNK ? count - done : CHUNK;

        g722_decode(&decoder->g722, octets + done, part, wide);
        downsample(&decoder->down, wide, part, samples + done);
    }
}

void voice_decode(struct voice_decoder *decoder, const uint8_t *octets, size_t count, int16_t *samples)
{
    switch (decoder->voice) {
    case VOICE_PCMU:
        for (size_t i = 0; i < count; i++)
            samples[i] = g711_decode_pcmu(octets[i]);
        break;
    case VOICE_PCMA:
        for (size_t i = 0; i < count; i++)
            samples[i] = g711_decode_pcma(octets[i]);
        break;
    case VOICE_G722:
        decode_g722(decoder, octets, count, samples);
        break;
    case VOICE_NONE:
        break;
    }
}

void voice_encoder_begin(struct voice_encoder *encoder, enum voice voice)
{
    *encoder = (struct voice_encoder){.voice = voice};
    g722_encoder_begin(&encoder->g722);
}

static void encode_g722(struct voice_encoder *encoder, const int16_t *samples, size_t count, uint8_t *octets)
{
    int16_t wide[2 * CHUNK];

    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t part = count - done < CHUNK ? count - done : CHUNK;

        upsample(&encoder->up, samples + done, part, wide);
        g722_encode(&encoder->g722, wide, part, octets + done);
    }
}

void voice_encode(struct voice_encoder *encoder, const int16_t *samples, size_t count, uint8_t *octets)
{
    switch (encoder->voice) {
    case VOICE_PCMU:
        for (size_t i = 0; i < count; i++)
            octets[i] = g711_encode_pcmu(samples[i]);
        break;
    case VOICE_PCMA:
        for (size_t i = 0; i < count; i++)
            octets[i] = g711_encode_pcma(samples[i]);
        break;
    case VOICE_G722:
        encode_g722(encoder, samples, count, octets);
        break;
    case VOICE_NONE:
        break;
    }
}

void voice_recoder_begin(struct voice_recoder *recoder, enum voice from, enum voice to)
{
    voice_decoder_begin(&recoder->decoder, from);
    voice_encoder_begin(&recoder->encoder, to);
}

void voice_recode(struct voice_recoder *recoder, uint8_t *octets, size_t count)
{
    const enum voice from = recoder->decoder.voice, to = recoder->encoder.voice;
    int16_t samples[CHUNK];

    if (from == to) {
        return;
    } else if (from == VOICE_PCMU && to == VOICE_PCMA) {
        g711_pcmu_to_pcma(octets, count);
        return;
    } else if (from == VOICE_PCMA && to == VOICE_PCMU) {
        g711_pcma_to_pcmu(octets, count);
        return;
    }
    for (size_t done = 0; done < count; done += CHUNK) {
        const size_t part = count - done < CHUNK ? count - done : CHUNK;

        voice_decode(&recoder->decoder, octets + done, part, samples);
        voice_encode(&recoder->encoder, samples, part, octets + done);
    }
}
