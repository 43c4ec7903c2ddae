/* PDUs of connection-oriented DCE/RPC: see "PDUs" in fsrvp_core.h.
 *
 * Spec: C706 12.6, MS-RPCE 2.2.2.
 */
#include "fsrvp_ndr.h"

#include <string.h>

#define HEADER_SIZE 16
#define VERIFIER_SIZE 8 /* of the part before the token */
#define OBJECT_SIZE 16
#define LITTLE_ENDIAN_LABEL 0x10

static bool accepts_long_fragments(uint32_t type)
{
    /* A Kerberos ticket with many groups in it makes these longer than a request may be. */
    return type == FSRVP_BIND || type == FSRVP_ALTER_CONTEXT || type == FSRVP_AUTH3;
}

static int check_header(const uint8_t *data, const fsrvp_pdu *pdu)
{
    if (data[0] != 5 || data[1] != 0) {
        return FSRVP_PDU_VERSION;
    }
    if ((data[4] & ~LITTLE_ENDIAN_LABEL) != 0 || data[5] != 0 || data[6] != 0 || data[7] != 0) {
        return FSRVP_PDU_FORMAT;
    }
    if (pdu->fragment_size < HEADER_SIZE) {
        return FSRVP_PDU_LENGTH;
    }
    if (pdu->fragment_size > FSRVP_FRAGMENT_MAX && !accepts_long_fragments(pdu->type)) {
        return FSRVP_PDU_LENGTH;
    }
    return FSRVP_OK;
}

static int read_header(const uint8_t *data, size_t size, fsrvp_pdu *pdu)
{
    memset(pdu, 0, sizeof *pdu);
    if (size < HEADER_SIZE) {
        return FSRVP_TRUNCATED;
    }
    pdu->type = data[2];
    pdu->flags = data[3];
    pdu->big_endian = (data[4] & LITTLE_ENDIAN_LABEL) == 0;
    pdu->fragment_size = fsrvp_load_u16(data + 8, pdu->big_endian);
    pdu->token_size = fsrvp_load_u16(data + 10, pdu->big_endian);
    pdu->call_id = fsrvp_load_u32(data + 12, pdu->big_endian);
    return check_header(data, pdu);
}

/* The verifier stands at the end; the body lies between `in` and it, less its padding. */
static void read_verifier(fsrvp_reader *in, fsrvp_pdu *pdu)
{
    size_t left = in->size - in->offset;
    fsrvp_reader verifier = *in;

    pdu->body = (uint32_t)in->offset;
    pdu->body_size = (uint32_t)left;
    if (pdu->token_size == 0 || in->error != FSRVP_OK) {
        return;
    }
    if (left < VERIFIER_SIZE || left - VERIFIER_SIZE < pdu->token_size) {
        fsrvp_read_fail(in, FSRVP_PDU_VERIFIER);
        return;
    }
    pdu->token = (uint32_t)(in->size - pdu->token_size);
    verifier.offset = pdu->token - VERIFIER_SIZE;
    pdu->auth_type = fsrvp_read_u8(&verifier);
    pdu->auth_level = fsrvp_read_u8(&verifier);
    pdu->auth_padding = fsrvp_read_u8(&verifier);
    (void)fsrvp_read_u8(&verifier);
    pdu->auth_context_id = fsrvp_read_u32(&verifier);
    pdu->body_size = (uint32_t)(left - VERIFIER_SIZE - pdu->token_size);
    if (pdu->auth_padding > pdu->body_size) {
        fsrvp_read_fail(in, FSRVP_PDU_VERIFIER);
        return;
    }
    pdu->body_size -= pdu->auth_padding;
}

static void read_request(fsrvp_reader *in, fsrvp_pdu *pdu)
{
    pdu->alloc_hint = fsrvp_read_u32(in);
    pdu->context_id = fsrvp_read_u16(in);
    pdu->opnum = fsrvp_read_u16(in);
    if (pdu->flags & FSRVP_OBJECT_UUID) {
        (void)fsrvp_read_bytes(in, OBJECT_SIZE);
    }
}

