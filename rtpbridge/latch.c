#include "latch.h"

#include "rtp.h"

void latch_name(struct latch *latch, const union address *named, int64_t now_ns)
{
    if (!latch->has_named || !address_equal(&latch->named, named))
        latch->has_agreed = latch->named_heard = false;
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

static bool is_known(const struct latch *latch, const union address *source)
{
    return (latch->has_agreed && address_equal(source, &latch->agreed)) ||
           (latch->has_named && address_equal(source, &latch->named));
}

bool latch_is_strict(const struct latch *latch, int64_t now_ns, const struct latch_rules *rules)
{
    return !latch->has_named || (!latch->listening && now_ns - latch->heard_ns < rules->relearn_ns);
}

bool latch_considers(const struct latch *latch, const union address *source, int64_t now_ns,
                     const struct latch_rules *rules)
{
    if (is_known(latch, source))
        return true;
    if (latch_is_strict(latch, now_ns, rules))
        return false;
    if (latch->listening || address_same_network(source, &latch->agreed))
        return true;
    return !latch->named_heard && now_ns - latch->heard_ns >= 2 * rules->relearn_ns;
}

/* How long the one we have must have been silent; a candidate is counted before that already. */
static int64_t silence_wanted(const struct latch *latch, const struct latch_rules *rules)
{
    return latch->listening ? rules->patience_ns : rules->relearn_ns;
}

enum latch_verdict latch_judge(struct latch *latch, const union address *source, const uint8_t *packet,
                               size_t packet_bytes, int64_t now_ns, const struct latch_rules *rules)
{
    enum latch_verdict verdict = LATCH_STRANGER;

    if (latch->has_agreed && address_equal(source, &latch->agreed)) {
        verdict = LATCH_ACCEPTED;
    } else if (latch->has_named && address_equal(source, &latch->named)) {
        verdict = LATCH_MOVED;
    } else if (latch_considers(latch, source, now_ns, rules) &&
               latch_persuaded(latch, source, packet, packet_bytes) &&
               now_ns - latch->heard_ns >= silence_wanted(latch, rules)) {
        verdict = LATCH_MOVED;
    }
    if (verdict == LATCH_MOVED) {
        latch->agreed = *source;
        latch->has_agreed = true;
    }
    if (verdict != LATCH_STRANGER) {
        latch->named_heard = latch->named_heard || address_equal(source, &latch->named);
        latch->listening = false;
        latch->heard_ns = now_ns;
        latch->candidate_packets = 0;
    }
    return verdict;
}

void latch_excuse(struct latch *latch, int64_t now_ns)
{
    if (!latch->listening)
        latch->heard_ns = now_ns;
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
