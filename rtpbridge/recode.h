#pragma once
/* Which recoding stands between two codecs. Nothing is sent from here. */

#include <stdbool.h>

#include "hooks.h"

/* The recoding from one codec to another; false: there is none. Sets turn, state and clock_hz. */
bool recode_between(struct recoding *recoding, const struct codec *from, const struct codec *to);
