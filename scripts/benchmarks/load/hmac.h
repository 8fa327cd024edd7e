// HMAC-SHA256 in hexadecimal, as Pusher's clients show it.
#pragma once
#include <stddef.h>

enum { HMAC_HEX = 65 };

// Writes 64 digits and a final zero.
void hmac_hex(const char *key, size_t key_length, const char *text, size_t length, char out[HMAC_HEX]);
