#include "address.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

int address_read(union address *address, const char *host, uint16_t port)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    int error = 0;

    if (getaddrinfo(host, NULL, &hints, &found) != 0 || found->ai_addrlen > sizeof *address) {
        error = EINVAL;
        goto out;
    }
    memset(address, 0, sizeof *address);
    memcpy(address, found->ai_addr, found->ai_addrlen);
    address_set_port(address, port);
out:
    if (found != NULL)
        freeaddrinfo(found);
    return error;
}

socklen_t address_bytes(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t address_port(const union address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void address_set_port(union address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
}

bool address_same_host(const union address *a, const union address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET6)
        return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
    return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

bool address_equal(const union address *a, const union address *b)
{
    return address_same_host(a, b) && address_port(a) == address_port(b);
}

bool address_same_network(const union address *a, const union address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET6)
        return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 8) == 0;
    return (ntohl(a->v4.sin_addr.s_addr) ^ ntohl(b->v4.sin_addr.s_addr)) < 256;
}
