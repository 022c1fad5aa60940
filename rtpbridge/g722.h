#pragma once
/*
 * G.722 at 64 kbit/s (ITU-T G.722): two subbands of ADPCM, 16 kHz samples of 16 bits to octets at 8,000 a second, a pair of
 * samples an octet. Encoder and decoder are bit-exact to the Recommendation's arithmetic. Pure; a frame may have any length.
 */

#include <stddef.h>
#include <stdint.h>

#define G722_ZEROS 6
#define G722_HISTORY 22

/* One subband's adaptive predictor and quantizer; the names are those of the Recommendation's block 4. */
struct g722_band {
    int32_t det;               /* scale factor */
    int32_t nb;                /* its logarithm */
    int32_t s;                 /* the prediction: poles and zeros together */
    int32_t sz;                /* of the zeros alone */
    int32_t a1, a2;            /* pole coefficients */
    int32_t r1, r2;            /* reconstructed signal, one and two samples ago */
    int32_t p1, p2;            /* partially reconstructed signal */
    int32_t b[G722_ZEROS];     /* zero coefficients */
    int32_t d[G722_ZEROS];     /* quantized differences, newest first */
};

struct g722_decoder {
    struct g722_band low;
    struct g722_band high;
    int16_t history[G722_HISTORY]; /* of the quadrature mirror filter */
};

struct g722_encoder {
    struct g722_band low;
    struct g722_band high;
    int16_t history[G722_HISTORY];
};

void g722_decoder_begin(struct g722_decoder *decoder);
/* Writes two samples for each octet. */
void g722_decode(struct g722_decoder *decoder, const uint8_t *octets, size_t octets_count, int16_t *samples);
void g722_encoder_begin(struct g722_encoder *encoder);
/* Reads two samples for each octet. */
void g722_encode(struct g722_encoder *encoder, const int16_t *samples, size_t octets_count, uint8_t *octets);
