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
    /* A Kerberos ticket with many groups makes these longer than a request may be. */
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
    pdu->fragment_size = load_u16(data + 8, pdu->big_endian);
    pdu->token_size = load_u16(data + 10, pdu->big_endian);
    pdu->call_id = load_u32(data + 12, pdu->big_endian);
    return check_header(data, pdu);
}

/* The verifier is at the end. The body is what lies before it, without its padding. */
static void read_verifier(reader *in, fsrvp_pdu *pdu)
{
    size_t left = in->size - in->offset;
    reader verifier = *in;

    pdu->body = (uint32_t)in->offset;
    pdu->body_size = (uint32_t)left;
    if (pdu->token_size == 0 || in->error != FSRVP_OK) {
        return;
    }
    if (left < VERIFIER_SIZE || left - VERIFIER_SIZE < pdu->token_size) {
        reader_fail(in, FSRVP_PDU_VERIFIER);
        return;
    }
    pdu->token = (uint32_t)(in->size - pdu->token_size);
    verifier.offset = pdu->token - VERIFIER_SIZE;
    pdu->auth_type = reader_u8(&verifier);
    pdu->auth_level = reader_u8(&verifier);
    pdu->auth_padding = reader_u8(&verifier);
    (void)reader_u8(&verifier);
    pdu->auth_context_id = reader_u32(&verifier);
    pdu->body_size = (uint32_t)(left - VERIFIER_SIZE - pdu->token_size);
    if (pdu->auth_padding > pdu->body_size) {
        reader_fail(in, FSRVP_PDU_VERIFIER);
        return;
    }
    pdu->body_size -= pdu->auth_padding;
}

static void read_request(reader *in, fsrvp_pdu *pdu)
{
    pdu->alloc_hint = reader_u32(in);
    pdu->context_id = reader_u16(in);
    pdu->opnum = reader_u16(in);
    if (pdu->flags & FSRVP_OBJECT_UUID) {
        (void)reader_bytes(in, OBJECT_SIZE);
    }
}

static void read_bind(reader *in, fsrvp_pdu *pdu)
{
    pdu->max_transmit = reader_u16(in);
    pdu->max_receive = reader_u16(in);
    pdu->group = reader_u32(in);
}

int fsrvp_pdu_parse(const uint8_t *data, size_t size, fsrvp_pdu *pdu)
{
    int error = read_header(data, size, pdu);
    reader in;

    if (error != FSRVP_OK) {
        return error;
    }
    if (size < pdu->fragment_size) {
        return FSRVP_TRUNCATED;
    }
    in = reader_from(data, pdu->fragment_size, pdu->big_endian ? FSRVP_BIG_ENDIAN : 0);
    in.offset = HEADER_SIZE;
    if (pdu->type == FSRVP_REQUEST) {
        read_request(&in, pdu);
    } else if (pdu->type == FSRVP_BIND || pdu->type == FSRVP_ALTER_CONTEXT) {
        read_bind(&in, pdu);
    }
    read_verifier(&in, pdu);
    /* For the caller TRUNCATED means that more bytes may help; here they do not. */
    return in.error == FSRVP_TRUNCATED ? FSRVP_PDU_LENGTH : in.error;
}

static void read_syntax(reader *in, uint8_t *syntax)
{
    uint32_t version;

    ndr_read_guid(in, syntax);
    version = reader_u32(in);
    store_u32(syntax + GUID_SIZE, version, false);
}

static void read_offer(reader *in, fsrvp_offer *offer)
{
    offer->context_id = reader_u16(in);
    offer->count = reader_u8(in);
    (void)reader_u8(in);
    read_syntax(in, offer->abstract_syntax);
    if (offer->count > FSRVP_SYNTAXES_MAX) {
        reader_fail(in, FSRVP_PDU_TOO_MANY);
        return;
    }
    for (uint32_t i = 0; i < offer->count; i++) {
        read_syntax(in, offer->transfer_syntaxes[i]);
    }
}

