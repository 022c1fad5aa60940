#include "quality.h"

#define NS_PER_MS 1000000
#define FRAME_MS 20
#define R_MAX 93.2                 /* with the default values of G.107 */
#define IMPAIRMENT_MAX 95.0
#define DELAY_FELT_MS 177.3
#define SCORE_MAX 4.5

/* G.113, appendix I: G.711 with concealment has no impairment of its own and a robustness of 25.1; G.722 is taken as that. */
#define ROBUSTNESS 25.1

static void settle_lost(struct quality *quality)
{
    struct quality_losses *const losses = &quality->losses;

    losses->lost++;
    losses->runs += !quality->last_lost;
    if (losses->lost > 1 && quality->since_loss < QUALITY_GAP_PACKETS) {
        losses->burst_lost += quality->counted_in_burst ? 1 : 2;
        quality->counted_in_burst = true;
    } else {
        quality->counted_in_burst = false;
    }
    quality->since_loss = 0;
}

/* The oldest packet of the bits leaves: now it is known whether it came. */
static void settle(struct quality *quality)
{
    const bool came = (quality->came >> (QUALITY_LATE_PACKETS - 1) & 1) != 0;

    if (quality->known == QUALITY_LATE_PACKETS) {
        quality->losses.packets++;
        if (came)
            quality->since_loss++;
        else
            settle_lost(quality);
        quality->last_lost = !came;
    } else {
        quality->known++;
    }
}

static void restart(struct quality *quality, const struct rtp_header *header)
{
    quality->begun = true;
    quality->ssrc = header->ssrc;
    quality->highest = header->sequence;
    quality->came = 1;
    quality->known = 1;
    quality->last_lost = false;
}

static void note_sequence(struct quality *quality, const struct rtp_header *header)
{
    const int step = (int16_t)(header->sequence - quality->highest);

    if (!quality->begun || quality->ssrc != header->ssrc || step > RTP_DROPOUT_MAX || step < -RTP_MISORDER_MAX) {
        restart(quality, header);
    } else if (step > 0) {
        for (int i = 0; i < step; i++) {
            settle(quality);
            quality->came <<= 1;
        }
        quality->came |= 1;
        quality->highest = header->sequence;
    } else if (step <= -QUALITY_LATE_PACKETS) {
        quality->reordered++;
    } else if ((quality->came >> -step & 1) != 0) {
        quality->duplicates++;
    } else {
        quality->came |= (uint64_t)1 << -step;
        quality->reordered++;
    }
}

void quality_note(struct quality *quality, const struct rtp_header *header, bool comfort_noise, int64_t now_ns)
{
    const int64_t pause_ns = now_ns - quality->heard_ns;

    if (quality->heard_ns != 0 && !quality->resting && !header->marker &&
        pause_ns > (int64_t)QUALITY_SILENCE_MS * NS_PER_MS)
        quality->silent_ns += pause_ns;
    quality->heard_ns = now_ns;
    quality->resting = comfort_noise;
    quality->comfort_noise += comfort_noise;
    note_sequence(quality, header);
}

void quality_merge(struct quality *quality, const struct quality_progress *progress)
{
    struct quality_losses *const losses = &quality->losses;

    losses->packets += progress->losses.packets;
    losses->lost += progress->losses.lost;
    losses->burst_lost += progress->losses.burst_lost;
    losses->runs += progress->losses.runs;
    quality->silent_ns += progress->silent_ns;
    quality->heard_ns = progress->heard_ns;
    quality->resting = false;
    quality->highest = progress->highest;
    quality->came = progress->came;
    quality->known = 0; /* these are counted */
    quality->last_lost = false;
    quality->since_loss = QUALITY_GAP_PACKETS;
}

