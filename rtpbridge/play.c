#include "play.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inband.h"

#define TICKS_PER_MS (VOICE_CLOCK_HZ / 1000)
#define FRAME_MS (PLAY_FRAME_TICKS / TICKS_PER_MS)
#define DIGIT_DBM0 (-10.0) /* of each tone, as DTMF_VOLUME_DBM0 */

static int item_check(const struct play_item *item, bool last)
{
    struct tone tone;
    uint8_t event;

    switch (item->kind) {
    case PLAY_PROMPT:
        return item->prompt != NULL ? 0 : EINVAL;
    case PLAY_TONE:
        if (item->duration_ms > PLAY_MS_MAX || (item->duration_ms == 0 && !last))
            return EINVAL;
        return tone_begin(&tone, &item->tone);
    case PLAY_PAUSE:
        return item->duration_ms > 0 && item->duration_ms <= PLAY_MS_MAX ? 0 : EINVAL;
    case PLAY_DIGIT:
        if (item->duration_ms < FRAME_MS || item->duration_ms > PLAY_MS_MAX)
            return EINVAL;
        return dtmf_event_of(item->digit, &event);
    }
    return EINVAL;
}

int playlist_open(struct playlist **list, const struct play_item *items, size_t count, bool barge_in)
{
    struct playlist *opened;
    int error = count == 0 || count > PLAY_ITEMS_MAX ? EINVAL : 0;

    for (size_t i = 0; error == 0 && i < count; i++)
        error = item_check(&items[i], i + 1 == count);
    if (error != 0)
        return error;
    opened = calloc(1, sizeof *opened + count * sizeof *items);
    if (opened == NULL)
        return ENOMEM;
    opened->barge_in = barge_in;
    opened->count = count;
    memcpy(opened->items, items, count * sizeof *items);
    for (size_t i = 0; i < count; i++)
        if (items[i].kind == PLAY_PROMPT)
            prompt_hold(items[i].prompt);
    *list = opened;
    return 0;
}

void playlist_close(struct playlist *list)
{
    for (size_t i = 0; list != NULL && i < list->count; i++)
        if (list->items[i].kind == PLAY_PROMPT)
            prompt_release(list->items[i].prompt);
    free(list);
}

bool playlist_is_endless(const struct playlist *list)
{
    const struct play_item *const last = &list->items[list->count - 1];

    return last->kind == PLAY_TONE && last->duration_ms == 0;
}

void player_speak(struct player *player, enum voice voice, uint8_t voice_payload, uint8_t event_payload)
{
    if (player->encoder.voice != voice)
        voice_encoder_begin(&player->encoder, voice);
    player->voice_payload = voice_payload;
    player->event_payload = event_payload;
}

struct playlist *player_begin(struct player *player, struct playlist *list)
{
    struct playlist *const before = player->list;

    player->list = list;
    player->playing = list != NULL;
    player->place = 0;
    player->entered = false;
    player->key = 0;
    /* A source like any other: its own numbers from 0 are turned into the stream's by the sender. */
    player->header = (struct rtp_header){.marker = true};
    return before;
}

/* The tones of a digit without a break. */
static void begin_digit_tone(struct tone *tone, char digit)
{
    struct tone_plan plan = {.frequencies_count = 2, .level_dbm0 = DIGIT_DBM0};

    if (inband_tones(digit, plan.frequencies_hz) == 0)
        tone_begin(tone, &plan);
}

void player_press(struct player *player, char digit)
{
    if (player->playing)
        return;
    if (player->key == 0)
        player->header = (struct rtp_header){.marker = true};
    player->key = digit;
    player->key_frames = PLAY_KEY_MS_MIN / FRAME_MS;
    begin_digit_tone(&player->key_tone, digit);
}

void player_release(struct player *player)
{
    if (player->key_frames == 0)
        player->key = 0;
    else
        player->key_frames |= 0x80000000u; /* over as soon as it has lasted */
}

bool player_is_busy(const struct player *player)
{
    return player->playing || player->key != 0;
}

/* The item at place begins, or the list ends: false. */
static bool enter(struct player *player)
{
    const struct play_item *item;

    if (player->place == player->list->count)
        return false;
    item = &player->list->items[player->place];
    if (!player->entered) {
        player->entered = true;
        player->position = 0;
        if (item->kind == PLAY_TONE) {
            tone_begin(&player->tone, &item->tone);
        } else if (item->kind == PLAY_DIGIT) {
            begin_digit_tone(&player->tone, item->digit);
            dtmf_sender_begin(&player->digit, item->digit, item->duration_ms * TICKS_PER_MS);
            player->digit_timestamp = player->header.timestamp;
        }
    }
    return true;
}

