#pragma once
/*
 * The codecs that the bridge can speak, not only pass on: PCMU, PCMA and G.722. All three have an octet a tick of an 8,000 Hz
 * RTP clock, so that one becomes another without a change of size. Pure; a frame may have any length.
 */

#include <stddef.h>
#include <stdint.h>

#include "g722.h"
#include "resample.h"

#define VOICE_CLOCK_HZ 8000

enum voice { VOICE_NONE, VOICE_PCMU, VOICE_PCMA, VOICE_G722 };

/* By encoding name and clock as in a=rtpmap; VOICE_NONE for every other. */
enum voice voice_named(const char *name);

/* Octets to samples of 8 kHz; all zero but for the voice at the beginning. */
struct voice_decoder {
    enum voice voice;
    struct g722_decoder g722;
    struct downsampler down;
};

/* Samples of 8 kHz to octets. */
struct voice_encoder {
    enum voice voice;
    struct g722_encoder g722;
    struct upsampler up;
};

struct voice_recoder {
    struct voice_decoder decoder;
    struct voice_encoder encoder;
};

void voice_decoder_begin(struct voice_decoder *decoder, enum voice voice);
void voice_decode(struct voice_decoder *decoder, const uint8_t *octets, size_t count, int16_t *samples);
void voice_encoder_begin(struct voice_encoder *encoder, enum voice voice);
void voice_encode(struct voice_encoder *encoder, const int16_t *samples, size_t count, uint8_t *octets);

void voice_recoder_begin(struct voice_recoder *recoder, enum voice from, enum voice to);
/* In place. */
void voice_recode(struct voice_recoder *recoder, uint8_t *octets, size_t count);
