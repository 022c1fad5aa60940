/*
 * What the bridge does to a packet besides sending it on, in nanoseconds of CPU: each line of output is a name, ours, and the
 * other implementation's (0 where there is none). Those are loaded as they are installed: libsrtp2, spandsp.
 */

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "framer.h"
#include "inband.h"
#include "play.h"
#include "quality.h"
#include "srtp.h"
#include "voice.h"

#define STREAMS 1000
#define PACKETS 12          /* of each stream in a round */
#define ROUNDS 7
#define FRAME 160
#define RTP_BYTES (RTP_HEADER_BYTES + FRAME)
#define ROOM 256
#define FRAMES 1500

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double figures[ROUNDS])
{
    qsort(figures, ROUNDS, sizeof *figures, ascending);
    return figures[ROUNDS / 2];
}

static void *symbol(const char *library, const char *name)
{
    void *const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void *const found = handle != NULL ? dlsym(handle, name) : NULL;

    if (found == NULL) {
        fprintf(stderr, "%s: no %s\n", library, name);
        exit(1);
    }
    return found;
}

static uint8_t packets[STREAMS][PACKETS][ROOM];
static size_t sizes[STREAMS][PACKETS];

static void write_plain(uint8_t *packet, uint32_t ssrc, uint32_t number)
{
    memset(packet, (int)(number & 0xff), RTP_BYTES);
    packet[0] = 0x80;
    rtp_write(packet, &(struct rtp_header){.sequence = (uint16_t)number, .timestamp = FRAME * number, .ssrc = ssrc});
}

/* libsrtp's own structures, of its version 2. */
struct peer_crypto {
    uint32_t cipher, key_bytes, auth, auth_bytes, tag_bytes, services;
};
struct peer_policy {
    int kind;
    unsigned int ssrc;
    struct peer_crypto rtp, rtcp;
    const uint8_t *key;
    void *keys;
    unsigned long keys_count;
    void *unused;
    unsigned long window;
    int repeats;
    void *extensions;
    int extensions_count;
    void *next;
};
#define PEER_INBOUND 2
#define PEER_OUTBOUND 3

static void *peer_open(const char *setter, const uint8_t *master, int kind)
{
    int (*const create)(void **, const struct peer_policy *) = symbol("libsrtp2.so.1", "srtp_create");
    void (*const set)(struct peer_crypto *) = symbol("libsrtp2.so.1", setter);
    struct peer_policy policy = {.kind = kind, .key = master, .window = 128};
    void *session = NULL;

    set(&policy.rtp);
    set(&policy.rtcp);
    if (create(&session, &policy) != 0)
        exit(1);
    return session;
}

/* Seals and opens a round's packets, the streams taking turns as they do on the wire: no context is in the cache. */
static void srtp_round(void *sends[STREAMS], void *hears[STREAMS], bool ours, uint32_t first, double *seal, double *open)
{
    static int (*peer_seal)(void *, void *, int *), (*peer_open_packet)(void *, void *, int *);
    double begin;

    if (!ours && peer_seal == NULL) {
        peer_seal = symbol("libsrtp2.so.1", "srtp_protect");
        peer_open_packet = symbol("libsrtp2.so.1", "srtp_unprotect");
    }
    for (uint32_t n = 0; n < PACKETS; n++)
        for (uint32_t i = 0; i < STREAMS; i++) {
            write_plain(packets[i][n], i + 1, first + n);
            sizes[i][n] = RTP_BYTES;
        }
    for (int opening = 0; opening < 2; opening++) {
        begin = now_ns();
        for (size_t n = 0; n < PACKETS; n++)
            for (size_t i = 0; i < STREAMS; i++) {
                int bytes = (int)sizes[i][n], error;

                if (ours && opening)
                    error = srtp_rtp_unprotect(hears[i], packets[i][n], &sizes[i][n]);
                else if (ours)
                    error = srtp_rtp_protect(sends[i], packets[i][n], &sizes[i][n], ROOM);
                else
                    error = (opening ? peer_open_packet : peer_seal)(opening ? hears[i] : sends[i], packets[i][n], &bytes);
                if (!ours)
                    sizes[i][n] = (size_t)bytes;
                if (error != 0) {
                    fprintf(stderr, "packet %zu of stream %zu: %d\n", n, i, error);
                    exit(1);
                }
            }
        *(opening ? open : seal) = (now_ns() - begin) / (STREAMS * PACKETS);
    }
}