double quality_score(enum voice voice, double loss_percent, double burst_ratio, double delay_ms)
{
    double delay, loss, r, score;

    if (voice == VOICE_NONE)
        return 0;
    delay = 0.024 * delay_ms + (delay_ms > DELAY_FELT_MS ? 0.11 * (delay_ms - DELAY_FELT_MS) : 0);
    loss = loss_percent > 0 ? IMPAIRMENT_MAX * loss_percent / (loss_percent / burst_ratio + ROBUSTNESS) : 0;
    r = R_MAX - delay - loss;
    if (r <= 0)
        return 1;
    score = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
    if (score < 1)
        return 1;
    return score > SCORE_MAX ? SCORE_MAX : score;
}

/* How much longer runs of losses are than they would be by chance (G.107, 7.4), 1 at least. */
static double burst_ratio(uint64_t packets, uint64_t lost, uint64_t runs)
{
    const double by_chance = packets > lost ? (double)packets / (double)(packets - lost) : 1;
    const double ratio = runs > 0 ? (double)lost / (double)runs / by_chance : 1;

    return ratio < 1 ? 1 : ratio;
}

static void score_window(struct quality *quality, const struct quality_leg *leg)
{
    const uint64_t packets = quality->losses.packets - quality->before.packets;
    const uint64_t lost = quality->losses.lost - quality->before.lost;
    const uint64_t runs = quality->losses.runs - quality->before.runs;
    /* A listener's buffer is taken to hold twice the jitter. */
    const double delay_ms = leg->round_trip_ms / 2 + FRAME_MS + 2 * leg->jitter_ms;

    quality->score = 0;
    if (packets == 0)
        return;
    quality->score = quality_score(leg->voice, 100.0 * (double)lost / (double)packets,
                                   burst_ratio(packets, lost, runs), delay_ms);
    if (quality->score == 0)
        return;
    if (quality->scores == 0 || quality->score < quality->score_min)
        quality->score_min = quality->score;
    quality->score_sum += quality->score;
    quality->scores++;
}

/* The time that is kept doubles, the scores become half as many. */
static void thin(struct quality_history *history)
{
    for (uint32_t i = 0; i < QUALITY_SCORES_MAX / 2; i++) {
        const unsigned first = history->scores[2 * i], second = history->scores[2 * i + 1];

        history->scores[i] = (uint8_t)(first == 0 || second == 0 ? first + second : (first + second + 1) / 2);
    }
    history->count = QUALITY_SCORES_MAX / 2;
    history->span *= 2;
}

/* A window has ended with that score; 0: with none. */
static void keep(struct quality_history *history, double score)
{
    history->open_sum += score;
    history->open_scored += score > 0;
    history->open_windows++;
    if (history->open_windows == history->span && history->count == QUALITY_SCORES_MAX)
        thin(history);
    if (history->open_windows < history->span)
        return;
    history->scores[history->count++] =
        history->open_scored == 0
            ? 0
            : (uint8_t)(history->open_sum / history->open_scored * QUALITY_SCORE_STEPS + 0.5);
    history->open_windows = history->open_scored = 0;
    history->open_sum = 0;
}

void quality_time(struct quality *quality, struct quality_history *history, const struct quality_leg *leg, int64_t now_ns)
{
    const int64_t window_ns = (int64_t)QUALITY_WINDOW_MS * NS_PER_MS;
    int64_t next_ns = now_ns + window_ns;

    if (quality->window_ns != 0 && now_ns < quality->window_ns)
        return;
    if (quality->window_ns != 0) {
        score_window(quality, leg);
        if (history->span == 0) {
            history->begun_ns = quality->window_ns - window_ns;
            history->span = 1;
        }
        keep(history, quality->score);
        for (next_ns = quality->window_ns + window_ns; next_ns <= now_ns; next_ns += window_ns)
            keep(history, 0); /* nobody looked */
        quality->one_way = leg->far_sends && leg->sent_packets > quality->window_sent &&
                           leg->received_packets == quality->window_received;
        if (quality->one_way && quality->window_joined && leg->joined)
            quality->was_one_way = true;
    }
    quality->window_joined = leg->joined;
    quality->before = quality->losses;
    quality->window_sent = leg->sent_packets;
    quality->window_received = leg->received_packets;
    quality->window_ns = next_ns;
}
