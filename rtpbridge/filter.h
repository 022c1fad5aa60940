#pragma once
/*
 * A filter of the system on one UDP socket: datagrams of nobody but the given hosts are dropped before they take room in
 * the socket's buffer, wake anybody or are answered. Needs no privilege.
 */

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

/* Only datagrams of these pass from now on; any_port: from whichever port of theirs. An errno, and nothing has changed. */
int filter_set(int fd, const union address *a, const union address *b, bool any_port);
/* Everybody's pass. */
void filter_clear(int fd);
/* How many datagrams the system dropped at the socket: by its filter, or because its buffer was full. */
uint64_t filter_dropped(int fd);