static void bench_srtp(const char *name, enum srtp_suite suite, const char *setter)
{
    static void *sends[2][STREAMS], *hears[2][STREAMS];
    double seal[2][ROUNDS], open[2][ROUNDS];
    struct srtp_key key = {.suite = suite};
    uint8_t master[SRTP_KEY_BYTES_MAX + SRTP_SALT_BYTES_MAX];

    for (size_t i = 0; i < STREAMS; i++) {
        for (size_t at = 0; at < sizeof master; at++)
            master[at] = (uint8_t)rand();
        memcpy(key.master_key, master, transform_key_bytes(suite));
        memcpy(key.master_salt, master + transform_key_bytes(suite), transform_salt_bytes(suite));
        if (srtp_open((struct srtp **)&sends[1][i], &key, true, 0) != 0 ||
            srtp_open((struct srtp **)&hears[1][i], &key, false, 0) != 0)
            exit(1);
        sends[0][i] = peer_open(setter, master, PEER_OUTBOUND);
        hears[0][i] = peer_open(setter, master, PEER_INBOUND);
    }
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (int ours = 0; ours < 2; ours++)
            srtp_round(sends[ours], hears[ours], ours, round * PACKETS, &seal[ours][round], &open[ours][round]);
    printf("%s seal|%.0f|%.0f\n", name, median(seal[1]), median(seal[0]));
    printf("%s open|%.0f|%.0f\n", name, median(open[1]), median(open[0]));
    for (size_t i = 0; i < STREAMS; i++) {
        srtp_close(sends[1][i]);
        srtp_close(hears[1][i]);
    }
}

static int16_t speech[2 * FRAME * 50]; /* a second of 16 kHz that moves as voice does */
static uint8_t law[FRAME * 50], wide[FRAME * 50];

/* The median of what one frame costs. */
#define TIME(figure, statement)                                 \
    do {                                                        \
        double rounds[ROUNDS];                                  \
        for (int round = 0; round < ROUNDS; round++) {          \
            const double begin = now_ns();                      \
            for (size_t frame = 0; frame < FRAMES; frame++) {   \
                const size_t at = frame % 50 * FRAME;           \
                statement;                                      \
                (void)at;                                       \
            }                                                   \
            rounds[round] = (now_ns() - begin) / FRAMES;        \
        }                                                       \
        figure = median(rounds);                                \
    } while (0)

static double bench_recoding(enum voice from, enum voice to, const uint8_t *said)
{
    struct voice_recoder recoder;
    uint8_t octets[FRAME];
    double figure;

    voice_recoder_begin(&recoder, from, to);
    TIME(figure, (memcpy(octets, said + at, FRAME), voice_recode(&recoder, octets, FRAME)));
    return figure;
}

static void bench_codecs(void)
{
    void *(*const peer_encoder)(void *, int, int) = symbol("libspandsp.so.2", "g722_encode_init");
    void *(*const peer_decoder)(void *, int, int) = symbol("libspandsp.so.2", "g722_decode_init");
    int (*const peer_encode)(void *, uint8_t *, const int16_t *, int) = symbol("libspandsp.so.2", "g722_encode");
    int (*const peer_decode)(void *, int16_t *, const uint8_t *, int) = symbol("libspandsp.so.2", "g722_decode");
    void *const encoder = peer_encoder(NULL, 64000, 0), *const decoder = peer_decoder(NULL, 64000, 0);
    struct g722_encoder own_encoder;
    struct g722_decoder own_decoder;
    int16_t samples[2 * FRAME];
    uint8_t octets[FRAME];
    double ours, theirs;

    g722_encoder_begin(&own_encoder);
    g722_decoder_begin(&own_decoder);
    TIME(ours, g722_encode(&own_encoder, speech + 2 * at, FRAME, octets));
    TIME(theirs, peer_encode(encoder, octets, speech + 2 * at, 2 * FRAME));
    printf("G.722 encode|%.0f|%.0f\n", ours, theirs);
    TIME(ours, g722_decode(&own_decoder, wide + at, FRAME, samples));
    TIME(theirs, peer_decode(decoder, samples, wide + at, FRAME));
    printf("G.722 decode|%.0f|%.0f\n", ours, theirs);
    printf("PCMU to PCMA|%.1f|0\n", bench_recoding(VOICE_PCMU, VOICE_PCMA, law));
    printf("PCMA to PCMU|%.1f|0\n", bench_recoding(VOICE_PCMA, VOICE_PCMU, law));
    printf("PCMU to G.722|%.0f|0\n", bench_recoding(VOICE_PCMU, VOICE_G722, law));
    printf("G.722 to PCMU|%.0f|0\n", bench_recoding(VOICE_G722, VOICE_PCMU, wide));
}