static void read_bind(fsrvp_reader *in, fsrvp_pdu *pdu)
{
    pdu->max_transmit = fsrvp_read_u16(in);
    pdu->max_receive = fsrvp_read_u16(in);
    pdu->group = fsrvp_read_u32(in);
}

int fsrvp_pdu_parse(const uint8_t *data, size_t size, fsrvp_pdu *pdu)
{
    int error = read_header(data, size, pdu);
    fsrvp_reader in;

    if (error != FSRVP_OK) {
        return error;
    }
    if (size < pdu->fragment_size) {
        return FSRVP_TRUNCATED;
    }
    in = fsrvp_read_from(data, pdu->fragment_size, pdu->big_endian ? FSRVP_BIG_ENDIAN : 0);
    in.offset = HEADER_SIZE;
    if (pdu->type == FSRVP_REQUEST) {
        read_request(&in, pdu);
    } else if (pdu->type == FSRVP_BIND || pdu->type == FSRVP_ALTER_CONTEXT) {
        read_bind(&in, pdu);
    }
    read_verifier(&in, pdu);
    /* To the caller TRUNCATED means that more bytes may help; here they would not. */
    return in.error == FSRVP_TRUNCATED ? FSRVP_PDU_LENGTH : in.error;
}

static void read_syntax(fsrvp_reader *in, uint8_t *syntax)
{
    uint32_t version;

    fsrvp_ndr_read_guid(in, syntax);
    version = fsrvp_read_u32(in);
    fsrvp_store_u32(syntax + FSRVP_GUID_SIZE, version, false);
}

int fsrvp_pdu_is_whole_request(const uint8_t *data, size_t size, fsrvp_pdu *pdu)
{
    const uint32_t whole = FSRVP_FIRST_FRAGMENT | FSRVP_LAST_FRAGMENT;

    return fsrvp_pdu_parse(data, size, pdu) == FSRVP_OK && pdu->type == FSRVP_REQUEST &&
           (pdu->flags & whole) == whole && pdu->fragment_size == size && pdu->token_size == 0;
}

static void read_offer(fsrvp_reader *in, fsrvp_offer *offer)
{
    offer->context_id = fsrvp_read_u16(in);
    offer->count = fsrvp_read_u8(in);
    (void)fsrvp_read_u8(in);
    read_syntax(in, offer->abstract_syntax);
    if (offer->count > FSRVP_SYNTAXES_MAX) {
        fsrvp_read_fail(in, FSRVP_PDU_TOO_MANY);
        return;
    }
    for (uint32_t i = 0; i < offer->count; i++) {
        read_syntax(in, offer->transfer_syntaxes[i]);
    }
}

int fsrvp_pdu_offers(const uint8_t *data, size_t size, const fsrvp_pdu *pdu,
                     fsrvp_offer *offers)
{
    fsrvp_reader in = fsrvp_read_from(data, size, pdu->big_endian ? FSRVP_BIG_ENDIAN : 0);
    uint32_t count;

    (void)fsrvp_read_bytes(&in, pdu->body);
    if (in.error == FSRVP_OK && pdu->body_size <= in.size - in.offset) {
        in.size = in.offset + pdu->body_size;
    }
    count = fsrvp_read_u8(&in);
    (void)fsrvp_read_bytes(&in, 3);
    if (count > FSRVP_OFFERS_MAX) {
        return FSRVP_PDU_TOO_MANY;
    }
    for (uint32_t i = 0; i < count; i++) {
        read_offer(&in, &offers[i]);
    }
    return in.error == FSRVP_OK ? (int)count : in.error;
}

