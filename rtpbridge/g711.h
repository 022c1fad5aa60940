#pragma once
/*
 * G.711: one linear sample of 16 bits to its PCMU or PCMA octet and back (ITU-T G.711, tables 1 and 2), and octets of either
 * law, in place, to those of the other that hold their samples.
 */

#include <stddef.h>
#include <stdint.h>

uint8_t g711_encode_pcmu(int16_t sample);
uint8_t g711_encode_pcma(int16_t sample);
int16_t g711_decode_pcmu(uint8_t octet);
int16_t g711_decode_pcma(uint8_t octet);

void g711_pcmu_to_pcma(uint8_t *octets, size_t octets_count);
void g711_pcma_to_pcmu(uint8_t *octets, size_t octets_count);
