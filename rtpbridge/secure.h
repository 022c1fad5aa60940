#pragma once
/* The envelope of a port whose far side speaks SRTP: hooks.h's four places filled with srtp.c. */

#include "hooks.h"
#include "srtp.h"

struct secured {
    struct srtp *sends;        /* NULL: plain RTP */
    struct srtp *receives;
};

/* `fresh` holds both directions or none. What it needs no more is left in it, for secured_close(). */
void secured_renew(struct secured *secured, struct secured *fresh, struct envelope *envelope);
/* Opens both directions; both keys NULL: none. EINVAL: one key alone, or out of its limits; ENOMEM; EIO. */
int secured_open(struct secured *secured, const struct srtp_key *ours, const struct srtp_key *theirs,
                 uint32_t rollovers_max);
void secured_close(struct secured *secured);
