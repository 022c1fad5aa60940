#pragma once
/*
 * From one sampling rate to any other, for what is made once and kept (voices of 22,050 Hz into prompts): a sinc under a Blackman
 * window. resample.h is for what goes through the bridge. Pure but for memory; rate_change() is of api.h.
 */

#include <stddef.h>
#include <stdint.h>

#include "face.h"
