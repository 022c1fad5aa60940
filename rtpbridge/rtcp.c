#include "rtcp.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

enum { SENDER_REPORT = 200, RECEIVER_REPORT = 201, SOURCE_DESCRIPTION = 202, GOODBYE = 203 };

#define VERSION 0x80
#define PADDING 0x20
#define SDES_CNAME 1
#define SENDER_REPORT_BYTES 28
#define LOST_MAX 0x7fffff            /* 24 bits with sign */

int rtcp_read(struct rtcp_heard *heard, const uint8_t *packet, size_t packet_bytes, int64_t now_ns)
{
    struct rtcp_heard found = *heard;
    size_t at = 0;

    if (packet_bytes < 8 || (packet[0] & PADDING) != 0 ||
        (packet[1] != SENDER_REPORT && packet[1] != RECEIVER_REPORT))
        return EBADMSG;
    while (at < packet_bytes) {
        size_t length;

        if (packet_bytes - at < 4 || (packet[at] & 0xc0) != VERSION)
            return EBADMSG;
        length = 4u * (bytes_read_16(packet + at + 2) + 1u);
        if (length > packet_bytes - at)
            return EBADMSG;
        if (packet[at + 1] == SENDER_REPORT) {
            if (length < SENDER_REPORT_BYTES)
                return EBADMSG;
            found = (struct rtcp_heard){true, bytes_read_32(packet + at + 4), bytes_read_32(packet + at + 10), now_ns};
        }
        at += length;
    }
    *heard = found;
    return 0;
}

#define BLOCK_BYTES 24
#define ROUND_TRIP_MAX (10u << 16) /* a longer one is a far side that sets its clock, or lies */

static void read_block(struct rtcp_view *view, const uint8_t *block, uint32_t ntp_middle)
{
    const uint32_t lost = bytes_read_32(block + 4) & 0xffffff, reported = bytes_read_32(block + 16);
    const uint32_t round_trip = ntp_middle - reported - bytes_read_32(block + 20);

    view->begun = true;
    view->fraction_lost = block[4];
    view->lost = lost > LOST_MAX ? (int32_t)lost - 0x1000000 : (int32_t)lost;
    view->jitter = bytes_read_32(block + 12);
    view->relayed = false;
    if (reported != 0 && round_trip <= ROUND_TRIP_MAX) {
        view->has_round_trip = true;
        view->round_trip = round_trip;
    }
}

void rtcp_read_view(struct rtcp_view *view, const uint8_t *packet, size_t packet_bytes, uint32_t our_ssrc,
                    uint32_t ntp_middle)
{
    size_t at = 0;

    while (at + 4 <= packet_bytes) {
        const size_t length = 4u * (bytes_read_16(packet + at + 2) + 1u);
        const size_t begin = packet[at + 1] == SENDER_REPORT ? SENDER_REPORT_BYTES : 8;
        const size_t count = packet[at] & 0x1f;

        if (length > packet_bytes - at)
            return;
        for (size_t i = 0; packet[at + 1] <= RECEIVER_REPORT && i < count; i++)
            if (begin + BLOCK_BYTES * (i + 1) <= length &&
                bytes_read_32(packet + at + begin + BLOCK_BYTES * i) == our_ssrc)
                read_block(view, packet + at + begin + BLOCK_BYTES * i, ntp_middle);
        at += length;
    }
}

void rtcp_look_beyond(struct rtcp_beyond *beyond, struct rtcp_view *view, uint32_t ssrc)
{
    if (beyond->ssrc != ssrc)
        *beyond = (struct rtcp_beyond){.ssrc = ssrc};
    beyond->fraction_lost = 0;
    if (view == NULL || !view->begun)
        return;
    if (!view->relayed)
        beyond->fraction_lost = view->fraction_lost;
    if (view->lost > view->relayed_lost) {
        const int64_t lost = (int64_t)beyond->lost + view->lost - view->relayed_lost;

        beyond->lost = lost > LOST_MAX ? LOST_MAX : (int32_t)lost;
    }
    rtcp_begin_anew(view);
}

