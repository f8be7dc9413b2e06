#include "replay.hpp"

#include <algorithm>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "escrow_inbox.hpp"
#include "evidence/log_folder.hpp"
#include "evidence/utc_time.hpp"
#include "governance/calendar.hpp"
#include "keys/inbox.hpp"

namespace quietus {
namespace {

std::string date_text(UnixMillis time) {
  return format_utc(time).substr(0, 10);
}

Error parted(const std::string& what) {
  return {ErrorCode::kRolledBack, what + ": they parted before"};
}

// What the site heard of the log, from the snapshot on.
struct Heard {
  HeardLog log;
  std::vector<NoticedErasure> erasures;
};

Result<Heard> heard_of(VaultCore& site, const VaultId& vault, const std::string& origin,
                       std::uint64_t from) {
  Heard heard;
  QUIETUS_TRY(site.read([&](ControlReader& reader, ScopeTable& scopes,
                            const RootRow&) -> Result<void> {
    heard = {};
    QUIETUS_TRY_AS(auto log, rows::heard_log(reader, scopes.seal(), vault, origin));
    if (!log) return {};
    heard.log = *std::move(log);
    QUIETUS_TRY_AS(heard.erasures, rows::heard_erasures(reader, scopes.seal(), heard.log, from));
    return {};
  }));
  return heard;
}

ReplayedErasure replayed(const NoticedErasure& erasure) {
  return {erasure.erasure, erasure.time, erasure.keys};
}

// Takes the erasures out of entries behind the snapshot, in the order of the log.
class Replay {
 public:
  // `accepted`: somebody said that erasures may come back that cannot be replayed.
  Replay(const TreeHead& snapshot, const Heard& heard, bool accepted)
      : snapshot_(snapshot), heard_(heard), accepted_(accepted) {}

  Result<void> entry(ByteView text, const GrowingTree& before) {
    QUIETUS_TRY(check_at(before.size(), before.root()));
    if (before.size() < snapshot_.size) return {};
    QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(text));
    if (entry.kind() == entry_kinds::kCopyMade || entry.kind() == entry_kinds::kSnapshotBegun)
      copies_.emplace_back(entry);
    QUIETUS_TRY_AS(const auto erasure, erasure_in(entry, before.size()));
    if (!erasure) return {};
    if (entry.kind() == entry_kinds::kBatchUnreachable) return add_batch(*erasure);
    erasures_.push_back(replayed(*erasure));
    return {};
  }

  // Of the log given at that size: it has to be the one that the snapshot, and the site, know.
  Result<void> check_at(std::uint64_t size, const Hash& root) const {
    if (size == snapshot_.size && root != snapshot_.root)
      return parted("the log given does not go on from the snapshot");
    if (size == heard_.log.head.size && size != 0 && root != heard_.log.head.root)
      return parted("the log given is not the one that the site has heard of");
    return {};
  }

  std::vector<ReplayedErasure> take() { return std::move(erasures_); }
  std::vector<LogEntry> take_copies() { return std::move(copies_); }

 private:
  Result<void> add_batch(const NoticedErasure& batch) {
    const auto heard =
        std::ranges::lower_bound(heard_.erasures, batch.index, {}, &NoticedErasure::index);
    if (heard != heard_.erasures.end() && heard->index == batch.index &&
        heard->erasure == batch.erasure) {
      erasures_.push_back(replayed(*heard));
      return {};
    }
    if (accepted_) return {};
    return Error(ErrorCode::kRefused,
                 "entry " + std::to_string(batch.index) +
                     " of the log is an erasure of many scopes that is newer than the snapshot; "
                     "the log does not list their keys, and the site has not heard of it: recover "
                     "with a snapshot that was made after it, or say with --accept-log-as-of that "
                     "they come back");
  }

