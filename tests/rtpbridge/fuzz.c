/*
 * What strangers and far sides can send, thrown at the pure readers by libFuzzer; FUZZ says at which. Each is told the size of
 * its octets by a buffer of just that size, and holds what it must never do as an assertion.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dtmf.h"
#include "framer.h"
#include "latch.h"
#include "rtcp.h"
#include "srtp.h"
#include "voice.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t bytes);

/* The next octets of the input, as a packet in a buffer of its own; NULL at its end. Its length comes first. */
struct input {
    const uint8_t *octets;
    size_t bytes;
};

static uint8_t *next_packet(struct input *input, size_t room, size_t *bytes)
{
    uint8_t *packet;

    if (input->bytes == 0)
        return NULL;
    *bytes = input->octets[0];
    input->octets++;
    input->bytes--;
    if (*bytes > input->bytes)
        *bytes = input->bytes;
    packet = malloc(*bytes + room); /* no octet more: one that is read behind its end is seen */
    memcpy(packet, input->octets, *bytes);
    input->octets += *bytes;
    input->bytes -= *bytes;
    return packet;
}

static void fuzz_rtp(struct input *input)
{
    struct rtp_receiver receiver = {0};
    struct rtp_sender sender;
    struct rtp_header header, again;
    struct framer framer = {0};
    uint8_t *packet;
    size_t bytes;
    int64_t now_ns = 1;

    rtp_sender_begin(&sender, 1, 2, 3);
    framer_begin(&framer, 240);
    for (; (packet = next_packet(input, 0, &bytes)) != NULL; now_ns += 20000000) {
        if (rtp_read(&header, packet, bytes) == 0) {
            assert(header.payload_begin + header.payload_bytes <= bytes);
            rtp_receiver_note(&receiver, &header, 8000, now_ns);
            rtp_receiver_fraction_lost(&receiver);
            if (rtp_sender_follow(&sender, &header, 8000, now_ns) == 0) {
                struct packet packets[6] = {{.octets = malloc(PACKET_BYTES_MAX), .bytes = bytes, .header = header}};
                size_t count;

                for (size_t i = 1; i < 6; i++)
                    packets[i].octets = malloc(PACKET_BYTES_MAX);
                memcpy(packets->octets, packet, bytes);
                count = framer_turn(&framer, packets, 6);
                assert(count <= 6);
                for (size_t i = 0; i < count; i++)
                    assert(packets[i].bytes <= PACKET_BYTES_MAX);
                for (size_t i = 0; i < 6; i++)
                    free(packets[i].octets);
                rtp_write(packet, &header);
                assert(rtp_is_rtcp(packet, bytes) || rtp_read(&again, packet, bytes) == 0);
            }
        }
        free(packet);
    }
}

static void fuzz_rtcp(struct input *input)
{
    struct rtcp_heard heard = {0};
    struct rtcp_view view = {0};
    uint8_t *packet;
    size_t bytes;

    while ((packet = next_packet(input, 0, &bytes)) != NULL) {
        if (rtcp_read(&heard, packet, bytes, 1) == 0)
            rtcp_read_view(&view, packet, bytes, 0, 0x10000);
        free(packet);
    }
}

static void fuzz_dtmf(struct input *input)
{
    struct dtmf_receiver receiver = {0};
    struct dtmf_told told;
    struct dtmf_digit digit;
    uint8_t *packet;
    size_t bytes, pressed = 0, released = 0;
    int64_t now_ns = 1;

    for (; (packet = next_packet(input, 0, &bytes)) != NULL; now_ns += 20000000) {
        if (bytes >= 8) {
            const struct rtp_header header = {
                .marker = packet[0] & 1,
                .sequence = packet[1],
                .timestamp = (uint32_t)packet[2] << 24 | (uint32_t)packet[3] << 8,
                .ssrc = packet[4] & 1,
                .payload_bytes = bytes - 8,
            };

            if (dtmf_take(&receiver, &header, packet + 8, 8000, now_ns, &told) == 0) {
                assert(told.ended_count <= DTMF_ENDED_MAX);
                pressed += told.began;
                released += told.ended_count;
                for (size_t i = 0; i < told.ended_count; i++)
                    assert(strchr("0123456789*#ABCD", told.ended[i].digit) != NULL);
            }
        }
        if (bytes % 3 == 0)
            now_ns += 100000000;
        released += dtmf_expire(&receiver, now_ns, &digit);
        free(packet);
    }
    assert(released + receiver.pressed >= pressed);
}

/* Junk, and packets sealed under the right key of which an octet may be changed: only the whole ones are opened, once. */
static void fuzz_srtp(struct input *input)
{
    const enum srtp_suite suite = input->bytes > 0 ? input->octets[0] % 4 : 0;
    const struct srtp_key key = {.suite = suite, .mki_bytes = input->bytes > 1 ? input->octets[1] % 5 : 0};
    struct srtp *sends = NULL, *receives = NULL;
    uint8_t *packet;
    size_t bytes;

    if (srtp_open(&sends, &key, true, 0) != 0 || srtp_open(&receives, &key, false, 2) != 0)
        abort();
    while ((packet = next_packet(input, SRTP_GROWTH_BYTES_MAX, &bytes)) != NULL) {
        const uint8_t change = bytes > 0 ? packet[bytes - 1] : 0;
        const bool control = change & 1, seals = change & 2, changes = change & 4;
        size_t sealed = bytes;
        int error = 0;

        if (seals)
            error = (control ? srtp_rtcp_protect : srtp_rtp_protect)(sends, packet, &sealed,
                                                                     bytes + SRTP_GROWTH_BYTES_MAX);
        if (error == 0 && changes && sealed > 0)
            packet[change % sealed] ^= 0x40;
        if (error == 0) {
            size_t opened = sealed;
            const int verdict = (control ? srtp_rtcp_unprotect : srtp_rtp_unprotect)(receives, packet, &opened);

            assert(verdict != 0 || (seals && !(changes && sealed > 0) && opened == bytes));
        }
        free(packet);
    }
    srtp_close(sends);
    srtp_close(receives);
}

static void fuzz_g722(struct input *input)
{
    struct voice_recoder there, back;
    uint8_t *packet;
    size_t bytes;

    voice_recoder_begin(&there, VOICE_G722, VOICE_PCMA);
    voice_recoder_begin(&back, VOICE_PCMA, VOICE_G722);
    while ((packet = next_packet(input, 0, &bytes)) != NULL) {
        voice_recode(&there, packet, bytes);
        voice_recode(&back, packet, bytes);
        free(packet);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t bytes)
{
    struct input input = {octets, bytes};

    FUZZ(&input);
    return 0;
}
