#include "dtmf.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

#define END 0x80
#define SEGMENT_TICKS 0xffffu /* a longer event goes on in another segment (RFC 4733, 2.5.1.3) */
#define NS_PER_MS 1000000

static const char DIGITS[] = "0123456789*#ABCD";

char dtmf_digit_of(unsigned int event)
{
    return event <= DTMF_EVENTS_MAX ? DIGITS[event] : 0;
}

int dtmf_event_of(char digit, uint8_t *event)
{
    const char *const at = digit != 0 ? strchr(DIGITS, digit) : NULL;

    if (at == NULL)
        return EINVAL;
    *event = (uint8_t)(at - DIGITS);
    return 0;
}

static struct dtmf_digit finished(struct dtmf_receiver *receiver)
{
    const uint64_t ticks = (uint64_t)receiver->ticks_before + receiver->ticks;

    receiver->pressed = false;
    return (struct dtmf_digit){DIGITS[receiver->event], (uint32_t)(ticks * 1000 / receiver->clock_hz)};
}

/* A long digit goes on under another timestamp, where the segment before reached (RFC 4733, 2.5.1.3). */
static bool is_next_segment(const struct dtmf_receiver *receiver, unsigned int event, uint32_t timestamp, bool marker)
{
    const uint32_t step = timestamp - receiver->timestamp;

    return receiver->pressed && !marker && event == receiver->event && step == SEGMENT_TICKS;
}

static void take_event(struct dtmf_receiver *receiver, const uint8_t *at, uint32_t timestamp, bool marker, bool over,
                       struct dtmf_told *told)
{
    const unsigned int event = at[0];
    const uint32_t ticks = bytes_read_16(at + 2);

    if (receiver->begun && (int32_t)(timestamp - receiver->timestamp) < 0)
        return; /* late, of a digit before */
    if (receiver->begun && timestamp == receiver->timestamp && (!receiver->pressed || event != receiver->event))
        return; /* its end was heard already */
    if (!receiver->begun || timestamp != receiver->timestamp) {
        const bool goes_on = receiver->begun && is_next_segment(receiver, event, timestamp, marker);

        if (!goes_on) {
            if (receiver->pressed)
                told->ended[told->ended_count++] = finished(receiver);
            told->began = true;
        }
        receiver->ticks_before = goes_on ? receiver->ticks_before + SEGMENT_TICKS : 0;
        receiver->begun = receiver->pressed = true;
        receiver->event = (uint8_t)event;
        receiver->timestamp = timestamp;
        receiver->ticks = 0;
    }
    if (ticks > receiver->ticks)
        receiver->ticks = ticks;
    if (over || (at[1] & END) != 0)
        told->ended[told->ended_count++] = finished(receiver);
}

int dtmf_take(struct dtmf_receiver *receiver, const struct rtp_header *header, const uint8_t *payload,
              uint32_t clock_hz, int64_t now_ns, struct dtmf_told *told)
{
    const size_t count = header->payload_bytes / DTMF_EVENT_BYTES;
    uint32_t timestamp = header->timestamp;

    *told = (struct dtmf_told){0};
    if (count == 0 || header->payload_bytes % DTMF_EVENT_BYTES != 0 || count >= DTMF_ENDED_MAX || clock_hz == 0)
        return EBADMSG;
    if (receiver->begun && receiver->ssrc != header->ssrc) {
        if (receiver->pressed)
            told->ended[told->ended_count++] = finished(receiver);
        receiver->begun = false;
    }
    receiver->ssrc = header->ssrc;
    receiver->clock_hz = clock_hz;
    /* Several events of a packet follow one another without a pause; all but the last are over (RFC 4733, 2.5.1.5). */
    for (size_t i = 0; i < count && told->ended_count < DTMF_ENDED_MAX - 1; i++) {
        const uint8_t *const at = payload + DTMF_EVENT_BYTES * i;

        if (at[0] <= DTMF_EVENTS_MAX) {
            take_event(receiver, at, timestamp, header->marker && i == 0, i + 1 < count, told);
            receiver->heard_ns = now_ns;
        }
        timestamp += bytes_read_16(at + 2);
    }
    return 0;
}

bool dtmf_expire(struct dtmf_receiver *receiver, int64_t now_ns, struct dtmf_digit *digit)
{
    if (!receiver->pressed || now_ns - receiver->heard_ns < (int64_t)DTMF_PATIENCE_MS * NS_PER_MS)
        return false;
    *digit = finished(receiver);
    return true;
}

int dtmf_sender_begin(struct dtmf_sender *sender, char digit, uint32_t ticks_total)
{
    *sender = (struct dtmf_sender){.ticks_total = ticks_total, .first = true};
    return dtmf_event_of(digit, &sender->event);
}

bool dtmf_sender_next(struct dtmf_sender *sender, uint32_t ticks, uint8_t payload[DTMF_EVENT_BYTES], bool *marker,
                      uint32_t *timestamp)
{
    bool over;

    if (sender->ends == DTMF_END_PACKETS)
        return false;
    if (sender->ends == 0) {
        sender->ticks += ticks;
        if (sender->ticks > SEGMENT_TICKS && sender->ticks_total - sender->timestamp > SEGMENT_TICKS) {
            sender->timestamp += SEGMENT_TICKS;
            sender->ticks -= SEGMENT_TICKS;
        }
    }
    over = sender->timestamp + sender->ticks >= sender->ticks_total;
    if (over)
        sender->ticks = sender->ticks_total - sender->timestamp;
    sender->ends += over;
    *marker = sender->first;
    *timestamp = sender->timestamp;
    sender->first = false;
    payload[0] = sender->event;
    payload[1] = (uint8_t)((over ? END : 0) | DTMF_VOLUME_DBM0);
    bytes_write_16(payload + 2, (uint16_t)sender->ticks);
    return true;
}
