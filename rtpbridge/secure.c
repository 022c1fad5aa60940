#include "secure.h"

#include <errno.h>

_Static_assert(SRTP_GROWTH_BYTES_MAX <= PACKET_TRAILER_BYTES, "a sealed packet fits its room");

#define ROOM_BYTES (PACKET_BYTES_MAX + PACKET_TRAILER_BYTES)

static int open_rtp(void *state, uint8_t *packet, size_t *bytes)
{
    return srtp_rtp_unprotect(((struct secured *)state)->receives, packet, bytes);
}

static int open_rtcp(void *state, uint8_t *packet, size_t *bytes)
{
    return srtp_rtcp_unprotect(((struct secured *)state)->receives, packet, bytes);
}

static int seal_rtp(void *state, uint8_t *packet, size_t *bytes)
{
    return srtp_rtp_protect(((struct secured *)state)->sends, packet, bytes, ROOM_BYTES);
}

static int seal_rtcp(void *state, uint8_t *packet, size_t *bytes)
{
    return srtp_rtcp_protect(((struct secured *)state)->sends, packet, bytes, *bytes + PACKET_TRAILER_BYTES);
}

int secured_open(struct secured *secured, const struct srtp_key *ours, const struct srtp_key *theirs,
                 uint32_t rollovers_max)
{
    int error = 0;

    *secured = (struct secured){0};
    if ((ours == NULL) != (theirs == NULL))
        error = EINVAL;
    if (error == 0 && ours != NULL)
        error = srtp_open(&secured->sends, ours, true, 0);
    if (error == 0 && theirs != NULL)
        error = srtp_open(&secured->receives, theirs, false, rollovers_max);
    if (error != 0)
        secured_close(secured);
    return error;
}

void secured_close(struct secured *secured)
{
    srtp_close(secured->sends);
    srtp_close(secured->receives);
    *secured = (struct secured){0};
}

void secured_renew(struct secured *secured, struct secured *fresh, struct envelope *envelope)
{
    if (secured->sends != NULL && fresh->sends != NULL) {
        srtp_rekey(secured->sends, fresh->sends);
        srtp_rekey(secured->receives, fresh->receives);
    } else {
        const struct secured former = *secured;

        *secured = *fresh;
        *fresh = former;
    }
    *envelope = (struct envelope){0};
    if (secured->sends != NULL)
        *envelope = (struct envelope){open_rtp, open_rtcp, seal_rtp, seal_rtcp, secured};
}