  const TreeHead& snapshot_;
  const Heard& heard_;
  const bool accepted_;
  std::vector<ReplayedErasure> erasures_;
  std::vector<LogEntry> copies_;
};

Result<void> check_accepted_date(const EscrowRecovery& from, UnixMillis begun) {
  const std::string day = date_text(begun);
  const std::string what =
      "no newer log is at hand (--log), so what was erased since " + format_utc(begun) +
      " would come back; if there is none, say so with --accept-log-as-of " + day;
  if (!from.accept_log_as_of_unix_ms) return Error(ErrorCode::kRefused, what);
  const UnixMillis accepted = *from.accept_log_as_of_unix_ms;
  if (accepted != begun - begun % kDayMillis)
    return Error(ErrorCode::kRefused, what + ", which is not " + date_text(accepted));
  return {};
}

// The log that was given.
struct GivenLog {
  std::string origin;
  TreeHead head;
};
Result<std::optional<GivenLog>> given_log(const EscrowRecovery& from,
                                          const SnapshotPoint& snapshot) {
  if (from.log.empty()) return std::optional<GivenLog>();
  LogExpectations expectations;
  expectations.trust = *from.trust;
  QUIETUS_TRY_AS(const VerifiedLog log, verify_log_folder(from.log, expectations));
  // Also that of an instance that goes on from it: that the beginning is the same is looked at
  // when it is read.
  const std::string vault = log_origin(snapshot.vault);
  if (log.head.origin != vault && !log.head.origin.starts_with(vault + "/"))
    return Error(ErrorCode::kRefused, "the log given is of another vault: " + log.head.origin);
  if (log.head.size < snapshot.log.size)
    return Error(ErrorCode::kRolledBack, "the log given is older than the snapshot: it has " +
                                             std::to_string(log.head.size) +
                                             " entries, the snapshot " +
                                             std::to_string(snapshot.log.size));
  GivenLog given{log.head.origin, {log.head.size, {}}};
  const auto root = from_hex(log.head.root_hash);
  std::ranges::copy(*root, given.head.root.begin());
  return std::optional(std::move(given));
}

Result<void> check_snapshot(const Heard& heard, const TreeHead& snapshot) {
  if (heard.log.head.size == snapshot.size && heard.log.head.root != snapshot.root)
    return parted("the snapshot is not of the log that the site has heard of");
  return {};
}

// Nothing that the site has heard of may be missing.
Result<void> check_heard(const Heard& heard, const TreeHead& known) {
  if (heard.log.seen <= std::max(known.size, heard.log.head.size)) return {};
  return Error(ErrorCode::kRolledBack,
               "the site has heard that the log has " + std::to_string(heard.log.seen) +
                   " entries, and notices before that are missing: give a log that goes as far "
                   "(--log), or the inbox with all of them (--inbox)");
}

// The log given is of an instance: what the one that the snapshot is of went on to destroy itself
// is gone too. Keys that it made meanwhile are not in the snapshot.
Result<void> add_of_origin(VaultCore& site, const SnapshotPoint& snapshot, Gate& gate) {
  QUIETUS_TRY_AS(const Heard heard,
                 heard_of(site, snapshot.vault, snapshot.origin, snapshot.log.size));
  QUIETUS_TRY(check_heard(heard, snapshot.log));
  QUIETUS_TRY(check_snapshot(heard, snapshot.log));
  for (const NoticedErasure& erasure : heard.erasures) gate.erasures.push_back(replayed(erasure));
  return {};
}

}  // namespace

Result<Gate> replay_erasures(VaultCore& site, const EscrowRecovery& from,
                             const SnapshotPoint& snapshot) {
  Gate gate;
  gate.entry = {snapshot.log.size, snapshot.log.size, snapshot.log.root, 0, 0};
  if (from.log.empty() || from.accept_log_as_of_unix_ms) {
    QUIETUS_TRY(check_accepted_date(from, snapshot.begun));
    gate.entry.as_of = *from.accept_log_as_of_unix_ms;
  }
  if (!from.inbox.empty()) QUIETUS_TRY(receive_all_of(site, from, snapshot.vault));
  QUIETUS_TRY_AS(const auto log, given_log(from, snapshot));
  const std::string& origin = log ? log->origin : snapshot.origin;
  QUIETUS_TRY_AS(const Heard heard, heard_of(site, snapshot.vault, origin, snapshot.log.size));
  TreeHead known = log ? log->head : snapshot.log;
  QUIETUS_TRY(check_heard(heard, known));
  if (!log) QUIETUS_TRY(check_snapshot(heard, snapshot.log));
  if (log) {
    Replay replay(snapshot.log, heard, gate.entry.as_of != 0);
    QUIETUS_TRY(replay.check_at(log->head.size, log->head.root));
    QUIETUS_TRY(read_log_folder(
        from.log, log->head.size, log->head.root,
        [&](ByteView text, const GrowingTree& before) { return replay.entry(text, before); }));
    gate.erasures = replay.take();
    gate.copies = replay.take_copies();
  }
  for (const NoticedErasure& erasure : heard.erasures)
    if (erasure.index >= known.size) gate.erasures.push_back(replayed(erasure));
  if (origin != snapshot.origin) QUIETUS_TRY(add_of_origin(site, snapshot, gate));
  if (heard.log.head.size > known.size) known = heard.log.head;
  gate.entry.size = known.size;
  gate.entry.root = known.root;
  for (const ReplayedErasure& erasure : gate.erasures) gate.entry.destroyed += erasure.keys.size();
  return gate;
}

}  // namespace quietus
