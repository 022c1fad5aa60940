#pragma once
/*
 * What a port plays to its far side, a frame of 20 ms at a time: prompts, tones, pauses and digits in a row. Digits go as
 * telephone events where the far side has them, else as tones. Pure: it fills packets and says nothing of when.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtmf.h"
#include "packet.h"
#include "prompt.h"
#include "tone.h"
#include "voice.h"

#define PLAY_FRAME_TICKS 160
#define PLAY_NO_EVENTS UINT8_MAX

/* Made and freed by who asks for it, never by the media thread. */
struct playlist {
    bool barge_in;
    size_t count;
    struct play_item items[];
};

/* Holds the prompts. EINVAL: an item out of its limits, or after a tone without an end; ENOMEM. */
int playlist_open(struct playlist **list, const struct play_item *items, size_t count, bool barge_in);
/* NULL is no fault. */
void playlist_close(struct playlist *list);
/* A tone without an end is in it: it cannot be played to who is joined. */
bool playlist_is_endless(const struct playlist *list);

struct player {
    bool playing;
    char key;                  /* of the peer's telephone events: heard as a tone while it is pressed */
    uint8_t voice_payload;
    uint8_t event_payload;     /* PLAY_NO_EVENTS: it has none */
    struct playlist *list;     /* also after its end, until another comes */
    size_t place;
    bool entered;              /* the item at place has begun */
    uint32_t position;         /* ticks of it that were played */
    struct tone tone;
    struct dtmf_sender digit;
    uint32_t digit_timestamp;
    unsigned int key_frames;   /* that it must still last */
    struct tone key_tone;
    struct voice_encoder encoder;
    struct rtp_header header;  /* of the next frame, as a source of its own */
};

/* How the far side can be played to, now or from now on; the encoder of the same voice goes on. */
void player_speak(struct player *player, enum voice voice, uint8_t voice_payload, uint8_t event_payload);
/* Plays from now on; what it played before is returned, for playlist_close(). `list` may be NULL: nothing plays. */
struct playlist *player_begin(struct player *player, struct playlist *list);
/* A key of the peer goes down, or up: its tone replaces the peer's voice, PLAY_KEY_MS_MIN at least. */
#define PLAY_KEY_MS_MIN 60
void player_press(struct player *player, char digit);
void player_release(struct player *player);
/* True: there is a frame to come. */
bool player_is_busy(const struct player *player);
/* Writes the next frame into the packet; true: it was the last of the list. */
bool player_frame(struct player *player, struct packet *packet);
