/*
 * Random octets, and good packets with some octets changed, in buffers of their exact size: no reader looks beyond.
 * The seed is fixed; an argument sets another.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latch.h"
#include "ring.h"
#include "rtcp.h"
#include "tone.h"

#define ROUNDS 200000
#define PACKET_BYTES_MAX 96

static const uint8_t GOOD_RTP[] = {0xb1, 0x80, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4, 5, 6, 7, 8, 0xbe, 0xde, 0, 1,
                                   9,    9,    9, 9, 1, 2, 3, 4,   5, 6, 7, 8, 0, 0, 0, 4};
static const uint8_t GOOD_RTCP[] = {0x81, 200, 0, 6, 1, 2, 3, 4, 0, 0,   0, 0, 0, 0, 0, 0, 0, 0,
                                    0,    160, 0, 0, 0, 1, 0, 0, 0, 160, 0x81, 203, 0, 1, 1, 2, 3, 4};

static size_t draw(uint8_t packet[PACKET_BYTES_MAX])
{
    const uint8_t *const good = rand() % 2 ? GOOD_RTP : GOOD_RTCP;
    size_t bytes = (size_t)(rand() % PACKET_BYTES_MAX);

    if (rand() % 4 == 0) {
        for (size_t i = 0; i < bytes; i++)
            packet[i] = (uint8_t)rand();
    } else {
        bytes = sizeof GOOD_RTP;
        memcpy(packet, good, bytes);
        for (int changed = rand() % 4; changed > 0; changed--)
            packet[rand() % (int)bytes] = (uint8_t)rand();
        bytes -= rand() % 4 == 0 ? (size_t)(rand() % (int)bytes) : 0;
    }
    return bytes;
}

int main(int count, char **arguments)
{
    static struct ring ring;
    const struct latch_rules rules = {3, 5};
    struct latch latch = {0};
    struct rtcp_heard heard = {0};
    struct rtp_receiver receiver = {0};
    struct rtp_sender sender;
    struct rtp_header header;
    union address named, other;
    struct event event;
    uint8_t packet[PACKET_BYTES_MAX], report[RTCP_REPORT_BYTES_MAX];
    size_t read = 0;

    _Static_assert(sizeof GOOD_RTP == sizeof GOOD_RTCP, "either is copied by the size of the first");
    srand((unsigned int)atoi(count > 1 ? arguments[1] : "14099"));
    rtp_sender_begin(&sender, 1, 2, 3);
    if (address_read(&named, "192.0.2.1", 4000) != 0 || address_read(&other, "2001:db8::9", 4000) != 0)
        return 1;
    latch_name(&latch, &named, 0);
    for (int64_t round = 0; round < ROUNDS; round++) {
        const size_t bytes = draw(packet);
        uint8_t *const exact = malloc(bytes);
        const struct rtcp_report what = {.cname = "0123456789abcdef", .sender = round % 2, .goodbye = round % 3 == 0};

        memcpy(exact, packet, bytes);
        latch_judge(&latch, rand() % 2 ? &named : &other, exact, bytes, round, &rules);
        rtcp_read(&heard, exact, bytes, round);
        if (rtp_read(&header, exact, bytes) == 0) {
            read++;
            if (header.payload_begin + header.payload_bytes > bytes)
                return 2;
            rtp_receiver_note(&receiver, &header, 8000, round * 1000);
            rtp_sender_follow(&sender, &header, 8000, round * 1000);
            header.payload_type &= 0x7f;
            rtp_write(exact, &header);
        }
        if (rtcp_write(report, &what, &receiver, &heard, round) > RTCP_REPORT_BYTES_MAX)
            return 3;
        ring_put(&ring, (struct event){.at_ns = round});
        free(exact);
    }
    if (ring.lost != ROUNDS - EVENTS_MAX)
        return 4;
    for (int64_t i = 0; i < EVENTS_MAX; i++) /* the oldest are kept, in order */
        if (ring_take(&ring, &event, 1) != 1 || event.at_ns != i)
            return 5;
    if (ring_take(&ring, &event, 1) != 0)
        return 6;
    printf("%zu of %d were RTP\n", read, ROUNDS);
    return read > ROUNDS / 10 && read < ROUNDS ? 0 : 7;
}
