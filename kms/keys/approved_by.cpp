#include "keys/approved_by.hpp"

#include "base/byte_reader.hpp"
#include "keys/scope_table.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace {

constexpr std::uint8_t kApprovedVersion = 1;
constexpr char kApprovedTable = 'v';
constexpr std::size_t kMaxKind = 64;
constexpr std::uint16_t kMostApprovals = 32;

std::optional<ClaimedRequest> decode_approved(ByteView content) {
  ByteReader in(content);
  ClaimedRequest row;
  const std::uint8_t version = in.u8();
  row.request = in.array<16>();
  const auto kind = Code::parse(in.text(kMaxKind));
  row.kind = kind.value_or(Code("none"));
  row.plan = in.array<sizeof(Sha256)>();
  const std::uint16_t approvals = in.u16();
  if (!kind || approvals > kMostApprovals) in.fail();
  for (std::uint16_t i = 0; i < approvals && !in.failed(); ++i) {
    ClaimedApproval& one = row.approvals.emplace_back();
    one.person = in.array<16>();
    one.key = in.array<sizeof(Sha256)>();
    one.time = static_cast<UnixMillis>(in.u64());
    one.touched = in.flag();
    one.verified = in.flag();
  }
  return in.done() && version == kApprovedVersion ? std::optional(std::move(row)) : std::nullopt;
}

Bytes encode(const ClaimedRequest& row) {
  ByteWriter content;
  content.u8(kApprovedVersion)
      .raw(row.request)
      .text(row.kind.text())
      .raw(row.plan)
      .u16(static_cast<std::uint16_t>(row.approvals.size()));
  for (const ClaimedApproval& one : row.approvals)
    content.raw(one.person)
        .raw(one.key)
        .u64(static_cast<std::uint64_t>(one.time))
        .u8(one.touched ? 1 : 0)
        .u8(one.verified ? 1 : 0);
  return content.take();
}

// Of which kind of request the erasure can be the end, by its reason (governance/due.hpp).
std::string_view cause_of(const Code& reason) {
  if (reason.text() == "contract-ended") return "termination";
  if (reason.text() == "consent-withdrawn") return "consent-withdrawal";
  return {};
}

// Of the nearest scope that a request of that kind was carried out for: it counts for all below.
Result<std::optional<ClaimedRequest>> cause_above(ControlReader& reader, const RowSeal& seal,
                                                  ScopeId scope, std::string_view kind) {
  for (std::size_t depth = 0; scope != kVaultScope && depth < kMaxScopeDepth; ++depth) {
    auto request = rows::approved_for(reader, seal, scope);
    if (!request || (*request && (*request)->kind.text() == kind)) return request;
    const auto row = rows::key_row(reader, seal, scope);
    if (!row || !*row) break;
    scope = (*row)->parent;
  }
  return std::optional<ClaimedRequest>();
}

Result<void> claim_cause(ControlReader& reader, const RowSeal& seal, ErasureClaims& claims) {
  const std::string_view kind = cause_of(claims.reason);
  if (kind.empty() || claims.targets.empty()) return {};
  // A certificate names one request: that of all its scopes, or none.
  std::optional<ClaimedRequest> common;
  for (const ClaimedTarget& target : claims.targets) {
    auto cause = cause_above(reader, seal, target.scope, kind);
    if (!cause || !*cause || (common && common->request != (*cause)->request)) return {};
    common = std::move(*cause);
  }
  claims.request = std::move(common);
  return {};
}

}  // namespace

Result<void> claim_decision(ControlReader& reader, const RowSeal& seal, bool governed,
                            ErasureClaims& claims) {
  claims.decided = governed ? DecidedBy::kPolicy : DecidedBy::kSingleUser;
  const auto request = rows::approved_by(reader, seal, claims.erasure);
  if (!request) claims.decided = DecidedBy::kUnknown;
  if (request && !*request && governed) return claim_cause(reader, seal, claims);
  if (!request || !*request) return {};
  claims.decided = DecidedBy::kApproval;
  claims.request = **request;
  return {};
}

namespace rows {

Result<std::optional<ClaimedRequest>> approved_by(ControlReader& reader, const RowSeal& seal,
                                                  const ErasureId& erasure) {
  return get_row(reader, seal, row_key(kApprovedTable, erasure), decode_approved);
}

Result<void> put_approved_by(ControlWriter& writer, const RowSeal& seal, const ErasureId& erasure,
                             const ClaimedRequest& row) {
  return put_sealed(writer, seal, row_key(kApprovedTable, erasure), encode(row));
}

Result<std::optional<ClaimedRequest>> approved_for(ControlReader& reader, const RowSeal& seal,
                                                   ScopeId scope) {
  return get_row(reader, seal, row_key(kApprovedTable, scope), decode_approved);
}

Result<void> put_approved_for(ControlWriter& writer, const RowSeal& seal, ScopeId scope,
                              const ClaimedRequest& row) {
  return put_sealed(writer, seal, row_key(kApprovedTable, scope), encode(row));
}

Result<void> remove_approved_by(ControlWriter& writer, const ErasureId& erasure) {
  return writer.remove(row_key(kApprovedTable, erasure));
}

}  // namespace rows
}  // namespace quietus
