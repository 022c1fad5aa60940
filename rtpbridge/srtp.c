#include "srtp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "rtp.h"

#define INDEX_BITS 48
#define RTCP_HEADER_BYTES 8
#define RTCP_INDEX_BYTES 4
#define RTCP_ENCRYPTED 0x80000000u
#define ROLLOVER_BITS 16

_Static_assert(SRTP_GROWTH_BYTES_MAX == TRANSFORM_TAG_BYTES_MAX + RTCP_INDEX_BYTES + SRTP_MKI_BYTES_MAX, "the most it can be");

static bool key_is_sound(const struct srtp_key *key)
{
    return (unsigned int)key->suite <= SRTP_AEAD_AES_256_GCM && key->mki_bytes <= SRTP_MKI_BYTES_MAX;
}

static bool key_equal(const struct srtp_key *a, const struct srtp_key *b)
{
    return a->suite == b->suite && a->mki_bytes == b->mki_bytes && memcmp(a->mki, b->mki, a->mki_bytes) == 0 &&
           CRYPTO_memcmp(a->master_key, b->master_key, transform_key_bytes(a->suite)) == 0 &&
           CRYPTO_memcmp(a->master_salt, b->master_salt, transform_salt_bytes(a->suite)) == 0;
}

static void keyed_close(struct srtp_keyed *keyed)
{
    transform_close(&keyed->rtp);
    transform_close(&keyed->rtcp);
    OPENSSL_cleanse(keyed, sizeof *keyed);
}

static int keyed_open(struct srtp_keyed *keyed, const struct srtp_key *key, bool sends, const struct session_keys *rtp,
                      const struct session_keys *rtcp)
{
    int error;

    *keyed = (struct srtp_keyed){.key = *key};
    error = transform_open(&keyed->rtp, key->suite, TRANSFORM_FOR_RTP, sends, rtp);
    if (error == 0)
        error = transform_open(&keyed->rtcp, key->suite, TRANSFORM_FOR_RTCP, sends, rtcp);
    if (error != 0)
        keyed_close(keyed);
    return error;
}

static int keyed_derive(struct srtp_keyed *keyed, const struct srtp_key *key, bool sends)
{
    struct session_keys rtp, rtcp;
    int error = key_is_sound(key) ? 0 : EINVAL;

    if (error == 0)
        error = transform_derive(&rtp, key, TRANSFORM_FOR_RTP);
    if (error == 0)
        error = transform_derive(&rtcp, key, TRANSFORM_FOR_RTCP);
    if (error == 0)
        error = keyed_open(keyed, key, sends, &rtp, &rtcp);
    OPENSSL_cleanse(&rtp, sizeof rtp);
    OPENSSL_cleanse(&rtcp, sizeof rtcp);
    return error;
}

int srtp_open(struct srtp **srtp, const struct srtp_key *key, bool sends, uint32_t rollovers_max)
{
    struct srtp *opened = calloc(1, sizeof *opened);
    int error = opened == NULL ? ENOMEM : keyed_derive(&opened->present, key, sends);

    if (error == 0) {
        opened->sends = sends;
        opened->rollovers_max = rollovers_max;
        *srtp = opened;
    } else {
        free(opened);
    }
    return error;
}

int srtp_open_derived(struct srtp **srtp, const struct srtp_key *key, bool sends, const struct session_keys *rtp,
                      const struct session_keys *rtcp)
{
    struct srtp *opened = calloc(1, sizeof *opened);
    int error = opened == NULL ? ENOMEM : keyed_open(&opened->present, key, sends, rtp, rtcp);

    if (error == 0) {
        opened->sends = sends;
        *srtp = opened;
    } else {
        free(opened);
    }
    return error;
}

void srtp_close(struct srtp *srtp)
{
    if (srtp == NULL)
        return;
    keyed_close(&srtp->present);
    keyed_close(&srtp->former);
    OPENSSL_cleanse(srtp, sizeof *srtp);
    free(srtp);
}

void srtp_rekey(struct srtp *srtp, struct srtp *fresh)
{
    const struct srtp_keyed leaving = srtp->sends ? srtp->present : srtp->former;

    if (key_equal(&fresh->present.key, &srtp->present.key))
        return;
    if (!srtp->sends)
        srtp->former = srtp->present;
    srtp->has_former = !srtp->sends;
    srtp->present = fresh->present;
    fresh->present = leaving;
    for (size_t i = 0; i < SRTP_STREAMS_MAX; i++)
        srtp->streams[i].rtp.confirmed = srtp->streams[i].rtcp.confirmed = false;
}

