// What a vault tells the inbox of its recovery site: which keys its log says are gone. It is the
// text of a signed note by the key of that log.
//
//   quietus-erasure-notice/v1
//   vault <vault id, 32 hex>
//   log <origin of the log>
//   from <entries of it that earlier notices told> <root at that size, 64 hex>
//   to <entries of it that this one tells> <root at that size, 64 hex>
//   erasure <index of its entry> <erasure id, 32 hex> <time of the entry>
//   key <key id, 16 hex>
//
// with one line `erasure` for each entry that says keys are unreachable, in the order of the log,
// and behind it a line `key` for each of them, ascending. Times are RFC 3339 in UTC with whole
// seconds. One content has one text.
#pragma once

#include <quietus/result.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "evidence/log_entry.hpp"
#include "evidence/merkle_proof.hpp"
#include "evidence/signed_note.hpp"

namespace quietus {

// Bytes in a notice, its signature included: an erasure of twelve million keys.
inline constexpr std::size_t kMaxErasureNotice = std::size_t{256} << 20;

struct NoticedErasure {
  std::uint64_t index = 0;  // in the log
  ErasureId erasure{};
  UnixMillis time = 0;      // whole seconds
  std::vector<KeyId> keys;  // ascending

  bool operator==(const NoticedErasure&) const = default;
};

struct ErasureNotice {
  VaultId vault{};
  std::string origin;
  TreeHead from;
  TreeHead to;
  std::vector<NoticedErasure> erasures;

  bool operator==(const ErasureNotice&) const = default;
};

// What an entry keys-unreachable says, or, without its keys, one that is batch-unreachable. Nothing
// for another kind; kUnverified for one that cannot be read.
Result<std::optional<NoticedErasure>> erasure_in(const LogEntry& entry, std::uint64_t index);

std::string encode_erasure_notice(const ErasureNotice& notice);
// kUnverified; kUnsupported for one of a newer version.
Result<ErasureNotice> parse_erasure_notice(std::string_view text);

Result<std::string> sign_erasure_notice(const ErasureNotice& notice, const SigningKey& key);
// What one of the keys signed whose name is the origin of the log that it tells of.
Result<ErasureNotice> open_erasure_notice(std::string_view note, std::span<const NoteKey> logs);

}  // namespace quietus
