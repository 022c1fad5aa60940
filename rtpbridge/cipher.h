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

#define CIPHER_AUTH_KEY_BYTES 20
#define CIPHER_TAG_BYTES_MAX 16
#define CIPHER_TRAILER_BYTES 4
#define CIPHER_PACKET_BYTES_MAX 1500

/* The labels of the first of three keys: cipher, authentication, salt follow one another (RFC 3711, 4.3.1, 4.3.2). */
enum cipher_purpose { CIPHER_FOR_RTP = 0, CIPHER_FOR_RTCP = 3 };

struct session_keys {
    uint8_t key[SRTP_KEY_BYTES_MAX];
    uint8_t salt[SRTP_SALT_BYTES_MAX];
    uint8_t auth[CIPHER_AUTH_KEY_BYTES]; /* of HMAC-SHA1 alone */
};

struct cipher {
    enum srtp_suite suite;
    enum cipher_purpose purpose;
    bool seals;
    uint8_t salt[SRTP_SALT_BYTES_MAX];
    EVP_CIPHER_CTX *stream;
    EVP_MD_CTX *inner;         /* SHA-1 of the padded key, to begin from; NULL with GCM */
    EVP_MD_CTX *outer;
    EVP_MD_CTX *digest;        /* the one at work */
};

/* One packet as a transform sees it: header, then what is encrypted, then the trailer, which is authenticated too. */
struct cipher_packet {
    uint8_t *octets;
    size_t header_bytes;       /* stays readable */
    size_t bytes;              /* header and what is encrypted; the tag is not among them */
    uint32_t ssrc;
    uint64_t index;            /* 48 bits of RTP, 31 of RTCP */
    uint8_t trailer[CIPHER_TRAILER_BYTES]; /* the rollover counter of RTP, E flag and index of RTCP */
    bool plain;                /* authenticated only: RTCP without its E flag */
};

size_t cipher_key_bytes(enum srtp_suite suite);
size_t cipher_salt_bytes(enum srtp_suite suite);
/* Of RTP; RTCP has 10 with either HMAC suite (RFC 4568, 6.2.2). */
size_t cipher_tag_bytes(enum srtp_suite suite, enum cipher_purpose purpose);
bool cipher_is_aead(enum srtp_suite suite);

/* ENOMEM, or EIO when OpenSSL refuses. */
int cipher_derive(struct session_keys *keys, const struct srtp_key *master, enum cipher_purpose purpose);
/* A cipher that seals cannot unseal, nor the other way round. It is closed after an error too. */
int cipher_open(struct cipher *cipher, enum srtp_suite suite, enum cipher_purpose purpose, bool seals,
                const struct session_keys *keys);
void cipher_close(struct cipher *cipher);
/* Encrypts in place and writes the tag. EIO: OpenSSL refused. */
int cipher_seal(struct cipher *cipher, const struct cipher_packet *packet, uint8_t *tag);
/* EBADMSG: the tag is wrong, and the packet is as it was. */
int cipher_unseal(struct cipher *cipher, const struct cipher_packet *packet, const uint8_t *tag);
