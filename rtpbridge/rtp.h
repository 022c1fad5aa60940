#pragma once
/*
 * RTP (RFC 3550): the header, what a receiver learns from the sequence numbers and timestamps, and how one continuous
 * stream is sent on though its sources change. Pure: time is handed in, nothing is sent from here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTP_HEADER_BYTES 12
#define RTP_DROPOUT_MAX 3000  /* a longer jump forward is a source that began anew (RFC 3550, A.1) */
#define RTP_MISORDER_MAX 100  /* and so is a longer one back */
#define RTP_JITTER_SECONDS_MAX 1 /* more is a source that set its clock anew */
#define RTP_FRAMES_PER_SECOND 50

struct rtp_header {
    bool marker;
    uint8_t payload_type;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t ssrc;
    size_t payload_begin;     /* octets before the payload: fixed header, CSRCs, extension */
    size_t payload_bytes;     /* without padding */
};

/* True of a packet that shares the port with RTP but is RTCP (RFC 5761, 4). */
bool rtp_is_rtcp(const uint8_t *packet, size_t packet_bytes);
/* EBADMSG: not RTP of version 2, or shorter than it says. */
int rtp_read(struct rtp_header *header, const uint8_t *packet, size_t packet_bytes);
/* Writes marker, payload type, sequence, timestamp and SSRC; the first octet and all that follows stays. */
void rtp_write(uint8_t *packet, const struct rtp_header *header);

/* What is known of the stream that comes in; all zero before the first packet. */
struct rtp_receiver {
    bool begun;
    uint32_t ssrc;
    uint32_t sequence_base;
    uint16_t sequence_highest;
    uint32_t sequence_cycles; /* wraps, in units of 65536 */
    uint16_t sequence_bad;    /* the number that would confirm a jump */
    bool jumped;
    uint32_t received;
    int64_t lost_before;      /* by earlier streams of this receiver */
    uint32_t expected_reported;
    uint32_t received_reported;
    uint32_t transit;
    uint32_t timestamp_last;
    uint32_t clock_hz;
    double jitter;            /* in units of the timestamp */
};

void rtp_receiver_note(struct rtp_receiver *receiver, const struct rtp_header *header, uint32_t clock_hz,
                       int64_t now_ns);
/* Packets lost so far, streams of earlier SSRCs included; below zero when there were more duplicates than losses. */
int64_t rtp_receiver_lost(const struct rtp_receiver *receiver);
uint32_t rtp_receiver_highest(const struct rtp_receiver *receiver);
/* What was received, and sent on, of a source elsewhere since it was last seen here. */
struct rtp_progress {
    uint32_t packets;
    uint32_t numbers;         /* of sequence that it came on by, lost ones with them */
    uint16_t sequence;        /* of its newest packet, as the timestamp: the source's own */
    uint32_t timestamp;
    int64_t at_ns;            /* when that came */
    double jitter_s;
};

void rtp_receiver_merge(struct rtp_receiver *receiver, const struct rtp_progress *progress);
/* Losses since the last call in 1/256 (RFC 3550, A.3). */
uint8_t rtp_receiver_fraction_lost(struct rtp_receiver *receiver);

/* The one stream that goes out, whatever feeds it. */
struct rtp_sender {
    uint32_t ssrc;
    bool begun;
    bool following;           /* source_ssrc and the offsets are of the present source */
    uint32_t source_ssrc;
    uint16_t source_highest;
    uint32_t source_span;     /* how far the source has come since it was taken up */
    uint16_t sequence_offset;
    uint32_t timestamp_offset;
    uint16_t sequence_next;
    uint32_t timestamp_last;
    int64_t sent_ns;
    uint32_t clock_hz;
};

/* ssrc, sequence and timestamp are drawn at random by the caller (RFC 3550, 5.1). */
void rtp_sender_begin(struct rtp_sender *sender, uint32_t ssrc, uint16_t sequence, uint32_t timestamp);
/* The next packet comes from another source. */
void rtp_sender_switch(struct rtp_sender *sender);
/*
 * Turns the source's header into the stream's own. Within a source the gaps of sequence and timestamp stay as they
 * are, so that the far side sees the loss there was. ESTALE: older than the moment the source was taken up; its
 * number is already spent.
 */
int rtp_sender_follow(struct rtp_sender *sender, struct rtp_header *header, uint32_t clock_hz, int64_t now_ns);
/* The packets were sent on under the numbers that rtp_sender_follow() would have given them. */
void rtp_sender_merge(struct rtp_sender *sender, const struct rtp_progress *progress);
/* The timestamp of this moment, for a sender report. */
uint32_t rtp_sender_timestamp(const struct rtp_sender *sender, int64_t now_ns);
