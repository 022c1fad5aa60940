#pragma once
/*
 * The transforms of SRTP over OpenSSL: keys derived from a master key (RFC 3711, 4.3), AES in counter mode with HMAC-SHA1
 * (RFC 3711, 4.1, 4.2) and AES in Galois counter mode (RFC 7714). Contexts are made once a key: a packet costs no
 * allocation of ours and no key schedule. What is in a packet, and which number it has, is srtp.c's.
 */

#if defined(__has_include) && !__has_include(<openssl/evp.h>)
#error "SRTP needs OpenSSL's headers: install libssl-dev (Debian, Ubuntu) or openssl-devel (Fedora) and build again."
#endif
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "face.h"

#define TRANSFORM_AUTH_KEY_BYTES 20
#define TRANSFORM_TAG_BYTES_MAX 16
#define TRANSFORM_TRAILER_BYTES 4
#define TRANSFORM_PACKET_BYTES_MAX 1500

/* The labels of the first of three keys: cipher, authentication, salt follow one another (RFC 3711, 4.3.1, 4.3.2). */
enum transform_purpose { TRANSFORM_FOR_RTP = 0, TRANSFORM_FOR_RTCP = 3 };

struct session_keys {
    uint8_t key[SRTP_KEY_BYTES_MAX];
    uint8_t salt[SRTP_SALT_BYTES_MAX];
    uint8_t auth[TRANSFORM_AUTH_KEY_BYTES]; /* of HMAC-SHA1 alone */
};

struct transform {
    enum srtp_suite suite;
    enum transform_purpose purpose;
    bool seals;
    uint8_t salt[SRTP_SALT_BYTES_MAX];
    EVP_CIPHER_CTX *stream;
    EVP_MD_CTX *inner;         /* SHA-1 of the padded key, to begin from; NULL with GCM */
    EVP_MD_CTX *outer;
    EVP_MD_CTX *digest;        /* the one at work */
};

/* One packet as a transform sees it: header, then what is encrypted, then the trailer, which is authenticated too. */
struct transform_packet {
    uint8_t *octets;
    size_t header_bytes;       /* stays readable */
    size_t bytes;              /* header and what is encrypted; the tag is not among them */
    uint32_t ssrc;
    uint64_t index;            /* 48 bits of RTP, 31 of RTCP */
    uint8_t trailer[TRANSFORM_TRAILER_BYTES]; /* the rollover counter of RTP, E flag and index of RTCP */
    bool plain;                /* authenticated only: RTCP without its E flag */
};

size_t transform_key_bytes(enum srtp_suite suite);
size_t transform_salt_bytes(enum srtp_suite suite);
/* Of RTP; RTCP has 10 with either HMAC suite (RFC 4568, 6.2.2). */
size_t transform_tag_bytes(enum srtp_suite suite, enum transform_purpose purpose);
bool transform_is_aead(enum srtp_suite suite);

/* ENOMEM, or EIO when OpenSSL refuses. */
int transform_derive(struct session_keys *keys, const struct srtp_key *master, enum transform_purpose purpose);
/* A transform that seals cannot unseal, nor the other way round. It is closed after an error too. */
int transform_open(struct transform *transform, enum srtp_suite suite, enum transform_purpose purpose, bool seals,
                const struct session_keys *keys);
void transform_close(struct transform *transform);
/* Encrypts in place and writes the tag. EIO: OpenSSL refused. */
int transform_seal(struct transform *transform, const struct transform_packet *packet, uint8_t *tag);
/* EBADMSG: the tag is wrong, and the packet is as it was. */
int transform_unseal(struct transform *transform, const struct transform_packet *packet, const uint8_t *tag);
