#include "g722.h"

#include <string.h>

#define CHUNK_OCTETS 80
#define QMF_TAPS 16
#define PARITY_HISTORY (G722_HISTORY / 2)
#define PARITY_ROOM (PARITY_HISTORY + CHUNK_OCTETS + QMF_TAPS)
#define LOW_DET 32   /* at the beginning (G.722, 6.2.1.4) */
#define HIGH_DET 8
#define LOW_NB_MAX 18432
#define HIGH_NB_MAX 22528
#define LOW_LEVELS 30
#define BEYOND_ALL (1 << 23) /* times the least scale factor it is more than any signal */
#define HIGH_DECISION 564

/* Tables of G.722, 6.2: the inverse quantizers of 6, 4 and 2 bits. */
static const int16_t QM6[64] = {
    -136,   -136,   -136,   -136,   -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360,  -8576,  -7856,  -7192,  -6576,  -6000,  -5456,  -4944,  -4464,  -4008,  -3576,  -3168,  -2776,
    -2400,  -2032,  -1688,  -1360,  -1040,  -728,   24808,  21904,  19008,  16704,  14984,  13512,  12280,
    11192,  10232,  9360,   8576,   7856,   7192,   6576,   6000,   5456,   4944,   4464,   4008,   3576,
    3168,   2776,   2400,   2032,   1688,   1360,   1040,   728,    432,    136,    -432,   -136,
};
static const int16_t QM4[16] = {
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
};
static const int16_t QM2[4] = {-7408, -1616, 7408, 1616};
/* How the scale factor's logarithm follows the codes. */
static const int16_t LOW_STEP[16] = {-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60};
static const int16_t HIGH_STEP[4] = {798, -214, 798, -214};
static const int16_t ILB[32] = {
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
};
/* Decision levels of the lower band, and the codes between them for either sign. */
static const int32_t Q6[LOW_LEVELS + 2] = {
    0,   35,  72,  110, 150, 190,  233,  276,  323,  370,  422,  473,  530,  587,  650,
    714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
    BEYOND_ALL, BEYOND_ALL,
};
static const uint8_t ILN[LOW_LEVELS + 1] = {
    0,  63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19,
    18, 17, 16, 15, 14, 13, 12, 11, 10, 9,  8,  7,  6,  5,  4,
};
static const uint8_t ILP[LOW_LEVELS + 1] = {
    0,  61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,
    46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
};
/* Quadrature mirror filter: the taps of either parity, filled up to what a vector of 16 bits takes at once. */
static const int16_t QMF_EVEN[QMF_TAPS] = {3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};
static const int16_t QMF_ODD[QMF_TAPS] = {-11, 53, -156, 362, -805, 3876, 951, -210, 32, 12, -11, 3};

static int32_t saturate(int32_t number)
{
    if (number > INT16_MAX)
        return INT16_MAX;
    return number < INT16_MIN ? INT16_MIN : number;
}

static int32_t bounded(int32_t number, int32_t limit)
{
    if (number > limit)
        return limit;
    return number < -limit ? -limit : number;
}

/* Blocks LOGSCL and SCALEL, LOGSCH and SCALEH: `shift` is 8 in the lower band, 10 in the higher. */
static void adapt_scale(struct g722_band *band, int32_t step, int32_t nb_max, int32_t shift)
{
    int32_t nb = ((band->nb * 127) >> 7) + step, fraction, down;

    if (nb < 0)
        nb = 0;
    else if (nb > nb_max)
        nb = nb_max;
    band->nb = nb;
    fraction = ILB[nb >> 6 & 31];
    down = shift - (nb >> 11);
    band->det = (down < 0 ? fraction << -down : fraction >> down) * 4;
}

/* Blocks RECONS to PREDIC: the predictor takes the quantized difference in and predicts the next sample. */
static void predict(struct g722_band *band, int32_t difference)
{
    const int32_t r = saturate(band->s + difference);
    const int32_t p = saturate(band->sz + difference);
    const int32_t same1 = (p ^ band->p1) < 0 ? -1 : 1, same2 = (p ^ band->p2) < 0 ? -1 : 1;
    const int32_t drive = difference == 0 ? 0 : 128;
    int32_t towards = -same1 * saturate(band->a1 * 4);
    int32_t a1, a2, sz = 0, newest = difference;

    if (towards > INT16_MAX)
        towards = INT16_MAX;
    a2 = bounded(same2 * 128 + (towards >> 7) + ((band->a2 * 32512) >> 15), 12288);
    a1 = bounded(saturate(same1 * 192 + ((band->a1 * 32640) >> 15)), 15360 - a2);
    for (int i = 0; i < G722_ZEROS; i++) {
        const int32_t past = band->d[i];
        /* Its bounds are those of 16 bits by themselves: 255/256 of the largest and 128 more is the largest again. */
        const int32_t b = ((band->b[i] * 32640) >> 15) + ((past ^ difference) < 0 ? -drive : drive);

        band->b[i] = b;
        band->d[i] = newest;
        sz += (b * saturate(2 * newest)) >> 15;
        newest = past;
    }
    band->sz = saturate(sz);
    band->r2 = band->r1;
    band->r1 = r;
    band->p2 = band->p1;
    band->p1 = p;
    band->a1 = a1;
    band->a2 = a2;
    band->s = saturate(saturate(((a1 * saturate(2 * r)) >> 15) + ((a2 * saturate(2 * band->r2)) >> 15)) + band->sz);
}

static void low_takes(struct g722_band *low, unsigned int code)
{
    const int32_t difference = (low->det * QM4[code >> 2]) >> 15;

    adapt_scale(low, LOW_STEP[code >> 2], LOW_NB_MAX, 8);
    predict(low, difference);
}

