#include "route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 4096
#define ATTRIBUTES_BYTES 64

struct question {
    struct nlmsghdr head;
    struct rtmsg route;
    uint8_t attributes[ATTRIBUTES_BYTES];
};

int routes_open(struct routes *routes)
{
    *routes = (struct routes){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    return routes->fd >= 0 ? 0 : errno;
}

void routes_close(struct routes *routes)
{
    if (routes->fd >= 0)
        close(routes->fd);
    routes->fd = -1;
}

void routes_forget(struct routes *routes)
{
    memset(routes->known, 0, sizeof routes->known);
}

static const void *host_of(const union address *address, uint16_t *bytes)
{
    const bool v6 = address->any.sa_family == AF_INET6;

    *bytes = v6 ? sizeof address->v6.sin6_addr : sizeof address->v4.sin_addr;
    return v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
}

static void add(struct question *question, uint16_t kind, const void *value, uint16_t bytes)
{
    struct rtattr *const attribute = (struct rtattr *)((uint8_t *)question + question->head.nlmsg_len);

    attribute->rta_type = kind;
    attribute->rta_len = (uint16_t)RTA_LENGTH(bytes);
    memcpy(RTA_DATA(attribute), value, bytes);
    question->head.nlmsg_len += (uint32_t)RTA_ALIGN(attribute->rta_len);
}

static int ask(int fd, const union address *from, const union address *to)
{
    struct question question = {
        .head = {.nlmsg_len = offsetof(struct question, attributes), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
        .route = {.rtm_family = (uint8_t)to->any.sa_family},
    };
    uint16_t bytes;
    const void *host = host_of(to, &bytes);

    question.route.rtm_dst_len = question.route.rtm_src_len = (uint8_t)(8 * bytes);
    add(&question, RTA_DST, host, bytes);
    host = host_of(from, &bytes);
    add(&question, RTA_SRC, host, bytes);
    if (to->any.sa_family == AF_INET6 && to->v6.sin6_scope_id != 0)
        add(&question, RTA_OIF, &to->v6.sin6_scope_id, sizeof to->v6.sin6_scope_id);
    return send(fd, &question, question.head.nlmsg_len, 0) == (ssize_t)question.head.nlmsg_len ? 0 : errno;
}

static bool is_ethernet(uint32_t device)
{
    struct ifreq asked = {0};
    bool ethernet = false;
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (any >= 0 && if_indextoname(device, asked.ifr_name) != NULL && ioctl(any, SIOCGIFHWADDR, &asked) == 0)
        ethernet = asked.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    if (any >= 0)
        close(any);
    return ethernet;
}

static uint32_t device_in(const struct nlmsghdr *head)
{
    const uint8_t *at = (const uint8_t *)NLMSG_DATA(head) + NLMSG_ALIGN(sizeof(struct rtmsg));
    const uint8_t *const end = (const uint8_t *)head + head->nlmsg_len;
    uint32_t device = 0;

    while (end - at >= (ptrdiff_t)sizeof(struct rtattr)) {
        const struct rtattr *const attribute = (const struct rtattr *)at;

        if (attribute->rta_len < sizeof *attribute || attribute->rta_len > end - at)
            break;
        if (attribute->rta_type == RTA_OIF && attribute->rta_len == RTA_LENGTH(sizeof device))
            memcpy(&device, at + RTA_LENGTH(0), sizeof device);
        at += RTA_ALIGN(attribute->rta_len);
    }
    return device;
}

static int look_up(int fd, uint32_t *device, const union address *from, const union address *to)
{
    _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
    const struct nlmsghdr *const head = (const struct nlmsghdr *)answer;
    const struct rtmsg *const found = NLMSG_DATA(head);
    int error = ask(fd, from, to);
    ssize_t bytes;

    if (error != 0)
        return error;
    bytes = recv(fd, answer, sizeof answer, 0); /* the kernel has answered before send() returned */
    if (bytes < 0)
        return errno;
    if (!NLMSG_OK(head, (uint32_t)bytes) || head->nlmsg_type != RTM_NEWROUTE ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof *found))
        return EHOSTUNREACH;
    *device = 0;
    if (found->rtm_type == RTN_LOCAL)
        return 0;
    if (found->rtm_type != RTN_UNICAST)
        return EHOSTUNREACH;
    *device = device_in(head);
    return is_ethernet(*device) ? 0 : ENOTSUP;
}

/* Its place among the known ones, whatever is there now. */
static struct route *place_of(struct routes *routes, const union address *to)
{
    uint16_t bytes;
    const uint8_t *const host = host_of(to, &bytes);
    uint32_t drawn = 0;

    for (uint16_t i = 0; i < bytes; i++)
        drawn = drawn * 31 + host[i];
    return &routes->known[(drawn ^ drawn >> 8) % ROUTES_KNOWN];
}

static bool is_same_host(const union address *a, const union address *b)
{
    return a->any.sa_family == b->any.sa_family && address_same_host(a, b) &&
           (a->any.sa_family != AF_INET6 || a->v6.sin6_scope_id == b->v6.sin6_scope_id);
}

int routes_find(struct routes *routes, uint32_t *device, const union address *from, const union address *to)
{
    struct route *const known = place_of(routes, to);
    int error = 0;

    if (is_same_host(&known->to, to) && is_same_host(&known->from, from))
        *device = known->device;
    else
        error = look_up(routes->fd, device, from, to);
    if (error == 0)
        *known = (struct route){*from, *to, *device};
    return error;
}

int route_watch(void)
{
    const struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
                     RTMGRP_IPV4_RULE,
    };
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error;

    if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof groups) != 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

bool route_changed(int fd)
{
    uint8_t told[ANSWER_BYTES];
    bool changed = false;

    /* ENOBUFS: there was more to tell than there was room for. */
    while (recv(fd, told, sizeof told, MSG_DONTWAIT | MSG_TRUNC) > 0 || errno == ENOBUFS)
        changed = true;
    return changed;
}
