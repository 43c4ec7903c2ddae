/* libFuzzer: PDUs. Every offset and size that the parser reports must be inside the PDU. */
#include "fsrvp_core.h"

#include <stdlib.h>

static void require(int holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fsrvp_offer offers[FSRVP_OFFERS_MAX];
    fsrvp_pdu pdu;
    int count;

    if (fsrvp_pdu_parse(data, size, &pdu) != FSRVP_OK) {
        return 0;
    }
    require(pdu.fragment_size >= 16 && pdu.fragment_size <= size);
    require(pdu.body + pdu.body_size + pdu.auth_padding <= pdu.fragment_size);
    if (pdu.token_size != 0) {
        require(pdu.token + pdu.token_size == pdu.fragment_size);
        require(pdu.body + pdu.body_size + pdu.auth_padding + 8 == pdu.token);
    }
    count = fsrvp_pdu_offers(data, size, &pdu, offers);
    require(count <= FSRVP_OFFERS_MAX);
    for (int i = 0; i < count; i++) {
        require(offers[i].count <= FSRVP_SYNTAXES_MAX);
    }
    return 0;
}