/* How many ticks of the item are left; 0 ticks are never asked of one that has no end. */
static uint32_t ticks_left(const struct player *player, const struct play_item *item)
{
    if (item->kind == PLAY_PROMPT)
        return (uint32_t)item->prompt->ticks - player->position;
    if (item->duration_ms == 0)
        return UINT32_MAX;
    return item->duration_ms * TICKS_PER_MS - player->position;
}

/* Up to `ticks` of one item, in 8 kHz, and in 16 where they are wanted; how many there were. */
static uint32_t fill_part(struct player *player, int16_t *narrow, int16_t *wide, uint32_t ticks)
{
    const struct play_item *const item = &player->list->items[player->place];
    const uint32_t left = ticks_left(player, item), part = left < ticks ? left : ticks;
    const bool has_wide = item->kind == PLAY_PROMPT && item->prompt->wide != NULL;

    if (item->kind == PLAY_PROMPT)
        memcpy(narrow, item->prompt->samples + player->position, part * sizeof *narrow);
    else if (item->kind == PLAY_PAUSE)
        memset(narrow, 0, part * sizeof *narrow);
    else
        tone_read(&player->tone, narrow, part);
    if (wide != NULL && has_wide)
        memcpy(wide, item->prompt->wide + 2 * player->position, 2 * part * sizeof *wide);
    else if (wide != NULL)
        upsample(&player->encoder.up, narrow, part, wide);
    player->position += part;
    if (part == left) {
        player->place++;
        player->entered = false;
    }
    return part;
}

static bool is_event(const struct player *player)
{
    return player->event_payload != PLAY_NO_EVENTS && player->place < player->list->count &&
           player->list->items[player->place].kind == PLAY_DIGIT;
}

static void fill_voice(struct player *player, uint8_t *octets)
{
    int16_t narrow[PLAY_FRAME_TICKS] = {0}, wide[2 * PLAY_FRAME_TICKS] = {0};
    const bool is_wide = player->encoder.voice == VOICE_G722;
    uint32_t done = 0;

    if (player->key != 0) {
        tone_read(&player->key_tone, narrow, PLAY_FRAME_TICKS);
        if (is_wide)
            upsample(&player->encoder.up, narrow, PLAY_FRAME_TICKS, wide);
        done = PLAY_FRAME_TICKS;
    }
    /* A digit that goes as an event begins with a frame of its own; the rest of this one is silent. */
    while (done < PLAY_FRAME_TICKS && (done == 0 || !is_event(player)) && enter(player))
        done += fill_part(player, narrow + done, is_wide ? wide + 2 * done : NULL, PLAY_FRAME_TICKS - done);
    if (is_wide)
        g722_encode(&player->encoder.g722, wide, PLAY_FRAME_TICKS, octets);
    else
        voice_encode(&player->encoder, narrow, PLAY_FRAME_TICKS, octets);
}

/* The packet of an event, one every frame; its last closes the item. */
static bool fill_event(struct player *player, struct packet *packet)
{
    uint32_t timestamp;

    enter(player);
    if (!dtmf_sender_next(&player->digit, PLAY_FRAME_TICKS, packet->octets + RTP_HEADER_BYTES, &packet->header.marker,
                          &timestamp)) {
        player->place++;
        player->entered = false;
        return false;
    }
    packet->header.timestamp = player->digit_timestamp + timestamp;
    packet->header.payload_type = player->event_payload;
    packet->header.payload_bytes = DTMF_EVENT_BYTES;
    return true;
}

static bool is_over(struct player *player)
{
    if (player->key != 0) {
        const unsigned int left = player->key_frames & 0x7fffffffu;

        if (left > 0)
            player->key_frames--;
        if (player->key_frames == 0x80000000u)
            player->key = 0;
        return false;
    }
    player->playing = player->place < player->list->count;
    return !player->playing;
}

bool player_frame(struct player *player, struct packet *packet)
{
    bool event = false;

    packet->header = player->header;
    packet->header.payload_begin = RTP_HEADER_BYTES;
    packet->clock_hz = VOICE_CLOCK_HZ;
    while (!event && player->key == 0 && is_event(player))
        event = fill_event(player, packet);
    if (!event) {
        packet->header.payload_type = player->voice_payload;
        packet->header.payload_bytes = PLAY_FRAME_TICKS;
        fill_voice(player, packet->octets + RTP_HEADER_BYTES);
    }
    packet->bytes = RTP_HEADER_BYTES + packet->header.payload_bytes;
    player->header.marker = false;
    player->header.sequence++;
    player->header.timestamp += PLAY_FRAME_TICKS;
    return is_over(player);
}
