// The binary form of the control rows' contents (control_rows.hpp). Every decoder is strict: one
// content has one form, and anything else is an empty optional.
#pragma once

#include <optional>

#include "keys/batch_rows.hpp"
#include "keys/control_rows.hpp"

namespace quietus::codec {

Bytes encode(const KeyRow& row);
Bytes encode(const InfoRow& row);
Bytes encode(const Tombstone& row);
Bytes encode(const Intent& row);
Bytes encode(const CertificateRow& row);
Bytes encode(const ExportRow& row);
Bytes encode(const BatchRow& row);
Bytes encode(const BatchStatement& row);
Bytes encode(const BatchBlock& row);

std::optional<KeyRow> decode_key_row(ByteView content);
std::optional<InfoRow> decode_info_row(ByteView content);
std::optional<Tombstone> decode_tombstone(ByteView content);
std::optional<Intent> decode_intent(ByteView content);
std::optional<CertificateRow> decode_certificate_row(ByteView content);
std::optional<ExportRow> decode_export_row(ByteView content);
std::optional<BatchRow> decode_batch_row(ByteView content);
std::optional<BatchStatement> decode_batch_statement(ByteView content);
std::optional<BatchBlock> decode_batch_block(ByteView content);

}  // namespace quietus::codec