static struct srtp_stream *stream_find(struct srtp *srtp, uint32_t ssrc)
{
    for (size_t i = 0; i < SRTP_STREAMS_MAX; i++)
        if (srtp->streams[i].begun && srtp->streams[i].ssrc == ssrc)
            return &srtp->streams[i];
    return NULL;
}

static struct srtp_stream *stream_take(struct srtp *srtp, uint32_t ssrc)
{
    struct srtp_stream *stream = stream_find(srtp, ssrc);

    if (stream == NULL) {
        stream = &srtp->streams[0];
        for (size_t i = 1; i < SRTP_STREAMS_MAX; i++)
            if (srtp->streams[i].used < stream->used)
                stream = &srtp->streams[i];
        *stream = (struct srtp_stream){.begun = true, .ssrc = ssrc};
    }
    stream->used = ++srtp->uses;
    return stream;
}

static bool window_has(const struct srtp_window *window, uint64_t index)
{
    const uint64_t behind = window->highest - index;

    if (!window->begun || index > window->highest)
        return false;
    return behind >= SRTP_REPLAY_PACKETS || (window->seen[behind / 64] >> (behind % 64) & 1) != 0;
}

static void window_note(struct srtp_window *window, uint64_t index)
{
    if (!window->begun || index > window->highest) {
        const uint64_t ahead = window->begun ? index - window->highest : SRTP_REPLAY_PACKETS;

        if (ahead >= SRTP_REPLAY_PACKETS) {
            memset(window->seen, 0, sizeof window->seen);
        } else if (ahead >= 64) {
            window->seen[1] = window->seen[0] << (ahead - 64);
            window->seen[0] = 0;
        } else {
            window->seen[1] = window->seen[1] << ahead | window->seen[0] >> (64 - ahead);
            window->seen[0] <<= ahead;
        }
        window->highest = index;
        window->begun = true;
    }
    window->seen[(window->highest - index) / 64] |= (uint64_t)1 << ((window->highest - index) % 64);
}

/* The number nearest to the highest so far that ends in those 16 bits (RFC 3711, 3.3.1); false: it would be below 0. */
static bool index_estimate(const struct srtp_window *window, uint16_t sequence, uint64_t *index)
{
    const int16_t step = (int16_t)(sequence - (uint16_t)window->highest);

    *index = window->begun ? window->highest + (uint64_t)(int64_t)step : sequence;
    return *index >> INDEX_BITS == 0;
}

int srtp_rtp_protect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes, size_t room_bytes)
{
    const struct srtp_key *const key = &srtp->present.key;
    const size_t tag_bytes = transform_tag_bytes(key->suite, TRANSFORM_FOR_RTP);
    struct transform_packet sealed = {.octets = packet, .bytes = *packet_bytes};
    struct rtp_header header;
    struct srtp_stream *stream;
    uint8_t *tag, *mki;
    int error;

    if (rtp_read(&header, packet, *packet_bytes) != 0)
        return EBADMSG;
    if (*packet_bytes > TRANSFORM_PACKET_BYTES_MAX || *packet_bytes + tag_bytes + key->mki_bytes > room_bytes)
        return EMSGSIZE;
    stream = stream_take(srtp, header.ssrc);
    if (!index_estimate(&stream->rtp, header.sequence, &sealed.index))
        return stream->rtp.highest >> ROLLOVER_BITS == 0 ? EALREADY : EKEYEXPIRED;
    if (window_has(&stream->rtp, sealed.index))
        return EALREADY;
    sealed.header_bytes = header.payload_begin;
    sealed.ssrc = header.ssrc;
    bytes_write_32(sealed.trailer, (uint32_t)(sealed.index >> ROLLOVER_BITS));
    /* A tag of GCM belongs to the ciphertext, one of HMAC comes last (RFC 7714, 13.2; RFC 3711, 3.1). */
    tag = packet + *packet_bytes + (transform_is_aead(key->suite) ? 0 : key->mki_bytes);
    mki = packet + *packet_bytes + (transform_is_aead(key->suite) ? tag_bytes : 0);
    error = transform_seal(&srtp->present.rtp, &sealed, tag);
    if (error != 0)
        return error;
    memcpy(mki, key->mki, key->mki_bytes);
    window_note(&stream->rtp, sealed.index);
    *packet_bytes += tag_bytes + key->mki_bytes;
    return 0;
}

