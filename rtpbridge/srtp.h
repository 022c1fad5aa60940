#pragma once
/*
 * SRTP and SRTCP (RFC 3711, RFC 7714) of one direction of one leg, keyed by SDES (RFC 4568): which number a packet has,
 * whether it was seen before, where tag and MKI lie. The key derivation rate is 0. A packet changes nothing before its tag was
 * found right. Pure: no socket, no clock; the transforms are transform.c's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transform.h"
#include "face.h"

#define SRTP_STREAMS_MAX 8    /* SSRCs that one key knows at once; the one longest unused gives way */
#define SRTP_REPLAY_PACKETS 128
/* What protecting adds at most: tag, E flag and index of RTCP, MKI. */
#define SRTP_GROWTH_BYTES_MAX 36

/* The numbers seen: a bit for each of the last SRTP_REPLAY_PACKETS, the lowest bit for the highest number. */
struct srtp_window {
    bool begun;
    bool confirmed;           /* a packet under the present key has come */
    uint64_t highest;
    uint64_t seen[SRTP_REPLAY_PACKETS / 64];
};

struct srtp_stream {
    bool begun;
    uint32_t ssrc;
    uint64_t used;
    uint32_t rtcp_index;      /* the last one sent */
    struct srtp_window rtp;
    struct srtp_window rtcp;
};

struct srtp_keyed {
    struct srtp_key key;
    struct transform rtp;
    struct transform rtcp;
};

struct srtp {
    bool sends;
    uint32_t rollovers_max;
    bool has_former;
    struct srtp_keyed present;
    struct srtp_keyed former; /* of a receiver, until a packet under the present key has come */
    struct srtp_stream streams[SRTP_STREAMS_MAX];
    uint64_t uses;
};

/*
 * `rollovers_max` is of a receiver that takes up a call another process began: how often the 16 bits may have wrapped before
 * the first packet that it sees. EINVAL: a suite or MKI out of its limits; ENOMEM; EIO: OpenSSL refused. The caller frees the
 * context with srtp_close().
 */
int srtp_open(struct srtp **srtp, const struct srtp_key *key, bool sends, uint32_t rollovers_max);
/* NULL is no fault. Keys are wiped. */
void srtp_close(struct srtp *srtp);
/*
 * The key of a context just opened for the same direction from now on; the same key changes nothing. Rollover counters go on
 * (RFC 3711, 3.3.1). What is needed no more is left in `fresh`, which the caller closes.
 */
void srtp_rekey(struct srtp *srtp, struct srtp *fresh);
/* The same, from session keys that are derived already. */
int srtp_open_derived(struct srtp **srtp, const struct srtp_key *key, bool sends, const struct session_keys *rtp,
                      const struct session_keys *rtcp);

/*
 * In place; packet_bytes grows by at most SRTP_GROWTH_BYTES_MAX and not beyond room_bytes (EMSGSIZE). EBADMSG: no RTP;
 * EALREADY: its number was sent already, and the keystream is never used twice; EKEYEXPIRED: the key is used up.
 */
int srtp_rtp_protect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes, size_t room_bytes);
int srtp_rtcp_protect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes, size_t room_bytes);
/* In place. EBADMSG: too short, of another MKI, or the tag is wrong; EALREADY: seen before, or too old to know. */
int srtp_rtp_unprotect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes);
int srtp_rtcp_unprotect(struct srtp *srtp, uint8_t *packet, size_t *packet_bytes);
