#pragma once
/*
 * How well a leg is heard: what became of each packet by its sequence, whether losses come in bursts (RFC 3611, 4.7.2), and an
 * opinion score by the E-model (ITU-T G.107, with G.113's figures for G.711), over windows of 5 s. Pure: time is handed in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp.h"
#include "voice.h"

#define QUALITY_WINDOW_MS 5000
#define QUALITY_LATE_PACKETS 64  /* what comes later than by so many is lost, and told as lost by so many later */
#define QUALITY_GAP_PACKETS 16   /* losses nearer to each other than this are of one burst (Gmin, RFC 3611, 4.7.2) */
#define QUALITY_SILENCE_MS 200   /* a longer pause without comfort noise is silence */

struct quality_losses {
    uint64_t packets;          /* of which it is known whether they came */
    uint64_t lost;
    uint64_t burst_lost;       /* of those: in bursts */
    uint64_t runs;             /* of losses one after the other */
};

#define QUALITY_SCORES_MAX 720    /* an hour of windows; of what is longer two and two become one */
#define QUALITY_SCORE_STEPS 50    /* of a point: how finely they are kept */

/* The scores in order, from the beginning on; all zero before it. */
struct quality_history {
    int64_t begun_ns;
    uint32_t span;             /* windows that one of them stands for: 1, 2, 4 ...; 0: none has begun */
    uint32_t count;
    uint8_t scores[QUALITY_SCORES_MAX]; /* in steps; 0: there was nothing to judge */
    uint32_t open_windows;     /* of the next one */
    uint32_t open_scored;
    double open_sum;
};

/* All zero before the first packet. */
struct quality {
    bool begun;
    uint32_t ssrc;
    uint16_t highest;
    uint64_t came;             /* a bit for each of the last packets, the lowest for the highest */
    uint32_t known;            /* how many of those bits stand for packets that there were */
    bool last_lost;            /* of those that left: the last one */
    uint32_t since_loss;
    bool counted_in_burst;     /* the last loss */
    struct quality_losses losses;
    uint64_t duplicates;
    uint64_t reordered;
    uint64_t comfort_noise;
    bool resting;              /* comfort noise came last: the far side is silent by its own will */
    int64_t heard_ns;
    int64_t silent_ns;

    int64_t window_ns;         /* it ends; 0: none has begun */
    struct quality_losses before; /* the window */
    uint64_t window_sent;
    uint64_t window_received;
    bool window_joined;
    bool one_way;              /* in the last window we sent and heard nothing */
    bool was_one_way;          /* in any window that began and ended joined: what we sent was another's voice */
    double score;              /* of the last window, 1 to 4.5; 0: there is none */
    double score_min;
    double score_sum;
    uint32_t scores;
};

/* What became of packets elsewhere: losses are counted there, at once; what comes late after all stays lost. */
struct quality_progress {
    struct quality_losses losses;
    uint16_t highest;
    uint64_t came;             /* as in struct quality */
    int64_t silent_ns;
    int64_t heard_ns;
};

void quality_merge(struct quality *quality, const struct quality_progress *progress);
void quality_note(struct quality *quality, const struct rtp_header *header, bool comfort_noise, int64_t now_ns);

struct quality_leg {
    enum voice voice;          /* VOICE_NONE: a codec of which G.113 says nothing */
    double jitter_ms;
    double round_trip_ms;      /* 0: not known */
    uint64_t sent_packets;
    uint64_t received_packets;
    bool far_sends;
    bool joined;
};

/* To be called now and then: ends the window when its time has come, and keeps its score. */
void quality_time(struct quality *quality, struct quality_history *history, const struct quality_leg *leg, int64_t now_ns);
/* The mean opinion score of a loss in percent, its burst ratio (G.107, 7.4; 1: random) and a delay one way. */
double quality_score(enum voice voice, double loss_percent, double burst_ratio, double delay_ms);