int srtp_rtcp_protect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes, size_t room_bytes)
{
    const struct srtp_key *const key = &srtp->present.key;
    const bool aead = transform_is_aead(key->suite);
    const size_t tag_bytes = transform_tag_bytes(key->suite, TRANSFORM_FOR_RTCP);
    const size_t growth = RTCP_INDEX_BYTES + tag_bytes + key->mki_bytes;
    struct transform_packet sealed = {.octets = packet, .header_bytes = RTCP_HEADER_BYTES, .bytes = *packet_bytes};
    uint8_t *const end = packet + *packet_bytes;
    struct srtp_stream *stream;
    int error;

    if (*packet_bytes < RTCP_HEADER_BYTES)
        return EBADMSG;
    if (*packet_bytes > TRANSFORM_PACKET_BYTES_MAX || *packet_bytes + growth > room_bytes)
        return EMSGSIZE;
    sealed.ssrc = bytes_read_32(packet + 4);
    stream = stream_take(srtp, sealed.ssrc);
    if (stream->rtcp_index == RTCP_ENCRYPTED - 1)
        return EKEYEXPIRED;
    sealed.index = stream->rtcp_index + 1;
    bytes_write_32(sealed.trailer, RTCP_ENCRYPTED | (uint32_t)sealed.index);
    /* ciphertext, tag, index, MKI of GCM (RFC 7714, 9.2); ciphertext, index, MKI, tag of HMAC (RFC 3711, 3.4) */
    error = transform_seal(&srtp->present.rtcp, &sealed, aead ? end : end + RTCP_INDEX_BYTES + key->mki_bytes);
    if (error != 0)
        return error;
    memcpy(end + (aead ? tag_bytes : 0), sealed.trailer, RTCP_INDEX_BYTES);
    memcpy(end + (aead ? tag_bytes : 0) + RTCP_INDEX_BYTES, key->mki, key->mki_bytes);
    stream->rtcp_index++;
    *packet_bytes += growth;
    return 0;
}

/* What is readable of a packet; its padding, where there is some, is encrypted: the length of it cannot be read before. */
static bool read_clear(struct transform_packet *sealed, size_t packet_bytes)
{
    const uint8_t *const octets = sealed->octets;
    size_t begin = RTP_HEADER_BYTES;

    if (packet_bytes > TRANSFORM_PACKET_BYTES_MAX || packet_bytes < begin || octets[0] >> 6 != 2)
        return false;
    begin += 4u * (octets[0] & 0x0f);
    if ((octets[0] & 0x10) != 0) {
        if (packet_bytes < begin + 4)
            return false;
        begin += 4 + 4u * bytes_read_16(octets + begin + 2);
    }
    sealed->header_bytes = begin;
    sealed->ssrc = bytes_read_32(octets + 8);
    return packet_bytes >= begin;
}

/* Opens one packet under one key with one number. */
static int try_rtp(struct srtp_keyed *keyed, struct transform_packet *sealed, size_t packet_bytes)
{
    const struct srtp_key *const key = &keyed->key;
    const size_t tag_bytes = transform_tag_bytes(key->suite, TRANSFORM_FOR_RTP);
    const uint8_t *tag, *mki;

    if (packet_bytes < sealed->header_bytes + tag_bytes + key->mki_bytes)
        return EBADMSG;
    sealed->bytes = packet_bytes - tag_bytes - key->mki_bytes;
    tag = sealed->octets + sealed->bytes + (transform_is_aead(key->suite) ? 0 : key->mki_bytes);
    mki = sealed->octets + sealed->bytes + (transform_is_aead(key->suite) ? tag_bytes : 0);
    if (memcmp(mki, key->mki, key->mki_bytes) != 0)
        return EBADMSG;
    bytes_write_32(sealed->trailer, (uint32_t)(sealed->index >> ROLLOVER_BITS));
    return transform_unseal(&keyed->rtp, sealed, tag);
}

/*
 * Until a packet under the present key has come, the far side may have gone on counting with the new key or begun anew,
 * or may still use the former one; where we came late, its count may have wrapped before.
 */
static int find_rtp(struct srtp *srtp, const struct srtp_window *window, struct transform_packet *sealed,
                    uint16_t sequence, size_t packet_bytes, bool *by_former)
{
    uint64_t likely;
    const bool possible = index_estimate(window, sequence, &likely);
    int error = EBADMSG;

    *by_former = false;
    sealed->index = likely;
    if (window->confirmed && (!possible || window_has(window, likely)))
        return EALREADY;
    if (possible)
        error = try_rtp(&srtp->present, sealed, packet_bytes);
    for (uint64_t rollover = 0; error != 0 && !window->confirmed && rollover <= srtp->rollovers_max; rollover++) {
        sealed->index = rollover << ROLLOVER_BITS | sequence;
        if (sealed->index != likely)
            error = try_rtp(&srtp->present, sealed, packet_bytes);
    }
    if (error != 0 && !window->confirmed && srtp->has_former && possible) {
        sealed->index = likely;
        error = window_has(window, likely) ? EALREADY : try_rtp(&srtp->former, sealed, packet_bytes);
        *by_former = error == 0;
    }
    return error;
}

