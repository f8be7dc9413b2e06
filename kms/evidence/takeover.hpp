// What a recovery site says to a lost host, should it come back: another instance of the vault goes
// on in its place. It is the text of a signed note by the log key of the site.
//
//   quietus-takeover/v1
//   site <vault id of the site, 32 hex>
//   vault <vault id, 32 hex>
//   instance <instance id, 32 hex>
//   log <entries that its log has from the lost one> <root at that size, 64 hex>
//   issued <time>
//
// Times are RFC 3339 in UTC with whole seconds. One content has one text.
#pragma once

#include <quietus/result.hpp>

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/merkle_proof.hpp"
#include "evidence/signed_note.hpp"

namespace quietus {

struct Takeover {
  VaultId site{};
  VaultId vault{};
  InstanceId instance{};
  TreeHead log;
  UnixMillis issued = 0;  // whole seconds

  bool operator==(const Takeover&) const = default;
};

std::string encode_takeover(const Takeover& takeover);
// kUnverified; kUnsupported for one of a newer version.
Result<Takeover> parse_takeover(std::string_view text);

Result<std::string> sign_takeover(const Takeover& takeover, std::string_view key_name,
                                  const SigningKey& key);
// What the site's key signed. Whether it is of the vault that is meant is for the caller.
Result<Takeover> open_takeover(std::string_view note, const NoteKey& site_key);

}  // namespace quietus
