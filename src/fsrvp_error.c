/* The codec's errors in words. */
#include "fsrvp_core.h"

const char *fsrvp_error_text(int error)
{
    switch (error) {
    case FSRVP_OK:
        return "no error";
    case FSRVP_TRUNCATED:
        return "it ends inside a field";
    case FSRVP_NO_ROOM:
        return "it does not fit its buffer";
    case FSRVP_NO_SUCH_METHOD:
        return "there is no method with this opnum";
    case FSRVP_STRING_OFFSET:
        return "a string does not begin at its first character";
    case FSRVP_STRING_COUNT:
        return "a string is empty or longer than it says";
    case FSRVP_STRING_TOO_LONG:
        return "a string is longer than 1024 UTF-16 units";
    case FSRVP_NOT_TERMINATED:
        return "a string does not end with NUL";
    case FSRVP_EMBEDDED_NUL:
        return "a string has a NUL inside";
    case FSRVP_BAD_UTF16:
        return "a string has half a surrogate pair";
    case FSRVP_BAD_UTF8:
        return "a text cannot be written as UTF-16";
    case FSRVP_BAD_GUID:
        return "a GUID does not have 16 bytes";
    case FSRVP_PDU_VERSION:
        return "it is not version 5.0 of the protocol";
    case FSRVP_PDU_FORMAT:
        return "its data representation is not supported";
    case FSRVP_PDU_LENGTH:
        return "its length is out of range";
    case FSRVP_PDU_VERIFIER:
        return "its verifier does not fit inside";
    case FSRVP_PDU_TOO_MANY:
        return "it offers more contexts than are accepted";
    case FSRVP_MOUNT_FORMAT:
        return "it is not a line of mountinfo";
    default:
        return "unknown error";
    }
}
