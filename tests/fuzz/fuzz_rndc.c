/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control channel of rndc: the octets are a message (without its length). What can be read of
 * it is compared with a key, and the words of its command are taken apart whether it is signed or
 * not. Whatever is read is answered, and the answer can be read.
 */
#include <stdlib.h>
#include <string.h>

#include "control/rndc_message.h"
#include "control/rndc_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    struct rndc_message message, again;
    struct hmac_key key;
    memcpy(copy, data, size);
    hmac_key_init(&key, HMAC_SHA256, slice_str("secretsecretsecretsecret"));
    if (rndc_message_read(slice_of(copy, size), &message, NULL) == OK) {
        struct rndc_line line;
        enum rndc_result result;
        struct text text, out;
        (void)rndc_message_is_signed(&message, &key);
        text_init(&text, 65536);
        text_init(&out, 0);
        (void)rndc_line_read(message.command, &line, &result, &text);
        struct rndc_reply reply = {
            .nonce = 1, .result = result, .failure = rndc_result_sentence(result)};
        rndc_reply_write(&reply, &message, &key, &out);
        REQUIRE(rndc_message_read(slice_of(out.bytes + 4, out.size - 4), &again, NULL) == OK);
        REQUIRE(rndc_message_is_signed(&again, &key));
        rndc_line_deinit(&line);
        text_deinit(&text);
        text_deinit(&out);
    }
    hmac_key_deinit(&key);
    free(copy);
    return 0;
}
