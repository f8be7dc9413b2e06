// Erasures that a vault tells its recovery site of, on the way: what the vault writes into the
// inbox, and what the site takes out of it.
#include "escrow_inbox.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/trust_file.hpp"
#include "keys/inbox.hpp"
#include "keys/snapshots.hpp"

namespace quietus {
namespace {

Result<std::optional<UntoldErasures>> untold_in(VaultCore& core) {
  std::optional<UntoldErasures> untold;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(untold, untold_erasures(reader, scopes.seal(), log_origin(core.header)));
        return {};
      }));
  return untold;
}

Result<InboxInfo> tell_now(VaultCore& core) {
  QUIETUS_TRY_AS(const auto untold, untold_in(core));
  if (!untold) return InboxInfo{};
  QUIETUS_TRY(write_notice(core.environment.files, *untold));
  QUIETUS_TRY(core.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::note_told(writer, scopes.seal(), untold->told);
  }));
  return InboxInfo{untold->folder.string(), untold->told, 0};
}

Result<void> check_has_ring(VaultCore& core) {
  return core.read([](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(const auto rings, rows::trusted_rings(reader, scopes.seal()));
    if (!rings.empty()) return {};
    return Error(ErrorCode::kRefused,
                 "the vault has no ring, so there is no site: `escrow import-ring` first");
  });
}

// The vault knows the folder again by a file of its own.
Result<void> mark_folder(FileSystem& files, const std::filesystem::path& folder,
                         const VaultId& vault) {
  const std::filesystem::path mark = inbox_mark(folder, vault);
  QUIETUS_TRY_AS(const bool there, files.exists(mark));
  if (there) return {};
  return write_file(files, mark, as_bytes("quietus-inbox/v1\n"));
}

struct Received {
  InboxReceipt receipt;
  std::optional<std::string> unbelieved;  // one of the problems: not the notice of a trusted log
};

// Takes what the notices of an inbox say into the site's own store.
class Reception {
 public:
  Reception(VaultCore& site, const Trust& logs) : site_(site), logs_(logs.rules().logs) {}

  // Files that cannot be read are the folder's errors.
  Result<void> add(const std::filesystem::path& file) {
    QUIETUS_TRY_AS(const Bytes note, read_file(site_.environment.files, file, kMaxErasureNotice));
    auto notice = open_erasure_notice(as_text(note), logs_);
    if (notice)
      notices_.push_back({file.filename().string(), *std::move(notice)});
    else
      disbelieve(file.filename().string(), notice.error());
    return {};
  }

  // In the order of the log, whatever the files are called.
  Result<Received> run() {
    std::ranges::sort(notices_, {}, [](const NoticeFile& one) {
      return std::tuple(one.notice.vault, one.notice.origin, one.notice.from, one.notice.to.size);
    });
    for (const NoticeFile& one : notices_) {
      const auto taken =
          site_.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
            return take(writer, scopes.seal(), one.notice);
          });
      if (taken) note(one);
      if (!taken && taken.error().code() != ErrorCode::kUnverified) return taken.error();
      if (!taken) disbelieve(one.file, taken.error());
    }
    found_.receipt.logs.assign(origins_.begin(), origins_.end());
    return std::move(found_);
  }

 private:
  struct NoticeFile {
    std::string file;
    ErasureNotice notice;
  };

  // kUnverified: it says something else than was heard before.
  Result<void> take(ControlWriter& writer, const RowSeal& seal, const ErasureNotice& notice) {
    step_ = Step::kNothing;
    QUIETUS_TRY_AS(auto known, rows::heard_log(writer, seal, notice.vault, notice.origin));
    HeardLog log = known ? *std::move(known) : HeardLog{notice.vault, notice.origin, {}, 0};
    if (notice.to.size == log.head.size && notice.to.root != log.head.root)
      return unverified("it is of a log that parted from the one that was heard of before");
    if (notice.to.size <= log.head.size) return {};
    log.seen = std::max(log.seen, notice.to.size);
    if (notice.from > log.head.size) {
      step_ = Step::kMissing;
      return rows::put_heard_log(writer, seal, log);
    }
    for (const NoticedErasure& erasure : notice.erasures)
      if (erasure.index >= log.head.size)
        QUIETUS_TRY(rows::put_heard_erasure(writer, seal, log, erasure));
    log.head = notice.to;
    step_ = Step::kTaken;
    return rows::put_heard_log(writer, seal, log);
  }

  void disbelieve(const std::string& file, const Error& why) {
    found_.receipt.problems.push_back(file + ": " + why.context());
    if (!found_.unbelieved) found_.unbelieved = found_.receipt.problems.back();
  }

  void note(const NoticeFile& one) {
    if (step_ == Step::kMissing)
      found_.receipt.problems.push_back(one.file + ": a notice before it is missing");
    if (step_ != Step::kTaken) return;
    ++found_.receipt.notices;
    found_.receipt.erasures += one.notice.erasures.size();
    origins_.insert(one.notice.origin);
  }

  VaultCore& site_;
  const std::vector<NoteKey> logs_;
  std::vector<NoticeFile> notices_;
  std::set<std::string> origins_;
  Received found_;
  enum class Step { kNothing, kTaken, kMissing } step_ = Step::kNothing;
};

Result<Received> receive_files(VaultCore& site, const std::filesystem::path& inbox,
                               const Trust& logs, FunctionRef<bool(std::string_view)> wanted) {
  QUIETUS_TRY_AS(const auto names, site.environment.files.list(inbox));
  Reception reception(site, logs);
  for (const std::string& name : names)
    if (wanted(name)) QUIETUS_TRY(reception.add(inbox / name));
  return reception.run();
}

}  // namespace

Result<void> receive_all_of(VaultCore& site, const EscrowRecovery& from, const VaultId& vault) {
  QUIETUS_TRY_AS(const Received received,
                 receive_files(site, from.inbox, *from.trust,
                               [&](std::string_view name) { return is_notice_of(name, vault); }));
  if (!received.unbelieved) return {};
  return unverified("inbox: " + *received.unbelieved +
                    "; take it away if it is none of this vault");
}

Result<InboxReceipt> Escrow::receive(const std::filesystem::path& inbox, const Trust& logs) {
  QUIETUS_TRY_AS(const auto site, writable_core(core_));
  QUIETUS_TRY_AS(Received received, receive_files(*site, inbox, logs, [](std::string_view name) {
                   return is_notice_file(name);
                 }));
  return std::move(received.receipt);
}

Result<InboxInfo> Escrow::set_inbox(const std::filesystem::path& folder) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  if (folder.empty()) {
    QUIETUS_TRY(core->update(
        [](ControlWriter& writer, ScopeTable&, RootRow&) { return rows::remove_inbox(writer); }));
    return InboxInfo{};
  }
  QUIETUS_TRY(check_has_ring(*core));
  const auto place = std::filesystem::absolute(folder).lexically_normal();
  QUIETUS_TRY(mark_folder(core->environment.files, place, core->header.vault));
  QUIETUS_TRY(core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::put_inbox(writer, scopes.seal(), {0, place.string()});
  }));
  return tell_now(*core);
}

Result<InboxInfo> Escrow::inbox() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const auto untold, untold_in(*core));
  if (!untold) return InboxInfo{};
  return InboxInfo{untold->folder.string(), untold->from, untold->erasures};
}

Result<InboxInfo> Escrow::tell() {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return tell_now(*core);
}

}  // namespace quietus
