#pragma once
/* Transport addresses: an IPv4 or IPv6 host and a UDP port. Nothing here opens a socket. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Reads a literal ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"); EINVAL for anything else. */
int address_read(union address *address, const char *host, uint16_t port);
/* The size to hand to bind() and sendmsg(). */
socklen_t address_bytes(const union address *address);
uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);
bool address_same_host(const union address *a, const union address *b);
bool address_equal(const union address *a, const union address *b);
/* The same IPv4 /24 or IPv6 /64: as a rule one network behind one NAT. */
bool address_same_network(const union address *a, const union address *b);