static void bench_digits(void)
{
    void *(*const peer_begin)(void *, void *, void *) = symbol("libspandsp.so.2", "dtmf_rx_init");
    int (*const peer_hear)(void *, const int16_t *, int) = symbol("libspandsp.so.2", "dtmf_rx");
    void *const peer = peer_begin(NULL, NULL, NULL);
    static struct inband inband;
    struct dtmf_told told;
    double ours, theirs;

    TIME(ours, inband_hear(&inband, speech + at, FRAME, &told));
    TIME(theirs, peer_hear(peer, speech + at, FRAME));
    printf("tones sought in speech|%.0f|%.0f\n", ours, theirs);
}

static void bench_others(void)
{
    static struct quality quality;
    static struct framer framer;
    static struct player player;
    struct packet out[2] = {{.octets = (uint8_t[PACKET_BYTES_MAX]){0}}, {.octets = (uint8_t[PACKET_BYTES_MAX]){0}}};
    struct play_item item = {.kind = PLAY_PROMPT};
    struct playlist *list = NULL;
    uint16_t sequence = 0;
    double figure;

    TIME(figure, quality_note(&quality, &(struct rtp_header){.sequence = sequence++}, false, 1));
    printf("note what became of a packet|%.1f|0\n", figure);
    framer_begin(&framer, 240);
    TIME(figure, (out->header = (struct rtp_header){.sequence = (uint16_t)frame, .timestamp = (uint32_t)frame * FRAME,
                                                    .payload_begin = 12, .payload_bytes = FRAME},
                  framer_turn(&framer, out, 2)));
    printf("20 ms to 30 ms|%.1f|0\n", figure);
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        if (prompt_open(&item.prompt, speech, 2 * FRAME * 50, 16000) != 0)
            exit(1);
        player_speak(&player, is_wide ? VOICE_G722 : VOICE_PCMU, 0, PLAY_NO_EVENTS);
        TIME(figure, {
            if (!player.playing) {
                playlist_close(list);
                if (playlist_open(&list, &item, 1, false) != 0)
                    exit(1);
                player_begin(&player, list);
            }
            player_frame(&player, out);
        });
        printf("a frame of a prompt in %s|%.0f|0\n", is_wide ? "G.722" : "PCMU", figure);
        prompt_release(item.prompt);
    }
}

int main(void)
{
    int (*const peer_begin)(void) = symbol("libsrtp2.so.1", "srtp_init");
    struct voice_encoder encoder;

    for (size_t n = 0; n < sizeof speech / sizeof *speech; n++)
        speech[n] = (int16_t)(6000 * sin((double)n * 0.05 + 3 * sin((double)n / 900)) +
                              2000 * sin((double)n * 0.31) * sin((double)n / 2000) + rand() % 200);
    voice_encoder_begin(&encoder, VOICE_PCMU);
    voice_encode(&encoder, speech, sizeof law, law);
    voice_encoder_begin(&encoder, VOICE_G722);
    g722_encode(&encoder.g722, speech, sizeof wide, wide);
    peer_begin();
    bench_srtp("AES_CM_128_HMAC_SHA1_80", SRTP_AES_CM_128_HMAC_SHA1_80, "srtp_crypto_policy_set_rtp_default");
    bench_srtp("AES_CM_128_HMAC_SHA1_32", SRTP_AES_CM_128_HMAC_SHA1_32,
               "srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32");
    bench_srtp("AEAD_AES_128_GCM", SRTP_AEAD_AES_128_GCM, "srtp_crypto_policy_set_aes_gcm_128_16_auth");
    bench_srtp("AEAD_AES_256_GCM", SRTP_AEAD_AES_256_GCM, "srtp_crypto_policy_set_aes_gcm_256_16_auth");
    bench_codecs();
    bench_digits();
    bench_others();
    return 0;
}
