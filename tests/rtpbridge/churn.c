/*
 * Four threads at one bridge: one shouts at its ports, two open, join, play, hold and close them, one reads the events.
 * Says nothing of what is right; the sanitizers say what is wrong. Ends with 0 when every call was answered as it may.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "face.h"

#define ROUNDS 200
#define CALLERS 2
#define PORTS_KNOWN 64

static struct bridge *bridge;
static _Atomic uint16_t ports_known[PORTS_KNOWN];
static _Atomic bool over;
static uint16_t phone_port;
static int phone;

#define MUST(true_of)                                                            \
    do {                                                                         \
        if (!(true_of)) {                                                        \
            fprintf(stderr, "line %d: %s (errno %d)\n", __LINE__, #true_of, errno); \
            abort();                                                             \
        }                                                                        \
    } while (0)

static void *shout(void *unused)
{
    uint8_t packet[172] = {0x80};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned int number = 0;

    (void)unused;
    while (!over) {
        number++;
        packet[1] = number % 17 == 0 ? 0xc8 : (uint8_t)(number % 9);
        packet[2] = (uint8_t)(number >> 8);
        packet[3] = (uint8_t)number;
        to.sin_port = htons((uint16_t)(ports_known[number % PORTS_KNOWN] + (number % 31 == 0)));
        sendto(phone, packet, number % 13 == 0 ? number % 40 : sizeof packet, 0, (void *)&to, sizeof to);
        while (recv(phone, packet + 12, sizeof packet - 12, MSG_DONTWAIT) > 0)
            ;
    }
    return NULL;
}

static void *listen_to_events(void *unused)
{
    struct event events[16];

    (void)unused;
    while (!over)
        for (size_t i = bridge_events(bridge, events, 16); i > 0; i--)
            MUST(events[i - 1].at_ns > 0 && events[i - 1].kind <= EVENT_STOPPED);
    return NULL;
}

static uint64_t open_connected(size_t slot)
{
    const struct codec codecs[] = {{"PCMU/8000", 8000, 0, 0}, {"PCMA/8000", 8000, 8, 8}, {"telephone-event/8000", 8000, 4, 4}};
    const struct far_side far_side = {"127.0.0.1", phone_port, 0, codecs, slot % 2 ? 3 : 2, slot % 3 ? 20 : 30};
    uint16_t rtp_port;
    uint64_t port;

    MUST(bridge_port_open(bridge, 0, 0, &port, &rtp_port) == 0);
    MUST(bridge_port_connect(bridge, port, &far_side) == 0);
    ports_known[slot % PORTS_KNOWN] = rtp_port;
    return port;
}

static void *call(void *first_slot)
{
    const struct srtp_key keys[] = {{.suite = SRTP_AES_CM_128_HMAC_SHA1_80}, {.suite = SRTP_AEAD_AES_256_GCM, .mki_bytes = 4}};
    const struct play_item tones[] = {{.kind = PLAY_TONE, .tone = {{425}, 1, {20, 40}, 2, -13}}};
    struct prompt *prompt;
    size_t slot = *(size_t *)first_slot;
    struct counters counters;

    MUST(prompt_open(&prompt, (int16_t[480]){1, 2, 3}, 480, 16000) == 0);
    for (int round = 0; round < ROUNDS; round++, slot += 2 * CALLERS) {
        const uint64_t a = open_connected(slot), b = open_connected(slot + 1);
        const struct play_item list[] = {{.kind = PLAY_DIGIT, .digit = '5', .duration_ms = 40},
                                         {.kind = PLAY_PROMPT, .prompt = prompt},
                                         {.kind = PLAY_PAUSE, .duration_ms = 5},
                                         {.kind = PLAY_TONE, .tone = tones->tone, .duration_ms = 20}};

        if (round % 2 == 0) /* b is sent sealed packets; what the shouter says to it is not */
            MUST(bridge_port_secure(bridge, b, &keys[round % 4 / 2], &keys[0], 0) == 0);
        MUST(bridge_port_play(bridge, a, tones, 1, false) == 0);
        MUST(bridge_port_counters(bridge, a, &counters) == 0);
        if (round % 10 == 0)
            usleep(25000); /* a frame or two of the tone */
        MUST(bridge_join(bridge, a, b) == 0);
        MUST(bridge_port_play(bridge, b, tones, 1, false) == EBUSY);
        MUST(bridge_port_play(bridge, b, list, 4, true) == 0);
        MUST(bridge_port_detect_inband(bridge, a, round % 2 == 0) == 0);
        MUST(bridge_port_hold(bridge, b, true, false) == 0);
        MUST(bridge_port_hold(bridge, b, true, true) == 0);
        usleep(200);
        if (round % 8 == 0)
            MUST(bridge_port_secure(bridge, b, &keys[1], &keys[1], 0) == 0);
        if (round % 12 == 0)
            MUST(bridge_port_secure(bridge, b, NULL, NULL, 0) == 0);
        if (round % 3 == 0)
            MUST(bridge_split(bridge, a, b) == 0);
        MUST(bridge_port_close(bridge, a) == 0);
        MUST(bridge_port_counters(bridge, a, &counters) == EBADF);
        if (round % 7 != 0)
            MUST(bridge_port_close(bridge, b) == 0); /* else it is left for bridge_close() */
    }
    prompt_release(prompt);
    return NULL;
}

int main(int count, char **arguments)
{
    const uint16_t port_min = (uint16_t)atoi(count > 1 ? arguments[1] : "24000");
    const char *const hosts[] = {"127.0.0.1"};
    const struct bridge_plan plan = {hosts, 1, port_min, (uint16_t)(port_min + 999), 1, 1, 1, 1, 100, count > 2 ? WAY_EPOLL : WAY_BEST, false, NULL, NULL};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t here_bytes = sizeof here;
    size_t slots[CALLERS];
    pthread_t callers[CALLERS], shouter, listener;

    phone = socket(AF_INET, SOCK_DGRAM, 0);
    MUST(bind(phone, (void *)&here, sizeof here) == 0 && getsockname(phone, (void *)&here, &here_bytes) == 0);
    phone_port = ntohs(here.sin_port);
    for (size_t i = 0; i < PORTS_KNOWN; i++)
        ports_known[i] = port_min;
    MUST(bridge_open(&bridge, &plan) == 0);
    MUST(pthread_create(&shouter, NULL, shout, NULL) == 0);
    MUST(pthread_create(&listener, NULL, listen_to_events, NULL) == 0);
    for (size_t i = 0; i < CALLERS; i++) {
        slots[i] = 2 * i;
        MUST(pthread_create(&callers[i], NULL, call, &slots[i]) == 0);
    }
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    over = true;
    pthread_join(shouter, NULL);
    pthread_join(listener, NULL);
    bridge_close(bridge);
    close(phone);
    return 0;
}
