#include "transform.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "bytes.h"

#define BLOCK_BYTES 16
#define SHA1_BYTES 20
#define SHA1_BLOCK_BYTES 64
#define GCM_NONCE_BYTES 12

static const struct {
    size_t key_bytes;
    size_t salt_bytes;
    size_t tag_bytes[2]; /* of RTP, of RTCP */
    bool aead;
} SUITES[] = {
    [SRTP_AES_CM_128_HMAC_SHA1_80] = {16, 14, {10, 10}, false},
    [SRTP_AES_CM_128_HMAC_SHA1_32] = {16, 14, {4, 10}, false},
    [SRTP_AEAD_AES_128_GCM] = {16, 12, {16, 16}, true},
    [SRTP_AEAD_AES_256_GCM] = {32, 12, {16, 16}, true},
};

size_t transform_key_bytes(enum srtp_suite suite)
{
    return SUITES[suite].key_bytes;
}

size_t transform_salt_bytes(enum srtp_suite suite)
{
    return SUITES[suite].salt_bytes;
}

size_t transform_tag_bytes(enum srtp_suite suite, enum transform_purpose purpose)
{
    return SUITES[suite].tag_bytes[purpose == TRANSFORM_FOR_RTCP];
}

bool transform_is_aead(enum srtp_suite suite)
{
    return SUITES[suite].aead;
}

static const EVP_CIPHER *counter_mode(enum srtp_suite suite)
{
    return SUITES[suite].key_bytes == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
}

static const EVP_CIPHER *galois_mode(enum srtp_suite suite)
{
    return SUITES[suite].key_bytes == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
}

/* The keystream under the master key that begins at its salt with the label in octet 7 (RFC 3711, 4.3.1 and 4.3.3). */
static int derive_one(EVP_CIPHER_CTX *stream, const struct srtp_key *master, unsigned int label, uint8_t *out,
                      size_t bytes)
{
    static const uint8_t zeros[SRTP_KEY_BYTES_MAX];
    uint8_t counter[BLOCK_BYTES] = {0};
    int written;

    /* The 12 octets of a GCM salt are the first of the 14, zeros the others (RFC 7714, 11). */
    memcpy(counter, master->master_salt, SUITES[master->suite].salt_bytes);
    counter[7] ^= (uint8_t)label;
    return EVP_EncryptInit_ex(stream, NULL, NULL, NULL, counter) == 1 &&
                   EVP_EncryptUpdate(stream, out, &written, zeros, (int)bytes) == 1
               ? 0
               : EIO;
}

int transform_derive(struct session_keys *keys, const struct srtp_key *master, enum transform_purpose purpose)
{
    EVP_CIPHER_CTX *const stream = EVP_CIPHER_CTX_new();
    int error = ENOMEM;

    if (stream == NULL)
        goto out;
    error = EVP_EncryptInit_ex(stream, counter_mode(master->suite), NULL, master->master_key, NULL) == 1 ? 0 : EIO;
    if (error == 0)
        error = derive_one(stream, master, purpose, keys->key, SUITES[master->suite].key_bytes);
    if (error == 0)
        error = derive_one(stream, master, purpose + 1u, keys->auth, sizeof keys->auth);
    if (error == 0)
        error = derive_one(stream, master, purpose + 2u, keys->salt, SUITES[master->suite].salt_bytes);
out:
    EVP_CIPHER_CTX_free(stream);
    return error;
}

