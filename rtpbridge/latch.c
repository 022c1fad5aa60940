#include "latch.h"

#include "rtp.h"

void latch_name(struct latch *latch, const union address *named, int64_t now_ns)
{
    if (!latch->has_named || !address_equal(&latch->named, named))
        latch->has_agreed = false;
    latch->named = *named;
    latch->has_named = true;
    latch->listening = true;
    latch->heard_ns = now_ns;
    latch->candidate_packets = 0;
}

/* Counts packets in a row of one SSRC and one address; true when there were enough. */
static bool latch_persuaded(struct latch *latch, const union address *source, const uint8_t *packet,
                            size_t packet_bytes)
{
    struct rtp_header header;

    if (rtp_read(&header, packet, packet_bytes) != 0) {
        latch->candidate_packets = 0;
        return false;
    }
    if (latch->candidate_packets == 0 || header.ssrc != latch->candidate_ssrc ||
        !address_equal(source, &latch->candidate)) {
        latch->candidate = *source;
        latch->candidate_ssrc = header.ssrc;
        latch->candidate_packets = 0;
    }
    if (latch->candidate_packets < LATCH_PACKETS)
        latch->candidate_packets++;
    return latch->candidate_packets == LATCH_PACKETS;
}

enum latch_verdict latch_judge(struct latch *latch, const union address *source, const uint8_t *packet,
                               size_t packet_bytes, int64_t now_ns, int64_t patience_ns)
{
    enum latch_verdict verdict = LATCH_STRANGER;

    if (latch->has_agreed && address_equal(source, &latch->agreed)) {
        verdict = LATCH_ACCEPTED;
    } else if (latch->has_named && address_equal(source, &latch->named)) {
        verdict = LATCH_MOVED;
    } else if (latch->listening && latch_persuaded(latch, source, packet, packet_bytes) &&
               now_ns - latch->heard_ns >= patience_ns) {
        verdict = LATCH_MOVED;
    }
    if (verdict == LATCH_MOVED) {
        latch->agreed = *source;
        latch->has_agreed = true;
    }
    if (verdict != LATCH_STRANGER) {
        latch->listening = false;
        latch->heard_ns = now_ns;
    }
    return verdict;
}

const union address *latch_destination(const struct latch *latch)
{
    const union address *destination = NULL;

    if (latch->has_agreed)
        destination = &latch->agreed;
    else if (latch->has_named)
        destination = &latch->named;
    return destination;
}
