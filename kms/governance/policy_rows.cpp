#include "governance/policy_rows.hpp"

#include "base/byte_reader.hpp"
#include "crypto/hash.hpp"
#include "evidence/log_store.hpp"
#include "keys/schedule.hpp"
#include "keys/sealed_rows.hpp"

namespace quietus {
namespace rows {
namespace {

constexpr std::uint8_t kVersion = 1;

Bytes policy_key(std::uint32_t version) {
  return ByteWriter().u8('p').u32(version).take();
}

std::optional<PolicyVersion> decode_policy(ByteView content) {
  ByteReader in(content);
  PolicyVersion row;
  const std::uint8_t version = in.u8();
  row.applied = static_cast<UnixMillis>(in.u64());
  row.effective = static_cast<UnixMillis>(in.u64());
  row.text = in.text(kMaxPolicyText);
  return in.done() && version == kVersion ? std::optional(std::move(row)) : std::nullopt;
}

}  // namespace

Result<std::vector<PolicyVersion>> policies(ControlReader& reader, const RowSeal& seal) {
  QUIETUS_TRY_AS(auto found, all_rows(reader, seal, Bytes{'p'}, decode_policy));
  std::vector<PolicyVersion> versions;
  for (auto& [key, row] : found) {
    ByteReader in(key);
    row.version = in.u32();
    if (!in.done() || row.version != versions.size() + 1) return damaged('p');
    versions.push_back(std::move(row));
  }
  return versions;
}

}  // namespace rows

const PolicyVersion* in_force(const std::vector<PolicyVersion>& versions, UnixMillis at) noexcept {
  const PolicyVersion* newest = nullptr;
  for (const PolicyVersion& version : versions)
    if (version.effective <= at) newest = &version;
  return newest;
}

Result<PolicyVersion> apply_policy(ControlWriter& writer, const RowSeal& seal,
                                   std::string_view text, UnixMillis now) {
  QUIETUS_TRY_AS(const Policy next, parse_policy(text));
  QUIETUS_TRY_AS(const auto versions, rows::policies(writer, seal));
  if (!versions.empty()) {
    if (versions.back().text == text)
      return Error(ErrorCode::kAlreadyExists, "this is the newest version of the policy already");
    QUIETUS_TRY_AS(const Policy current, parse_policy(versions.back().text));
    QUIETUS_TRY(check_notice(next, now, &current));
  }
  PolicyVersion row{static_cast<std::uint32_t>(versions.size() + 1), now, next.effective,
                    std::string(text)};
  ByteWriter content;
  content.u8(rows::kVersion)
      .u64(static_cast<std::uint64_t>(row.applied))
      .u64(static_cast<std::uint64_t>(row.effective))
      .text(row.text);
  QUIETUS_TRY(rows::put_sealed(writer, seal, rows::policy_key(row.version), content.take()));
  QUIETUS_TRY(rows::count_change(writer, seal));
  const std::string entry = entry_text(
      new_entry(now), PolicyApplied{row.version, row.effective, sha256(as_bytes(row.text))});
  QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
  return row;
}

}  // namespace quietus