int fsrvp_pdu_offers(const uint8_t *data, size_t size, const fsrvp_pdu *pdu, fsrvp_offer *offers)
{
    reader in = reader_from(data, size, pdu->big_endian ? FSRVP_BIG_ENDIAN : 0);
    uint32_t count;

    (void)reader_bytes(&in, pdu->body);
    if (in.error == FSRVP_OK && pdu->body_size <= in.size - in.offset) {
        in.size = in.offset + pdu->body_size;
    }
    count = reader_u8(&in);
    (void)reader_bytes(&in, 3);
    if (count > FSRVP_OFFERS_MAX) {
        return FSRVP_PDU_TOO_MANY;
    }
    for (uint32_t i = 0; i < count; i++) {
        read_offer(&in, &offers[i]);
    }
    return in.error == FSRVP_OK ? (int)count : in.error;
}

static void write_header(writer *out, uint32_t type, uint32_t flags, uint32_t call_id)
{
    static const uint8_t label[] = {LITTLE_ENDIAN_LABEL, 0, 0, 0};
    uint8_t *here;

    writer_u8(out, 5);
    writer_u8(out, 0);
    writer_u8(out, (uint8_t)type);
    writer_u8(out, (uint8_t)flags);
    here = writer_bytes(out, sizeof label);
    if (here != NULL) {
        memcpy(here, label, sizeof label);
    }
    writer_u16(out, 0);
    writer_u16(out, 0);
    writer_u32(out, call_id);
}

/* Writes the size into the header, now that it is known. */
static int finish(writer *out)
{
    if (out->error == FSRVP_OK && out->offset > UINT16_MAX) {
        writer_fail(out, FSRVP_NO_ROOM);
    }
    if (out->error == FSRVP_OK) {
        store_u16(out->data + 8, (uint16_t)out->offset, false);
    }
    return writer_result(out);
}

static void write_raw(writer *out, const void *data, size_t size)
{
    uint8_t *here = writer_bytes(out, size);

    if (here != NULL && size != 0) {
        memcpy(here, data, size);
    }
}

static void write_result(writer *out, const fsrvp_result *result)
{
    writer_u16(out, result->result);
    writer_u16(out, result->reason);
    write_raw(out, result->syntax, sizeof result->syntax);
}

int fsrvp_write_bind_ack(uint32_t type, uint32_t flags, uint32_t call_id, uint32_t max_fragment,
                         uint32_t group, const char *address, size_t address_size,
                         const fsrvp_result *results, size_t count, uint8_t *pdu, size_t size)
{
    writer out = writer_to(pdu, size, 0);

    write_header(&out, type, flags, call_id);
    writer_u16(&out, (uint16_t)max_fragment);
    writer_u16(&out, (uint16_t)max_fragment);
    writer_u32(&out, group);
    writer_u16(&out, (uint16_t)address_size);
    write_raw(&out, address, address_size);
    writer_align(&out, 4);
    writer_u32(&out, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        write_result(&out, &results[i]);
    }
    return finish(&out);
}

int fsrvp_write_bind_nak(uint32_t call_id, uint32_t reason, uint8_t *pdu, size_t size)
{
    writer out = writer_to(pdu, size, 0);

    write_header(&out, FSRVP_BIND_NAK, FSRVP_FIRST_FRAGMENT | FSRVP_LAST_FRAGMENT, call_id);
    writer_u16(&out, (uint16_t)reason);
    /* The number of supported versions, and the one: 5.0. */
    writer_u8(&out, 1);
    writer_u8(&out, 5);
    writer_u8(&out, 0);
    writer_align(&out, 4);
    return finish(&out);
}

int fsrvp_write_fault(uint32_t flags, uint32_t call_id, uint32_t context_id, uint32_t status,
                      uint8_t *pdu, size_t size)
{
    writer out = writer_to(pdu, size, 0);

    write_header(&out, FSRVP_FAULT, flags, call_id);
    writer_u32(&out, 32);
    writer_u16(&out, (uint16_t)context_id);
    writer_u16(&out, 0);
    writer_u32(&out, status);
    writer_u32(&out, 0);
    return finish(&out);
}

int fsrvp_write_response(uint32_t flags, uint32_t call_id, uint32_t context_id, uint32_t alloc_hint,
                         const uint8_t *stub, size_t stub_size, uint8_t *pdu, size_t size)
{
    writer out = writer_to(pdu, size, 0);

    write_header(&out, FSRVP_RESPONSE, flags, call_id);
    writer_u32(&out, alloc_hint);
    writer_u16(&out, (uint16_t)context_id);
    writer_u16(&out, 0);
    write_raw(&out, stub, stub_size);
    return finish(&out);
}
