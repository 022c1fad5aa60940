#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <string.h>

/* Offsets of the source: in the IP headers, and in the UDP header, with which the filter's view of the packet begins. */
#define SOURCE_V4 (SKF_NET_OFF + 12)
#define SOURCE_V6 (SKF_NET_OFF + 8)
#define SOURCE_PORT 0
#define WORDS_V6 4
#define STEPS_PER_ADDRESS (2 * WORDS_V6 + 2 + 1) /* load and compare each word and the port, and say yes */
#define STEPS_MAX (2 * STEPS_PER_ADDRESS + 1)
#define PASS UINT32_MAX

static struct sock_filter load(uint16_t size, int32_t at)
{
    return (struct sock_filter)BPF_STMT(BPF_LD | BPF_ABS | size, (uint32_t)at);
}

static struct sock_filter answer(uint32_t bytes)
{
    return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, bytes);
}

/* Goes on with the next step if equal, else with the step at `other`. */
static struct sock_filter compare(const struct sock_filter *here, uint32_t with, const struct sock_filter *other)
{
    return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, with, 0, (uint8_t)(other - here - 1));
}

/* Writes the steps that let one address pass, and returns where the next ones go. */
static struct sock_filter *let_pass(struct sock_filter *step, const union address *address, bool any_port)
{
    const bool v6 = address->any.sa_family == AF_INET6;
    const size_t words_count = v6 ? WORDS_V6 : 1;
    const struct sock_filter *const other = step + 2 * words_count + (any_port ? 0 : 2) + 1;
    uint32_t words[WORDS_V6];

    memcpy(words, v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr, 4 * words_count);
    for (size_t i = 0; i < words_count; i++, step += 2) {
        step[0] = load(BPF_W, (v6 ? SOURCE_V6 : SOURCE_V4) + 4 * (int32_t)i);
        step[1] = compare(step + 1, ntohl(words[i]), other);
    }
    if (!any_port) {
        step[0] = load(BPF_H, SOURCE_PORT);
        step[1] = compare(step + 1, address_port(address), other);
        step += 2;
    }
    *step++ = answer(PASS);
    return step;
}

int filter_set(int fd, const union address *a, const union address *b, bool any_port)
{
    struct sock_filter steps[STEPS_MAX];
    struct sock_filter *end = let_pass(let_pass(steps, a, any_port), b, any_port);
    struct sock_fprog program = {.filter = steps};

    *end++ = answer(0);
    program.len = (unsigned short)(end - steps);
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0 : errno;
}

void filter_clear(int fd)
{
    const int unused = 0;

    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

uint64_t filter_dropped(int fd)
{
    uint32_t counts[SK_MEMINFO_VARS] = {0};
    socklen_t bytes = sizeof counts;

    return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, counts, &bytes) == 0 ? counts[SK_MEMINFO_DROPS] : 0;
}
