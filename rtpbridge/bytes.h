#pragma once
/* Numbers of 16 and 32 bits in network order, wherever they lie in a packet. */

#include <stdint.h>

static inline uint16_t bytes_read_16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t bytes_read_32(const uint8_t *at)
{
    return (uint32_t)bytes_read_16(at) << 16 | bytes_read_16(at + 2);
}

static inline void bytes_write_16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static inline void bytes_write_32(uint8_t *at, uint32_t number)
{
    bytes_write_16(at, (uint16_t)(number >> 16));
    bytes_write_16(at + 2, (uint16_t)number);
}
