#include "rtp.h"

#include <errno.h>
#include <math.h>

#include "bytes.h"

#define NS_PER_SECOND 1000000000

/* Split, for the product of a day in nanoseconds and a clock does not fit 64 bits. */
static uint32_t ticks(int64_t ns, uint32_t clock_hz)
{
    return (uint32_t)(ns / NS_PER_SECOND * clock_hz + ns % NS_PER_SECOND * clock_hz / NS_PER_SECOND);
}

bool rtp_is_rtcp(const uint8_t *packet, size_t packet_bytes)
{
    return packet_bytes >= 2 && packet[0] >> 6 == 2 && packet[1] >= 192 && packet[1] <= 223;
}

int rtp_read(struct rtp_header *header, const uint8_t *packet, size_t packet_bytes)
{
    size_t begin, padding = 0;

    if (packet_bytes < RTP_HEADER_BYTES || packet[0] >> 6 != 2 || rtp_is_rtcp(packet, packet_bytes))
        return EBADMSG;
    begin = RTP_HEADER_BYTES + 4u * (packet[0] & 0x0f);
    if (packet[0] & 0x10) {
        if (packet_bytes < begin + 4)
            return EBADMSG;
        begin += 4 + 4u * bytes_read_16(packet + begin + 2);
    }
    if (packet_bytes < begin)
        return EBADMSG;
    if (packet[0] & 0x20) {
        padding = packet[packet_bytes - 1];
        if (padding == 0 || padding > packet_bytes - begin)
            return EBADMSG;
    }
    *header = (struct rtp_header){
        .marker = packet[1] >> 7,
        .payload_type = packet[1] & 0x7f,
        .sequence = bytes_read_16(packet + 2),
        .timestamp = bytes_read_32(packet + 4),
        .ssrc = bytes_read_32(packet + 8),
        .payload_begin = begin,
        .payload_bytes = packet_bytes - begin - padding,
    };
    return 0;
}

void rtp_write(uint8_t *packet, const struct rtp_header *header)
{
    packet[1] = (uint8_t)(header->marker << 7 | header->payload_type);
    bytes_write_16(packet + 2, header->sequence);
    bytes_write_32(packet + 4, header->timestamp);
    bytes_write_32(packet + 8, header->ssrc);
}

static uint32_t receiver_expected(const struct rtp_receiver *receiver)
{
    return rtp_receiver_highest(receiver) - receiver->sequence_base + 1;
}

static void receiver_restart(struct rtp_receiver *receiver, const struct rtp_header *header)
{
    const int64_t lost = receiver->begun ? rtp_receiver_lost(receiver) : 0;

    *receiver = (struct rtp_receiver){
        .begun = true,
        .ssrc = header->ssrc,
        .sequence_base = header->sequence,
        .sequence_highest = header->sequence,
        .lost_before = lost,
        .clock_hz = receiver->clock_hz,
        .jitter = receiver->jitter,
    };
}

/* Whether the packet belongs to the run of sequence numbers so far (RFC 3550, A.1). */
static bool receiver_counts(struct rtp_receiver *receiver, uint16_t sequence)
{
    const uint16_t ahead = (uint16_t)(sequence - receiver->sequence_highest);
    bool counts = true;

    if (ahead < RTP_DROPOUT_MAX) {
        if (sequence < receiver->sequence_highest)
            receiver->sequence_cycles += 1u << 16;
        receiver->sequence_highest = sequence;
    } else if (ahead <= UINT16_MAX - RTP_MISORDER_MAX) {
        receiver->sequence_bad = (uint16_t)(sequence + 1);
        counts = false;
    }
    receiver->jumped = !counts;
    return counts;
}

void rtp_receiver_note(struct rtp_receiver *receiver, const struct rtp_header *header, uint32_t clock_hz,
                       int64_t now_ns)
{
    const uint32_t transit = ticks(now_ns, clock_hz) - header->timestamp;
    bool comparable = receiver->begun && receiver->ssrc == header->ssrc && receiver->clock_hz == clock_hz;

    if (!receiver->begun || receiver->ssrc != header->ssrc ||
        (receiver->jumped && header->sequence == receiver->sequence_bad)) {
        receiver_restart(receiver, header);
        comparable = false;
        receiver->received = 1;
    } else if (receiver_counts(receiver, header->sequence)) {
        receiver->received++;
    } else {
        comparable = false;
    }
    /* Packets of one telephone-event share a timestamp though they leave at different times (RFC 4733, 2.5.1.2). */
    if (comparable && header->timestamp == receiver->timestamp_last)
        return;
    if (comparable) {
        const double difference = fabs((double)(int32_t)(transit - receiver->transit));

        if (difference <= (double)clock_hz * RTP_JITTER_SECONDS_MAX)
            receiver->jitter += (difference - receiver->jitter) / 16.0;
    }
    receiver->transit = transit;
    receiver->timestamp_last = header->timestamp;
    receiver->clock_hz = clock_hz;
}

int64_t rtp_receiver_lost(const struct rtp_receiver *receiver)
{
    int64_t lost = receiver->lost_before;

    if (receiver->begun)
        lost += (int64_t)receiver_expected(receiver) - receiver->received;
    return lost;
}

