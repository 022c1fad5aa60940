#pragma once
/* api.h for our own files: what it leans on, and once only. It cannot say so itself, for cffi reads it as it stands. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api.h"