/* Under a key that is new to it a stream has no past; the former key goes once no stream can need it. */
static void note(struct srtp *srtp, struct srtp_window *window, uint64_t index, bool by_former)
{
    bool all = true;

    if (!by_former && !window->confirmed)
        *window = (struct srtp_window){.confirmed = true};
    window_note(window, index);
    if (by_former || !srtp->has_former)
        return;
    for (size_t i = 0; i < SRTP_STREAMS_MAX; i++)
        all = all && (!srtp->streams[i].begun || srtp->streams[i].rtp.confirmed);
    if (all) {
        keyed_close(&srtp->former);
        srtp->has_former = false;
    }
}

int srtp_rtp_unprotect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes)
{
    static const struct srtp_window unknown;
    struct transform_packet sealed = {.octets = packet};
    const struct srtp_stream *stream;
    bool by_former;
    int error;

    if (!read_clear(&sealed, *packet_bytes))
        return EBADMSG;
    stream = stream_find(srtp, sealed.ssrc);
    error = find_rtp(srtp, stream != NULL ? &stream->rtp : &unknown, &sealed, bytes_read_16(packet + 2), *packet_bytes,
                     &by_former);
    if (error != 0)
        return error;
    note(srtp, &stream_take(srtp, sealed.ssrc)->rtp, sealed.index, by_former);
    *packet_bytes = sealed.bytes;
    return 0;
}

static int try_rtcp(struct srtp_keyed *keyed, const struct srtp_window *past, struct transform_packet *sealed,
                    size_t packet_bytes)
{
    const struct srtp_key *const key = &keyed->key;
    const bool aead = transform_is_aead(key->suite);
    const size_t tag_bytes = transform_tag_bytes(key->suite, TRANSFORM_FOR_RTCP);
    const uint8_t *tag, *index;

    if (packet_bytes < RTCP_HEADER_BYTES + RTCP_INDEX_BYTES + tag_bytes + key->mki_bytes)
        return EBADMSG;
    sealed->bytes = packet_bytes - RTCP_INDEX_BYTES - tag_bytes - key->mki_bytes;
    index = sealed->octets + sealed->bytes + (aead ? tag_bytes : 0);
    tag = sealed->octets + sealed->bytes + (aead ? 0 : RTCP_INDEX_BYTES + key->mki_bytes);
    if (memcmp(index + RTCP_INDEX_BYTES, key->mki, key->mki_bytes) != 0)
        return EBADMSG;
    memcpy(sealed->trailer, index, sizeof sealed->trailer);
    sealed->index = bytes_read_32(index) & (RTCP_ENCRYPTED - 1);
    sealed->plain = (bytes_read_32(index) & RTCP_ENCRYPTED) == 0;
    if (past != NULL && window_has(past, sealed->index))
        return EALREADY;
    return transform_unseal(&keyed->rtcp, sealed, tag);
}

int srtp_rtcp_unprotect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes)
{
    static const struct srtp_window unknown;
    struct transform_packet sealed = {.octets = packet, .header_bytes = RTCP_HEADER_BYTES};
    const struct srtp_stream *stream;
    const struct srtp_window *window;
    bool by_former = false;
    int error;

    if (*packet_bytes > TRANSFORM_PACKET_BYTES_MAX || *packet_bytes < RTCP_HEADER_BYTES)
        return EBADMSG;
    sealed.ssrc = bytes_read_32(packet + 4);
    stream = stream_find(srtp, sealed.ssrc);
    window = stream != NULL ? &stream->rtcp : &unknown;
    error = try_rtcp(&srtp->present, window->confirmed ? window : NULL, &sealed, *packet_bytes);
    if (error == EBADMSG && !window->confirmed && srtp->has_former) {
        error = try_rtcp(&srtp->former, window, &sealed, *packet_bytes);
        by_former = error == 0;
    }
    if (error != 0)
        return error;
    note(srtp, &stream_take(srtp, sealed.ssrc)->rtcp, sealed.index, by_former);
    *packet_bytes = sealed.bytes;
    return 0;
}