static void high_takes(struct g722_band *high, unsigned int code)
{
    const int32_t difference = (high->det * QM2[code]) >> 15;

    adapt_scale(high, HIGH_STEP[code], HIGH_NB_MAX, 10);
    predict(high, difference);
}

static int16_t limited(int32_t number)
{
    if (number > 16383)
        return 16383;
    return (int16_t)(number < -16384 ? -16384 : number);
}

/* The samples of a chunk behind those before it, each parity by itself; the room beyond is zero, as are the taps there. */
struct parities {
    int16_t even[PARITY_ROOM];
    int16_t odd[PARITY_ROOM];
};

static void parities_begin(struct parities *parities, const int16_t history[G722_HISTORY])
{
    memset(parities, 0, sizeof *parities);
    for (int i = 0; i < PARITY_HISTORY; i++) {
        parities->even[i] = history[2 * i];
        parities->odd[i] = history[2 * i + 1];
    }
}

static void parities_end(const struct parities *parities, size_t count, int16_t history[G722_HISTORY])
{
    for (int i = 0; i < PARITY_HISTORY; i++) {
        history[2 * i] = parities->even[count + (size_t)i];
        history[2 * i + 1] = parities->odd[count + (size_t)i];
    }
}

static int32_t qmf(const int16_t *samples, const int16_t taps[QMF_TAPS])
{
    int32_t sum = 0;

    for (int i = 0; i < QMF_TAPS; i++)
        sum += samples[i] * taps[i];
    return sum;
}

void g722_decoder_begin(struct g722_decoder *decoder)
{
    *decoder = (struct g722_decoder){.low.det = LOW_DET, .high.det = HIGH_DET};
}

static void decode_chunk(struct g722_decoder *decoder, const uint8_t *octets, size_t count, int16_t *samples)
{
    struct parities x;

    parities_begin(&x, decoder->history);
    for (size_t i = 0; i < count; i++) {
        const unsigned int low = octets[i] & 0x3f, high = octets[i] >> 6;
        const int32_t low_signal = limited(decoder->low.s + ((decoder->low.det * QM6[low]) >> 15));
        const int32_t high_signal = limited(decoder->high.s + ((decoder->high.det * QM2[high]) >> 15));

        x.even[PARITY_HISTORY + i] = (int16_t)(low_signal + high_signal);
        x.odd[PARITY_HISTORY + i] = (int16_t)(low_signal - high_signal);
        low_takes(&decoder->low, low);
        high_takes(&decoder->high, high);
    }
    for (size_t i = 0; i < count; i++) {
        samples[2 * i] = (int16_t)saturate(qmf(x.odd + i, QMF_ODD) >> 11);
        samples[2 * i + 1] = (int16_t)saturate(qmf(x.even + i, QMF_EVEN) >> 11);
    }
    parities_end(&x, count, decoder->history);
}

void g722_decode(struct g722_decoder *decoder, const uint8_t *octets, size_t octets_count, int16_t *samples)
{
    for (size_t done = 0; done < octets_count; done += CHUNK_OCTETS) {
        const size_t rest = octets_count - done;

        decode_chunk(decoder, octets + done, rest < CHUNK_OCTETS ? rest : CHUNK_OCTETS, samples + 2 * done);
    }
}

void g722_encoder_begin(struct g722_encoder *encoder)
{
    *encoder = (struct g722_encoder){.low.det = LOW_DET, .high.det = HIGH_DET};
}

static unsigned int quantize_low(const struct g722_band *low, int32_t signal)
{
    const int32_t error = saturate(signal - low->s);
    const int32_t beyond = ((error >= 0 ? error : -(error + 1)) + 1) << 12;
    int below = 0; /* levels after the first that the signal passes; without branches, for nothing foretells them */

    for (int step = 16; step > 0; step /= 2)
        below += (int64_t)Q6[below + step] * low->det < beyond ? step : 0;
    return error < 0 ? ILN[below + 1] : ILP[below + 1];
}

static unsigned int quantize_high(const struct g722_band *high, int32_t signal)
{
    const int32_t error = saturate(signal - high->s);
    const int32_t magnitude = error >= 0 ? error : -(error + 1);
    const unsigned int outer = magnitude >= (HIGH_DECISION * high->det) >> 12;

    return error < 0 ? 1 - outer : 3 - outer;
}

static void encode_chunk(struct g722_encoder *encoder, const int16_t *samples, size_t count, uint8_t *octets)
{
    struct parities x;

    parities_begin(&x, encoder->history);
    for (size_t i = 0; i < count; i++) {
        x.even[PARITY_HISTORY + i] = samples[2 * i];
        x.odd[PARITY_HISTORY + i] = samples[2 * i + 1];
    }
    for (size_t i = 0; i < count; i++) {
        const int32_t even = qmf(x.even + i, QMF_EVEN), odd = qmf(x.odd + i, QMF_ODD);
        const unsigned int low = quantize_low(&encoder->low, (odd + even) >> 14);
        const unsigned int high = quantize_high(&encoder->high, (odd - even) >> 14);

        octets[i] = (uint8_t)(high << 6 | low);
        low_takes(&encoder->low, low);
        high_takes(&encoder->high, high);
    }
    parities_end(&x, count, encoder->history);
}

void g722_encode(struct g722_encoder *encoder, const int16_t *samples, size_t octets_count, uint8_t *octets)
{
    for (size_t done = 0; done < octets_count; done += CHUNK_OCTETS) {
        const size_t rest = octets_count - done;

        encode_chunk(encoder, samples + 2 * done, rest < CHUNK_OCTETS ? rest : CHUNK_OCTETS, octets + done);
    }
}
