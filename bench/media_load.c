/*
 * Phones for bench/media.py: each sends a PCMU frame every 20 ms and measures how long the frames it gets were on
 * their way. Arguments: phones, seconds. Prints the phones' ports, reads as many destination ports, runs, prints
 * sent, received, CPU microseconds and the percentiles 50, 99 and 99.9 of the latency in nanoseconds.
 */

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PHONES_MAX 8000
#define FRAME_NS 20000000L
#define SLICES 20 /* of a frame time: a millisecond each, so that the phones do not all speak at once */
#define PACKET_BYTES 172
#define DRAIN_NS 200000000L
#define BATCH 16

static int phones, sockets[PHONES_MAX];
static struct sockaddr_in destinations[PHONES_MAX];
static uint32_t *latencies;
static size_t latencies_max, received;
static _Atomic bool over;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void *receive(void *epoll)
{
    static uint8_t packets[BATCH][2048];
    struct epoll_event events[64];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec rooms[BATCH];

    for (int i = 0; i < BATCH; i++) {
        rooms[i] = (struct iovec){packets[i], sizeof packets[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &rooms[i], .msg_iovlen = 1};
    }
    while (!over) {
        const int ready = epoll_wait(*(int *)epoll, events, 64, 50);

        for (int i = 0; i < ready; i++) {
            const int count = recvmmsg(events[i].data.fd, messages, BATCH, MSG_DONTWAIT, NULL);
            const int64_t now = now_ns();

            for (int k = 0; k < count; k++) {
                int64_t sent;

                if (messages[k].msg_len != PACKET_BYTES || received == latencies_max)
                    continue; /* RTCP has ports of its own */
                memcpy(&sent, packets[k] + 12, sizeof sent);
                latencies[received++] = (uint32_t)(now - sent);
            }
        }
    }
    return NULL;
}

static size_t speak(int seconds)
{
    uint8_t packet[PACKET_BYTES] = {0x80};
    const int64_t begin = now_ns();
    size_t sent = 0;

    for (int64_t slice = 0; slice < seconds * 50L * SLICES; slice++) {
        const int64_t due = begin + slice * (FRAME_NS / SLICES);
        const struct timespec at = {due / 1000000000L, due % 1000000000L};
        const uint16_t sequence = htons((uint16_t)(slice / SLICES));
        const uint32_t timestamp = htonl((uint32_t)(slice / SLICES * 160));

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        memcpy(packet + 2, &sequence, sizeof sequence);
        memcpy(packet + 4, &timestamp, sizeof timestamp);
        for (int i = (int)(slice % SLICES); i < phones; i += SLICES) {
            const int64_t now = now_ns();

            memcpy(packet + 8, &i, 4);
            memcpy(packet + 12, &now, sizeof now);
            sent += sendto(sockets[i], packet, sizeof packet, 0, (void *)&destinations[i], sizeof destinations[i]) > 0;
        }
    }
    return sent;
}

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t percentile(double percent)
{
    return received > 0 ? latencies[(size_t)((double)(received - 1) * percent / 100)] : 0;
}

static int64_t cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

int main(int count, char **arguments)
{
    const int seconds = count > 2 ? atoi(arguments[2]) : 0;
    const struct timespec drain = {.tv_nsec = DRAIN_NS};
    int epoll = epoll_create1(0);
    pthread_t receiver;
    int64_t cpu_before;
    size_t sent;

    phones = count > 1 ? atoi(arguments[1]) : 0;
    if (phones <= 0 || phones > PHONES_MAX || seconds <= 0)
        return 1;
    for (int i = 0; i < phones; i++) {
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct epoll_event event = {.events = EPOLLIN};
        socklen_t bytes = sizeof here;

        event.data.fd = sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (bind(sockets[i], (void *)&here, bytes) != 0 || getsockname(sockets[i], (void *)&here, &bytes) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event) != 0)
            return 2;
        printf("%d\n", ntohs(here.sin_port));
    }
    fflush(stdout);
    for (int i = 0; i < phones; i++) {
        int port;

        if (scanf("%d", &port) != 1)
            return 3;
        destinations[i] = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    }
    latencies_max = (size_t)phones * (size_t)seconds * 50;
    latencies = calloc(latencies_max, sizeof *latencies);
    cpu_before = cpu_us();
    if (latencies == NULL || pthread_create(&receiver, NULL, receive, &epoll) != 0)
        return 4;
    sent = speak(seconds);
    nanosleep(&drain, NULL);
    over = true;
    pthread_join(receiver, NULL);
    cpu_before = cpu_us() - cpu_before;
    qsort(latencies, received, sizeof *latencies, by_size);
    printf("%zu %zu %ld %u %u %u\n", sent, received, (long)cpu_before, percentile(50), percentile(99), percentile(99.9));
    return 0;
}