uint32_t rtp_receiver_highest(const struct rtp_receiver *receiver)
{
    return receiver->sequence_cycles + receiver->sequence_highest;
}

void rtp_receiver_merge(struct rtp_receiver *receiver, const struct rtp_progress *progress)
{
    /* Packets that came here in between have moved the highest number too: what is counted is near, what is seen exact. */
    const uint32_t near = rtp_receiver_highest(receiver) + progress->numbers;
    const int16_t off = (int16_t)(progress->sequence - (uint16_t)near);
    const uint32_t highest = (uint32_t)((int64_t)near + off);

    receiver->received += progress->packets;
    receiver->jumped = false;
    if (highest - receiver->sequence_base < rtp_receiver_highest(receiver) - receiver->sequence_base)
        return;
    receiver->sequence_highest = (uint16_t)highest;
    receiver->sequence_cycles = highest - receiver->sequence_highest;
    receiver->timestamp_last = progress->timestamp;
    receiver->transit = ticks(progress->at_ns, receiver->clock_hz) - progress->timestamp;
    receiver->jitter = progress->jitter_s * receiver->clock_hz;
}

uint8_t rtp_receiver_fraction_lost(struct rtp_receiver *receiver)
{
    const uint32_t expected = receiver_expected(receiver) - receiver->expected_reported;
    const uint32_t received = receiver->received - receiver->received_reported;

    receiver->expected_reported += expected;
    receiver->received_reported += received;
    if (expected == 0 || received >= expected)
        return 0;
    return (uint8_t)((uint64_t)(expected - received) * 255 / expected);
}

void rtp_sender_begin(struct rtp_sender *sender, uint32_t ssrc, uint16_t sequence, uint32_t timestamp)
{
    *sender = (struct rtp_sender){.ssrc = ssrc, .sequence_next = sequence, .timestamp_last = timestamp};
}

void rtp_sender_switch(struct rtp_sender *sender)
{
    sender->following = false;
}

/* Takes a source up where the stream stands: the next number, and the timestamp that the clock has reached. */
static void sender_take_up(struct rtp_sender *sender, struct rtp_header *header, uint32_t clock_hz, int64_t now_ns)
{
    uint32_t timestamp = sender->timestamp_last;

    if (sender->begun) {
        const uint32_t elapsed = ticks(now_ns - sender->sent_ns, clock_hz);
        const uint32_t frame = clock_hz / RTP_FRAMES_PER_SECOND;

        timestamp += elapsed > frame ? elapsed : frame;
        header->marker = true; /* the receiver may adapt its playout here (RFC 3551, 4.1) */
    }
    sender->following = true;
    sender->source_ssrc = header->ssrc;
    sender->source_highest = header->sequence;
    sender->source_span = 0;
    sender->sequence_offset = (uint16_t)(sender->sequence_next - header->sequence);
    sender->timestamp_offset = timestamp - header->timestamp;
}

int rtp_sender_follow(struct rtp_sender *sender, struct rtp_header *header, uint32_t clock_hz, int64_t now_ns)
{
    const int step = (int16_t)(header->sequence - sender->source_highest);
    const bool newest = step > 0;

    if (!sender->following || header->ssrc != sender->source_ssrc || step > RTP_DROPOUT_MAX ||
        step < -RTP_MISORDER_MAX) {
        sender_take_up(sender, header, clock_hz, now_ns);
    } else if (newest) {
        sender->source_highest = header->sequence;
        if (sender->source_span <= RTP_MISORDER_MAX)
            sender->source_span += (uint32_t)step;
    } else if ((uint32_t)-step > sender->source_span) {
        return ESTALE;
    }
    header->sequence = (uint16_t)(header->sequence + sender->sequence_offset);
    header->timestamp += sender->timestamp_offset;
    header->ssrc = sender->ssrc;
    if (newest || header->sequence == sender->sequence_next) {
        /* Packets of an event share its timestamp: time is counted from the first of them (RFC 4733, 2.5.1.2). */
        if (!sender->begun || header->timestamp != sender->timestamp_last)
            sender->sent_ns = now_ns;
        sender->sequence_next = (uint16_t)(header->sequence + 1);
        sender->timestamp_last = header->timestamp;
        sender->clock_hz = clock_hz;
    }
    sender->begun = true;
    return 0;
}

void rtp_sender_merge(struct rtp_sender *sender, const struct rtp_progress *progress)
{
    const int step = (int16_t)(progress->sequence - sender->source_highest);

    if (step <= 0 && progress->numbers <= INT16_MAX) /* a newer one was sent from here */
        return;
    sender->source_highest = progress->sequence;
    sender->source_span = RTP_MISORDER_MAX + 1 > progress->numbers + sender->source_span
                              ? progress->numbers + sender->source_span
                              : RTP_MISORDER_MAX + 1;
    sender->sequence_next = (uint16_t)(progress->sequence + sender->sequence_offset + 1);
    sender->timestamp_last = progress->timestamp + sender->timestamp_offset;
    sender->sent_ns = progress->at_ns;
}

uint32_t rtp_sender_timestamp(const struct rtp_sender *sender, int64_t now_ns)
{
    return sender->timestamp_last + ticks(now_ns - sender->sent_ns, sender->clock_hz);
}
