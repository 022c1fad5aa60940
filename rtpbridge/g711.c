#include "g711.h"

#define PCMU_BIAS 132   /* of 16 bits: moves the segment ends to powers of two */
#define PCMU_MAX 32635
#define SIGN 0x80

/* The place of the highest bit set; number is not 0. */
static int highest_bit(unsigned int number)
{
    return 31 - __builtin_clz(number);
}

uint8_t g711_encode_pcmu(int16_t sample)
{
    unsigned int magnitude = (unsigned int)(sample < 0 ? -sample : sample);
    unsigned int segment, step;

    if (magnitude > PCMU_MAX)
        magnitude = PCMU_MAX;
    magnitude += PCMU_BIAS;
    segment = (unsigned int)highest_bit(magnitude) - 7;
    step = magnitude >> (segment + 3) & 0x0f;
    return (uint8_t)~((sample < 0 ? SIGN : 0) | segment << 4 | step);
}

uint8_t g711_encode_pcma(int16_t sample)
{
    /* -1 and 0 lie on both sides of the decision value 0: the complement, not the negative, is the magnitude. */
    const unsigned int magnitude = (unsigned int)(sample < 0 ? ~sample : sample) >> 4;
    const unsigned int segment = magnitude < 32 ? magnitude >> 4 : (unsigned int)highest_bit(magnitude) - 3;
    const unsigned int step = (segment > 1 ? magnitude >> (segment - 1) : magnitude) & 0x0f;

    return (uint8_t)(((sample < 0 ? 0 : SIGN) | segment << 4 | step) ^ 0x55);
}

uint8_t g711_pcmu_to_pcma(uint8_t octet)
{
    const unsigned int coded = (uint8_t)~octet;
    const int magnitude = (int)((((coded & 0x0f) << 3) + PCMU_BIAS) << (coded >> 4 & 0x07)) - PCMU_BIAS;

    return g711_encode_pcma((int16_t)((coded & SIGN) != 0 ? -magnitude : magnitude));
}

uint8_t g711_pcma_to_pcmu(uint8_t octet)
{
    const unsigned int coded = octet ^ 0x55;
    const unsigned int segment = coded >> 4 & 0x07;
    const unsigned int middle = (coded & 0x0f) << 4 | 0x08; /* of its step */
    const int magnitude = (int)(segment == 0 ? middle : (middle | 0x100) << (segment - 1));

    return g711_encode_pcmu((int16_t)((coded & SIGN) != 0 ? magnitude : -magnitude));
}
