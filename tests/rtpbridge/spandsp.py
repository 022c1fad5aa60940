"""spandsp, the other implementation of G.722, as the tests ask it."""

from typing import Any

from cffi import FFI

ffi = FFI()
ffi.cdef("""
typedef struct g722_encode_state_s g722_encode_state_t;
typedef struct g722_decode_state_s g722_decode_state_t;
g722_encode_state_t *g722_encode_init(g722_encode_state_t *s, int rate, int options);
int g722_encode_free(g722_encode_state_t *s);
int g722_encode(g722_encode_state_t *s, uint8_t *octets, const int16_t *samples, int count);
g722_decode_state_t *g722_decode_init(g722_decode_state_t *s, int rate, int options);
int g722_decode_free(g722_decode_state_t *s);
int g722_decode(g722_decode_state_t *s, int16_t *samples, const uint8_t *octets, int count);
""")
lib: Any = ffi.dlopen("libspandsp.so.2")
BIT_S = 64_000


def g722_encode(samples: list[int]) -> bytes:
    state = ffi.gc(lib.g722_encode_init(ffi.NULL, BIT_S, 0), lib.g722_encode_free)
    octets = ffi.new("uint8_t[]", len(samples))
    count = lib.g722_encode(state, octets, ffi.new("int16_t[]", samples), len(samples))
    return bytes(ffi.buffer(octets, count))


def g722_decode(octets: bytes) -> list[int]:
    state = ffi.gc(lib.g722_decode_init(ffi.NULL, BIT_S, 0), lib.g722_decode_free)
    samples = ffi.new("int16_t[]", 2 * len(octets) + 2)
    count = lib.g722_decode(state, samples, octets, len(octets))
    return list(samples[0:count])
