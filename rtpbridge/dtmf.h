#pragma once
/*
 * Digits as named telephone events (RFC 4733), received and sent. A digit is known by the timestamp of its packets: lost,
 * repeated and late ones make neither a second digit nor a missing one. Pure: time is handed in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp.h"

#define DTMF_EVENT_BYTES 4
#define DTMF_EVENTS_MAX 15        /* 0 to 9, *, #, A to D */
#define DTMF_PATIENCE_MS 200      /* without a packet a digit is over: its last three were lost */
#define DTMF_END_PACKETS 3        /* RFC 4733, 2.5.1.4 */
#define DTMF_ENDED_MAX 8          /* digits that end by one packet */
#define DTMF_VOLUME_DBM0 10       /* below 0 */

struct dtmf_digit {
    char digit;
    uint32_t duration_ms;
};

/* All zero before the first packet. */
struct dtmf_receiver {
    bool begun;
    bool pressed;              /* its end has not been heard */
    uint8_t event;
    uint32_t ssrc;
    uint32_t timestamp;        /* of the digit, or of its present segment */
    uint32_t ticks;            /* of the present segment */
    uint32_t ticks_before;     /* of its earlier ones */
    uint32_t clock_hz;
    int64_t heard_ns;
};

/* What one packet told. */
struct dtmf_told {
    bool began;                /* a digit is pressed that was not before */
    size_t ended_count;
    struct dtmf_digit ended[DTMF_ENDED_MAX];
};

/* The digit of an event's number, 0 for events that are none. */
char dtmf_digit_of(unsigned int event);
/* The number of a digit's event; EINVAL: no digit. */
int dtmf_event_of(char digit, uint8_t *event);

/* EBADMSG: no telephone event. Events that are no digits are let go. */
int dtmf_take(struct dtmf_receiver *receiver, const struct rtp_header *header, const uint8_t *payload,
              uint32_t clock_hz, int64_t now_ns, struct dtmf_told *told);
/* True: a digit whose end was lost is over now. */
bool dtmf_expire(struct dtmf_receiver *receiver, int64_t now_ns, struct dtmf_digit *digit);

/* One digit on its way out, a packet each time it is asked. */
struct dtmf_sender {
    uint8_t event;
    uint32_t ticks_total;
    uint32_t ticks;            /* told so far, in the present segment */
    uint32_t timestamp;        /* of the segment, from the digit's begin */
    unsigned int ends;         /* end packets that have gone */
    bool first;
};

/* EINVAL: no digit. */
int dtmf_sender_begin(struct dtmf_sender *sender, char digit, uint32_t ticks_total);
/* The next packet's payload, marker and timestamp after the digit's begin; false: there is none left. */
bool dtmf_sender_next(struct dtmf_sender *sender, uint32_t ticks, uint8_t payload[DTMF_EVENT_BYTES], bool *marker,
                      uint32_t *timestamp);
