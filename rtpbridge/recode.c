#include "recode.h"

#include <strings.h>

#include "g711.h"

static size_t pcmu_to_pcma(void *state, struct packet *packets)
{
    (void)state;
    g711_pcmu_to_pcma(packets->octets + packets->header.payload_begin, packets->header.payload_bytes);
    return 1;
}

static size_t pcma_to_pcmu(void *state, struct packet *packets)
{
    (void)state;
    g711_pcma_to_pcmu(packets->octets + packets->header.payload_begin, packets->header.payload_bytes);
    return 1;
}

/* A far side may answer with one law of G.711 while the other side sends the other: that much is recoded. */
static const struct {
    const char *from;
    const char *to;
    size_t (*turn)(void *state, struct packet *packets);
} TURNS[] = {
    {"PCMU/8000", "PCMA/8000", pcmu_to_pcma},
    {"PCMA/8000", "PCMU/8000", pcma_to_pcmu},
};

bool recode_between(struct recoding *recoding, const struct codec *from, const struct codec *to)
{
    for (size_t i = 0; i < sizeof TURNS / sizeof *TURNS; i++)
        if (strcasecmp(TURNS[i].from, from->name) == 0 && strcasecmp(TURNS[i].to, to->name) == 0) {
            recoding->turn = TURNS[i].turn;
            recoding->state = NULL;
            recoding->clock_hz = to->clock_hz;
            return true;
        }
    return false;
}
