#include "framer.h"

#include <string.h>

#define JUMP_TICKS_MAX 8000 /* a longer one is a source that set its clock anew, not a loss */

void framer_begin(struct framer *framer, uint32_t frame_ticks)
{
    framer->active = framer->begun = framer->marked = false;
    framer->frame_ticks = frame_ticks;
    framer->held = 0;
}

/* Whether the packet is the next of its source, or a later one; a new source begins anew. */
static bool is_next(struct framer *framer, const struct rtp_header *header)
{
    if (!framer->begun || framer->ssrc != header->ssrc) {
        framer->begun = true;
        framer->ssrc = header->ssrc;
        framer->highest = (uint16_t)(header->sequence - 1);
        framer->sequence = header->sequence;
        framer->timestamp = header->timestamp;
        framer->held = 0;
        framer->marked = false;
    }
    return (int16_t)(header->sequence - framer->highest) > 0;
}

static void write_frame(struct framer *framer, struct packet *packet, const struct rtp_header *from,
                        const uint8_t *octets, size_t count, uint32_t timestamp)
{
    packet->octets[0] = 0x80;
    packet->bytes = RTP_HEADER_BYTES + count;
    packet->header = *from;
    packet->header.marker = framer->marked;
    framer->marked = false;
    packet->header.sequence = framer->sequence++;
    packet->header.timestamp = timestamp;
    packet->header.payload_begin = RTP_HEADER_BYTES;
    packet->header.payload_bytes = count;
    memcpy(packet->octets + RTP_HEADER_BYTES, octets, count);
}

/* What is held goes as it is: what follows it does not join. Frames that were lost take their numbers with them. */
static size_t break_off(struct framer *framer, struct packet *packet, const struct rtp_header *header, bool lost)
{
    const int32_t gap = (int32_t)(header->timestamp - framer->timestamp);
    size_t count = 0;

    if (framer->held > 0) {
        write_frame(framer, packet, header, framer->octets, framer->held,
                    framer->timestamp - (uint32_t)framer->held);
        count = 1;
    }
    if (lost && gap > 0 && gap <= JUMP_TICKS_MAX) {
        const uint32_t frames = ((uint32_t)gap + framer->frame_ticks / 2) / framer->frame_ticks;

        framer->sequence = (uint16_t)(framer->sequence + (frames > 0 ? frames : 1));
    }
    framer->held = 0;
    framer->timestamp = header->timestamp;
    return count;
}

size_t framer_turn(struct framer *framer, struct packet *packets, size_t packets_max)
{
    const struct rtp_header header = packets->header;
    const size_t size = framer->frame_ticks;
    uint8_t octets[FRAMER_TICKS_MAX + PACKET_BYTES_MAX];
    size_t count = 0, all, done = 0;
    uint32_t timestamp;

    if (size == 0 || (!framer->active && header.payload_bytes == size))
        return 1;
    framer->active = true;
    if (!is_next(framer, &header))
        return 0;
    memcpy(octets + FRAMER_TICKS_MAX, packets->octets + header.payload_begin, header.payload_bytes);
    if (header.timestamp != framer->timestamp || header.marker)
        count = break_off(framer, packets, &header, (uint16_t)(header.sequence - framer->highest) > 1);
    framer->highest = header.sequence;
    framer->marked = framer->marked || header.marker;

    memcpy(octets + FRAMER_TICKS_MAX - framer->held, framer->octets, framer->held);
    all = framer->held + header.payload_bytes;
    timestamp = framer->timestamp - (uint32_t)framer->held;
    while (all - done >= size) {
        const size_t left = all - done;
        /* Where there are no more rooms, the last frame is as long as it must be. */
        const size_t part = count + 1 == packets_max && left < 2 * FRAMER_TICKS_MAX ? left - left % size : size;

        if (count == packets_max)
            break;
        write_frame(framer, &packets[count], &header, octets + FRAMER_TICKS_MAX - framer->held + done, part,
                    timestamp + (uint32_t)done);
        count++;
        done += part;
    }
    memmove(octets, octets + FRAMER_TICKS_MAX - framer->held + done, all - done);
    framer->held = all - done < size ? all - done : 0;
    memcpy(framer->octets, octets, framer->held);
    framer->timestamp = header.timestamp + (uint32_t)header.payload_bytes;
    return count;
}

size_t framer_pass(struct framer *framer, struct packet *packet)
{
    if (!framer->active)
        return 1;
    if (!is_next(framer, &packet->header))
        return 0;
    framer->highest = packet->header.sequence;
    packet->header.sequence = framer->sequence++;
    return 1;
}
