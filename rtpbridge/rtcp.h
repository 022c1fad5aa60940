#pragma once
/*
 * RTCP (RFC 3550, 6): the report a port sends of its own leg, and the one thing it needs of the far side's.
 * Each leg is an RTP session of its own with our SSRC in it, so a report is never passed on as it came: it would speak
 * of numbers that the other leg has not seen. What it says of losses is relayed in ours: what does not arrive beyond us
 * does not arrive, and who sends protects his voice (Opus) by what he hears of that. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp.h"

#define RTCP_CNAME_BYTES 17          /* 16 characters of 96 random bits (RFC 7022) and the closing zero */
#define RTCP_REPORT_BYTES_MAX 128

/* The last sender report of the far side. */
struct rtcp_heard {
    bool begun;
    uint32_t ssrc;
    uint32_t ntp_middle;             /* the middle 32 bits of its NTP timestamp */
    int64_t at_ns;
};

/* What the far side says of our own stream, last. */
struct rtcp_view {
    bool begun;
    uint8_t fraction_lost;           /* in 1/256, since its report before */
    int32_t lost;                    /* so far; below zero where packets came twice */
    uint32_t jitter;                 /* in ticks of our clock */
    bool has_round_trip;
    uint32_t round_trip;             /* in 1/65536 s */
    bool relayed;                    /* to who sends what we send on */
    int32_t relayed_lost;            /* of lost */
};

/* What was lost of a stream behind us, on its way to whom it is for. */
struct rtcp_beyond {
    uint32_t ssrc;                   /* of the stream as it comes to us */
    int32_t lost;                    /* so far */
    uint8_t fraction_lost;           /* in 1/256, of the last report that was not relayed yet; else 0 */
};

/* Reads the block about our SSRC, where there is one, of a packet that rtcp_read() took; ntp_middle is of this moment. */
void rtcp_read_view(struct rtcp_view *view, const uint8_t *packet, size_t packet_bytes, uint32_t our_ssrc,
                    uint32_t ntp_middle);
/*
 * Relays what the view says of the stream that carries on the one of this SSRC; losses that it tells of less are kept,
 * as they are where there is no view, nobody being joined now: what was lost of a stream never becomes less.
 */
void rtcp_look_beyond(struct rtcp_beyond *beyond, struct rtcp_view *view, uint32_t ssrc);
/* What was lost until now is of another stream than is sent on from now. */
void rtcp_begin_anew(struct rtcp_view *view);
/* EBADMSG: not a compound packet as RFC 3550, A.2 wants it; heard is left alone. */
int rtcp_read(struct rtcp_heard *heard, const uint8_t *packet, size_t packet_bytes, int64_t now_ns);

struct rtcp_report {
    uint32_t ssrc;
    const char *cname;
    bool sender;                     /* RTP was sent since the last report: SR, else RR */
    uint64_t ntp;                    /* 32.32 since 1900 */
    uint32_t timestamp;              /* of the same moment */
    uint32_t sent_packets;
    uint32_t sent_octets;
    bool goodbye;                    /* BYE follows */
    struct rtcp_beyond beyond;       /* all 0: nobody is there */
};

/* The compound packet SR or RR, SDES, and BYE; its size. The receiver's interval begins anew. */
size_t rtcp_write(uint8_t packet[RTCP_REPORT_BYTES_MAX], const struct rtcp_report *report,
                  struct rtp_receiver *receiver, const struct rtcp_heard *heard, int64_t now_ns);