static void write_header(fsrvp_writer *out, uint32_t type, uint32_t flags, uint32_t call_id)
{
    static const uint8_t label[] = {LITTLE_ENDIAN_LABEL, 0, 0, 0};
    uint8_t *here;

    fsrvp_write_u8(out, 5);
    fsrvp_write_u8(out, 0);
    fsrvp_write_u8(out, (uint8_t)type);
    fsrvp_write_u8(out, (uint8_t)flags);
    here = fsrvp_write_bytes(out, sizeof label);
    if (here != NULL) {
        memcpy(here, label, sizeof label);
    }
    fsrvp_write_u16(out, 0);
    fsrvp_write_u16(out, 0);
    fsrvp_write_u32(out, call_id);
}

/* Puts the size into the header, now that it is known. */
static int finish(fsrvp_writer *out)
{
    if (out->error == FSRVP_OK && out->offset > UINT16_MAX) {
        fsrvp_write_fail(out, FSRVP_NO_ROOM);
    }
    if (out->error == FSRVP_OK) {
        fsrvp_store_u16(out->data + 8, (uint16_t)out->offset, false);
    }
    return fsrvp_written(out);
}

static void write_raw(fsrvp_writer *out, const void *data, size_t size)
{
    uint8_t *here = fsrvp_write_bytes(out, size);

    if (here != NULL && size != 0) {
        memcpy(here, data, size);
    }
}

static void write_result(fsrvp_writer *out, const fsrvp_result *result)
{
    fsrvp_write_u16(out, result->result);
    fsrvp_write_u16(out, result->reason);
    write_raw(out, result->syntax, sizeof result->syntax);
}

int fsrvp_write_bind_ack(uint32_t type, uint32_t flags, uint32_t call_id,
                         uint32_t max_fragment, uint32_t group, const char *address,
                         size_t address_size, const fsrvp_result *results, size_t count,
                         uint8_t *pdu, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(pdu, size, 0);

    write_header(&out, type, flags, call_id);
    fsrvp_write_u16(&out, (uint16_t)max_fragment);
    fsrvp_write_u16(&out, (uint16_t)max_fragment);
    fsrvp_write_u32(&out, group);
    fsrvp_write_u16(&out, (uint16_t)address_size);
    write_raw(&out, address, address_size);
    fsrvp_write_align(&out, 4);
    fsrvp_write_u32(&out, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        write_result(&out, &results[i]);
    }
    return finish(&out);
}

int fsrvp_write_bind_nak(uint32_t call_id, uint32_t reason, uint8_t *pdu, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(pdu, size, 0);

    write_header(&out, FSRVP_BIND_NAK, FSRVP_FIRST_FRAGMENT | FSRVP_LAST_FRAGMENT, call_id);
    fsrvp_write_u16(&out, (uint16_t)reason);
    /* One protocol version is supported: 5.0. */
    fsrvp_write_u8(&out, 1);
    fsrvp_write_u8(&out, 5);
    fsrvp_write_u8(&out, 0);
    fsrvp_write_align(&out, 4);
    return finish(&out);
}

int fsrvp_write_fault(uint32_t flags, uint32_t call_id, uint32_t context_id, uint32_t status,
                      uint8_t *pdu, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(pdu, size, 0);

    write_header(&out, FSRVP_FAULT, flags, call_id);
    fsrvp_write_u32(&out, 32);
    fsrvp_write_u16(&out, (uint16_t)context_id);
    fsrvp_write_u16(&out, 0);
    fsrvp_write_u32(&out, status);
    fsrvp_write_u32(&out, 0);
    return finish(&out);
}

int fsrvp_write_response(uint32_t flags, uint32_t call_id, uint32_t context_id,
                         uint32_t alloc_hint, const uint8_t *stub, size_t stub_size,
                         uint8_t *pdu, size_t size)
{
    fsrvp_writer out = fsrvp_write_to(pdu, size, 0);

    write_header(&out, FSRVP_RESPONSE, flags, call_id);
    fsrvp_write_u32(&out, alloc_hint);
    fsrvp_write_u16(&out, (uint16_t)context_id);
    fsrvp_write_u16(&out, 0);
    write_raw(&out, stub, stub_size);
    return finish(&out);
}
