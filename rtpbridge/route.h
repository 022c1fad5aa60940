#pragma once
/* Which way the kernel would send to an address, asked by rtnetlink (rtnetlink(7)), and whether that may have changed. */

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

struct route {
    uint32_t device;          /* index; 0: the address is this host's own */
};

/* A socket to ask on; -1 and errno. */
int route_open(void);
/* EHOSTUNREACH: no way; ENOTSUP: by a device that is no Ethernet, which frames are not for the program to read. */
int route_find(int fd, struct route *route, const union address *from, const union address *to);
/* A socket that is readable after links, addresses, routes or rules have changed; -1 and errno. */
int route_watch(void);
/* Reads it empty; true: something has changed. */
bool route_changed(int fd);