void rtcp_begin_anew(struct rtcp_view *view)
{
    view->relayed = true;
    view->relayed_lost = view->lost;
}

/* Of those that come through one part of the way so many are lost in the other. */
static uint8_t both_lost(uint8_t one, uint8_t other)
{
    return (uint8_t)(one + (256 - one) * other / 256);
}

/* First octet, type and length of the packet of RTCP that begins at `at`; bytes is a multiple of 4. */
static void write_head(uint8_t *at, unsigned int count, uint8_t type, size_t bytes)
{
    at[0] = (uint8_t)(VERSION | count);
    at[1] = type;
    bytes_write_16(at + 2, (uint16_t)(bytes / 4 - 1));
}

static size_t write_block(uint8_t *at, struct rtp_receiver *receiver, const struct rtcp_heard *heard,
                          const struct rtcp_beyond *beyond, int64_t now_ns)
{
    const bool reported = heard->begun && heard->ssrc == receiver->ssrc;
    int64_t lost = rtp_receiver_lost(receiver) - receiver->lost_before + beyond->lost;

    if (lost > LOST_MAX)
        lost = LOST_MAX;
    if (lost < -LOST_MAX)
        lost = -LOST_MAX;
    bytes_write_32(at, receiver->ssrc);
    bytes_write_32(at + 4, (uint32_t)lost & 0xffffff);
    at[4] = both_lost(rtp_receiver_fraction_lost(receiver), beyond->fraction_lost);
    bytes_write_32(at + 8, rtp_receiver_highest(receiver));
    bytes_write_32(at + 12, (uint32_t)receiver->jitter);
    bytes_write_32(at + 16, reported ? heard->ntp_middle : 0);
    bytes_write_32(at + 20, reported ? (uint32_t)((now_ns - heard->at_ns) / 1000 * 65536 / 1000000) : 0);
    return 24;
}

size_t rtcp_write(uint8_t packet[RTCP_REPORT_BYTES_MAX], const struct rtcp_report *report,
                  struct rtp_receiver *receiver, const struct rtcp_heard *heard, int64_t now_ns)
{
    const size_t cname_bytes = strlen(report->cname);
    size_t bytes = 8, begin;

    memset(packet, 0, RTCP_REPORT_BYTES_MAX);
    bytes_write_32(packet + 4, report->ssrc);
    if (report->sender) {
        bytes_write_32(packet + 8, (uint32_t)(report->ntp >> 32));
        bytes_write_32(packet + 12, (uint32_t)report->ntp);
        bytes_write_32(packet + 16, report->timestamp);
        bytes_write_32(packet + 20, report->sent_packets);
        bytes_write_32(packet + 24, report->sent_octets);
        bytes = SENDER_REPORT_BYTES;
    }
    if (receiver->begun)
        bytes += write_block(packet + bytes, receiver, heard, &report->beyond, now_ns);
    write_head(packet, receiver->begun, report->sender ? SENDER_REPORT : RECEIVER_REPORT, bytes);

    begin = bytes;
    bytes_write_32(packet + begin + 4, report->ssrc);
    packet[begin + 8] = SDES_CNAME;
    packet[begin + 9] = (uint8_t)cname_bytes;
    memcpy(packet + begin + 10, report->cname, cname_bytes);
    bytes = (begin + 10 + cname_bytes + 4) / 4 * 4; /* one to four zeros end the chunk */
    write_head(packet + begin, 1, SOURCE_DESCRIPTION, bytes - begin);

    if (report->goodbye) {
        bytes_write_32(packet + bytes + 4, report->ssrc);
        write_head(packet + bytes, 1, GOODBYE, 8);
        bytes += 8;
    }
    return bytes;
}