/* A digest that has taken in the key, padded as HMAC wants it (RFC 2104): from here every packet begins. */
static int begin_digest(EVP_MD_CTX **digest, const uint8_t key[TRANSFORM_AUTH_KEY_BYTES], uint8_t pad)
{
    uint8_t block[SHA1_BLOCK_BYTES];
    int error = ENOMEM;

    memset(block, pad, sizeof block);
    for (size_t i = 0; i < TRANSFORM_AUTH_KEY_BYTES; i++)
        block[i] ^= key[i];
    *digest = EVP_MD_CTX_new();
    if (*digest != NULL)
        error = EVP_DigestInit_ex(*digest, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(*digest, block, sizeof block) == 1
                    ? 0
                    : EIO;
    OPENSSL_cleanse(block, sizeof block);
    return error;
}

static int open_digests(struct transform *transform, const struct session_keys *keys)
{
    int error = begin_digest(&transform->inner, keys->auth, 0x36);

    if (error == 0)
        error = begin_digest(&transform->outer, keys->auth, 0x5c);
    if (error == 0 && (transform->digest = EVP_MD_CTX_new()) == NULL)
        error = ENOMEM;
    if (error == 0 && EVP_MD_CTX_copy_ex(transform->digest, transform->inner) != 1)
        error = EIO;
    return error;
}

int transform_open(struct transform *transform, enum srtp_suite suite, enum transform_purpose purpose, bool seals,
                const struct session_keys *keys)
{
    const bool aead = SUITES[suite].aead;
    int error = 0;

    *transform = (struct transform){.suite = suite, .purpose = purpose, .seals = seals, .stream = EVP_CIPHER_CTX_new()};
    memcpy(transform->salt, keys->salt, SUITES[suite].salt_bytes);
    if (transform->stream == NULL)
        error = ENOMEM;
    /* Counter mode encrypts and decrypts alike. */
    else if (EVP_CipherInit_ex(transform->stream, aead ? galois_mode(suite) : counter_mode(suite), NULL, keys->key, NULL,
                               !aead || seals) != 1)
        error = EIO;
    if (error == 0 && !aead)
        error = open_digests(transform, keys);
    if (error != 0)
        transform_close(transform);
    return error;
}

void transform_close(struct transform *transform)
{
    EVP_CIPHER_CTX_free(transform->stream);
    EVP_MD_CTX_free(transform->inner);
    EVP_MD_CTX_free(transform->outer);
    EVP_MD_CTX_free(transform->digest);
    OPENSSL_cleanse(transform, sizeof *transform);
}

static void mix_32(uint8_t *at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        at[i] ^= (uint8_t)(number >> (24 - 8 * i));
}

static int counter_crypt(struct transform *transform, const struct transform_packet *packet)
{
    uint8_t counter[BLOCK_BYTES] = {0};
    uint8_t *const begin = packet->octets + packet->header_bytes;
    int written;

    if (packet->plain)
        return 0;
    memcpy(counter, transform->salt, SRTP_SALT_BYTES_MAX);
    mix_32(counter + 4, packet->ssrc);
    mix_32(counter + 8, (uint32_t)(packet->index >> 16));
    mix_32(counter + 10, (uint32_t)(packet->index & 0xffff));
    return EVP_EncryptInit_ex(transform->stream, NULL, NULL, NULL, counter) == 1 &&
                   EVP_EncryptUpdate(transform->stream, begin, &written, begin,
                                     (int)(packet->bytes - packet->header_bytes)) == 1
               ? 0
               : EIO;
}

static int authenticate(struct transform *transform, const struct transform_packet *packet, uint8_t code[SHA1_BYTES])
{
    return EVP_MD_CTX_copy_ex(transform->digest, transform->inner) == 1 &&
                   EVP_DigestUpdate(transform->digest, packet->octets, packet->bytes) == 1 &&
                   EVP_DigestUpdate(transform->digest, packet->trailer, sizeof packet->trailer) == 1 &&
                   EVP_DigestFinal_ex(transform->digest, code, NULL) == 1 &&
                   EVP_MD_CTX_copy_ex(transform->digest, transform->outer) == 1 &&
                   EVP_DigestUpdate(transform->digest, code, SHA1_BYTES) == 1 &&
                   EVP_DigestFinal_ex(transform->digest, code, NULL) == 1
               ? 0
               : EIO;
}

/* Sets the nonce (RFC 7714, 8.1 and 9.1) and hands in what is authenticated but not encrypted. */
static int galois_begin(struct transform *transform, const struct transform_packet *packet)
{
    uint8_t nonce[GCM_NONCE_BYTES];
    const size_t readable = packet->plain ? packet->bytes : packet->header_bytes;
    int written;

    memcpy(nonce, transform->salt, sizeof nonce);
    mix_32(nonce + 2, packet->ssrc);
    mix_32(nonce + 6, (uint32_t)(packet->index >> 16));
    mix_32(nonce + 8, (uint32_t)(packet->index & 0xffff));
    if (EVP_CipherInit_ex(transform->stream, NULL, NULL, NULL, nonce, -1) != 1 ||
        EVP_CipherUpdate(transform->stream, NULL, &written, packet->octets, (int)readable) != 1)
        return EIO;
    if (transform->purpose == TRANSFORM_FOR_RTCP &&
        EVP_CipherUpdate(transform->stream, NULL, &written, packet->trailer, sizeof packet->trailer) != 1)
        return EIO;
    return 0;
}

static int galois_seal(struct transform *transform, const struct transform_packet *packet, uint8_t *tag)
{
    uint8_t *const begin = packet->octets + packet->header_bytes;
    int written;

    if (galois_begin(transform, packet) != 0)
        return EIO;
    if (!packet->plain && EVP_EncryptUpdate(transform->stream, begin, &written, begin,
                                            (int)(packet->bytes - packet->header_bytes)) != 1)
        return EIO;
    return EVP_EncryptFinal_ex(transform->stream, tag, &written) == 1 &&
                   EVP_CIPHER_CTX_ctrl(transform->stream, EVP_CTRL_AEAD_GET_TAG, TRANSFORM_TAG_BYTES_MAX, tag) == 1
               ? 0
               : EIO;
}

/* Decrypts beside the packet, which must be whole for another try when the tag is wrong. */
static int galois_unseal(struct transform *transform, const struct transform_packet *packet, const uint8_t *tag)
{
    const size_t bytes = packet->plain ? 0 : packet->bytes - packet->header_bytes;
    uint8_t opened[TRANSFORM_PACKET_BYTES_MAX], expected[TRANSFORM_TAG_BYTES_MAX];
    int written;

    if (bytes > sizeof opened)
        return EBADMSG;
    memcpy(expected, tag, sizeof expected);
    if (galois_begin(transform, packet) != 0 ||
        EVP_DecryptUpdate(transform->stream, opened, &written, packet->octets + packet->header_bytes, (int)bytes) != 1 ||
        EVP_CIPHER_CTX_ctrl(transform->stream, EVP_CTRL_AEAD_SET_TAG, TRANSFORM_TAG_BYTES_MAX, expected) != 1)
        return EIO;
    if (EVP_DecryptFinal_ex(transform->stream, opened + bytes, &written) != 1)
        return EBADMSG;
    memcpy(packet->octets + packet->header_bytes, opened, bytes);
    return 0;
}

int transform_seal(struct transform *transform, const struct transform_packet *packet, uint8_t *tag)
{
    uint8_t code[SHA1_BYTES];
    int error;

    if (SUITES[transform->suite].aead)
        return galois_seal(transform, packet, tag);
    error = counter_crypt(transform, packet);
    if (error == 0)
        error = authenticate(transform, packet, code);
    if (error == 0)
        memcpy(tag, code, transform_tag_bytes(transform->suite, transform->purpose));
    return error;
}

int transform_unseal(struct transform *transform, const struct transform_packet *packet, const uint8_t *tag)
{
    uint8_t code[SHA1_BYTES];

    if (SUITES[transform->suite].aead)
        return galois_unseal(transform, packet, tag);
    if (authenticate(transform, packet, code) != 0)
        return EIO;
    if (CRYPTO_memcmp(code, tag, transform_tag_bytes(transform->suite, transform->purpose)) != 0)
        return EBADMSG;
    return counter_crypt(transform, packet);
}
