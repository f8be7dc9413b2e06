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

Result<InboxInfo> tell_now(VaultCore& core) {
  const auto read = [&](FunctionRef<Result<void>(ControlReader&, const RowSeal&)> work) {
    return core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) {
      return work(reader, scopes.seal());
    });
  };
  QUIETUS_TRY_AS(const auto told,
                 tell_inbox(read, core.environment.files, log_origin(core.header)));
  if (!told) return InboxInfo{};
  QUIETUS_TRY(core.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) {
    return rows::note_told(writer, scopes.seal(), *told);
  }));
  return InboxInfo{told->folder, told->told, 0};
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

  // Whatever is wrong with one file keeps no other out.
  void add(const std::filesystem::path& file) {
    const std::string name = file.filename().string();
    const auto note = read_file(site_.environment.files, file, kMaxErasureNotice);
    if (!note) return disbelieve(name, note.error());
    auto notice = open_erasure_notice(as_text(*note), logs_);
    if (!notice) return disbelieve(name, notice.error());
    notices_.push_back({name, *std::move(notice)});
  }

  // In the order of the log, whatever the files are called.
  Result<Received> run() {
    std::ranges::sort(notices_, {}, [](const NoticeFile& one) {
      return std::tuple(one.notice.vault, one.notice.origin, one.notice.from.size,
                        one.notice.to.size);
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

  // A vault whose store was set back tells another story of what it told before.
  static Result<void> check_goes_on(ControlReader& reader, const RowSeal& seal, const HeardLog& log,
                                    const ErasureNotice& notice) {
    const auto parted = [] {
      return unverified("it is of a log that parted from the one that was heard of before");
    };
    for (const TreeHead& head : {notice.from, notice.to})
      if (head.size != 0 && head.size == log.head.size && head.root != log.head.root)
        return parted();
    if (notice.from.size >= log.head.size) return {};
    QUIETUS_TRY_AS(const auto heard, rows::heard_erasures(reader, seal, log, notice.from.size));
    const std::uint64_t end = std::min(notice.to.size, log.head.size);
    const auto below = [&](const NoticedErasure& erasure) { return erasure.index < end; };
    std::vector<NoticedErasure> before;
    std::vector<NoticedErasure> now;
    std::ranges::copy_if(heard, std::back_inserter(before), below);
    std::ranges::copy_if(notice.erasures, std::back_inserter(now), below);
    return before == now ? Result<void>() : parted();
  }

  // kUnverified: it says something else than was heard before.
  Result<void> take(ControlWriter& writer, const RowSeal& seal, const ErasureNotice& notice) {
    step_ = Step::kNothing;
    new_erasures_ = 0;
    QUIETUS_TRY_AS(auto known, rows::heard_log(writer, seal, notice.vault, notice.origin));
    HeardLog log = known ? *std::move(known) : HeardLog{notice.vault, notice.origin, {}, 0};
    QUIETUS_TRY(check_goes_on(writer, seal, log, notice));
    if (notice.to.size <= log.head.size) return {};
    log.seen = std::max(log.seen, notice.to.size);
    if (notice.from.size > log.head.size) {
      step_ = Step::kMissing;
      return rows::put_heard_log(writer, seal, log);
    }
    for (const NoticedErasure& erasure : notice.erasures) {
      if (erasure.index < log.head.size) continue;
      QUIETUS_TRY(rows::put_heard_erasure(writer, seal, log, erasure));
      ++new_erasures_;
    }
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
    found_.receipt.erasures += new_erasures_;
    origins_.insert(one.notice.origin);
  }

  VaultCore& site_;
  const std::vector<NoteKey> logs_;
  std::vector<NoticeFile> notices_;
  std::set<std::string> origins_;
  Received found_;
  std::uint64_t new_erasures_ = 0;
  enum class Step { kNothing, kTaken, kMissing } step_ = Step::kNothing;
};

Result<Received> receive_files(VaultCore& site, const std::filesystem::path& inbox,
                               const Trust& logs, FunctionRef<bool(std::string_view)> wanted) {
  QUIETUS_TRY_AS(const auto names, site.environment.files.list(inbox));
  Reception reception(site, logs);
  for (const std::string& name : names)
    if (wanted(name)) reception.add(inbox / name);
  return reception.run();
}

}  // namespace

void tell_if_possible(VaultCore& core) {
  const auto told = tell_now(core);
  static_cast<void>(told);  // `status` says what waits
}

Result<void> check_last_words(VaultCore& core) {
  std::optional<InboxRow> row;
  const auto looked =
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(row, rows::inbox(reader, scopes.seal()));
        return {};
      });
  if (!looked || !row) return {};  // a row that is damaged keeps nobody from destroying
  const auto there = check_inbox(core.environment.files, row->folder, core.header.vault);
  if (there) return {};
  return Error(ErrorCode::kRefused,
               there.error().context() +
                   "; afterwards nothing can tell the site that the vault is destroyed, and it "
                   "could recover it: bring the inbox back, or `escrow inbox --none` first");
}

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
  InboxInfo info;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const auto row, rows::inbox(reader, scopes.seal()));
        info = {};
        if (!row) return {};
        QUIETUS_TRY_AS(info.waiting, count_untold(reader, scopes.seal(), row->told));
        info.folder = row->folder;
        info.told = row->told;
        return {};
      }));
  return info;
}

Result<InboxInfo> Escrow::tell() {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return tell_now(*core);
}

}  // namespace quietus
