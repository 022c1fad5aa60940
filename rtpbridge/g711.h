#pragma once
/*
 * G.711: one linear sample of 16 bits to its PCMU or PCMA octet (ITU-T G.711, tables 1 and 2), and an octet of either
 * law to the octet of the other that holds its sample.
 */

#include <stdint.h>

uint8_t g711_encode_pcmu(int16_t sample);
uint8_t g711_encode_pcma(int16_t sample);

uint8_t g711_pcmu_to_pcma(uint8_t octet);
uint8_t g711_pcma_to_pcmu(uint8_t octet);
