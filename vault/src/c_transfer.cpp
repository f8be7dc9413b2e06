// The C interface: import, export and backups.
#include <quietus/portability.hpp>

#include "c_guard.hpp"

using namespace quietus;
using namespace quietus::c;

namespace {

template <class Function>
Result<void> callback(Function* given, std::string_view what) {
  return not_null(reinterpret_cast<const void*>(given), what);
}

// ---- transfers

Result<void> give_transfer(const TransferReport& moved, quietus_transfer_report* report) {
  if (report == nullptr) return {};
  quietus_transfer_report answer{};
  answer.size = sizeof answer;
  answer.records = moved.records;
  answer.bytes = moved.bytes;
  answer.skipped = moved.skipped.size();
  answer.failed = moved.failed.size();
  answer.recorded = moved.recorded ? 1 : 0;
  return give(report, answer);
}

void show(const TransferReport& moved, quietus_transfer_visit visit, void* context) {
  if (visit == nullptr) return;
  for (const TransferSkip& one : moved.skipped)
    if (visit(context, one.name.c_str(), QUIETUS_OK, one.reason.c_str()) != 0) return;
  for (const TransferFailure& one : moved.failed) {
    const std::string why = one.error.text();
    const int code = -static_cast<int>(one.error.code());
    if (visit(context, one.name.c_str(), code, why.c_str()) != 0) return;
  }
}

// What could not be moved is no success.
Answer come_to(const TransferReport& moved, const Stop& stop) {
  if (moved.stopped) return stop.answer(*moved.stopped);
  if (!moved.failed.empty()) return moved.failed.front().error;
  return QUIETUS_OK;
}

// ---- backups

int show(const BackupInfo& backup, quietus_backup_visit visit, void* context) {
  quietus_backup info{};
  info.size = sizeof info;
  info.id = backup.id.c_str();
  info.begun_ms = backup.begun_unix_ms;
  info.made_ms = backup.made_unix_ms;
  info.expires_ms = backup.expires_unix_ms;
  info.needed_until_ms = backup.needed_until_unix_ms;
  info.records = backup.records;
  info.bytes = backup.bytes;
  info.epoch_id = backup.epoch_id.c_str();
  info.epoch_expires_ms = backup.epoch_expires_unix_ms;
  info.manifest_sha256 = backup.manifest_sha256.c_str();
  info.base_id = backup.base_id.c_str();
  return visit(context, &info);
}

// What making one came to; it is made, whatever is answered to it.
Answer made(const Result<BackupInfo>& backup, const Stop& stop, quietus_backup_visit visit,
            void* context) {
  if (!backup) return stop.answer(backup.error());
  if (visit != nullptr) show_done([&] { static_cast<void>(show(*backup, visit, context)); });
  return QUIETUS_OK;
}

Result<BackupOptions> backup_options(const quietus_backup_options* how, Stop& stop) {
  QUIETUS_TRY_AS(const quietus_backup_options given, options(how));
  BackupOptions wanted;
  if (given.keep != nullptr) wanted.keep = given.keep;
  if (given.base != nullptr) wanted.base = source_of(given.base, given.base_context, stop);
  if (given.progress != nullptr)
    wanted.progress = [given, &stop](std::uint64_t done, std::uint64_t total) {
      return static_cast<bool>(stop.check(given.progress(given.progress_context, done, total)));
    };
  return wanted;
}

}  // namespace

int quietus_import_ndjson(quietus_scope scope, quietus_source source, void* context,
                          quietus_transfer_visit visit, void* visit_context,
                          quietus_transfer_report* report) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Scope>(scope));
    QUIETUS_TRY(callback(source, "the source"));
    // Whatever is wrong with it is said before anything is moved.
    QUIETUS_TRY(give_transfer({}, report));
    Stop stop;
    const TransferReport moved = import_ndjson(*held, source_of(source, context, stop));
    QUIETUS_TRY(give_transfer(moved, report));
    show(moved, visit, visit_context);
    return come_to(moved, stop);
  });
}

int quietus_export_ndjson(quietus_vault vault, const char* path, const char* use, quietus_sink sink,
                          void* context, quietus_transfer_report* report) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto where, text(path, "the path"));
    QUIETUS_TRY(callback(sink, "the callback"));
    QUIETUS_TRY(give_transfer({}, report));
    ExportSource source(where);
    if (use != nullptr) {
      QUIETUS_TRY_AS(source.use, lawful_use(use));
    }
    Stop stop;
    QUIETUS_TRY_AS(const TransferReport moved,
                   export_ndjson(*held, source, sink_of(sink, context, stop)));
    QUIETUS_TRY(give_transfer(moved, report));
    return come_to(moved, stop);
  });
}

int quietus_back_up(quietus_vault vault, quietus_sink sink, void* context,
                    const quietus_backup_options* how, quietus_backup_visit visit,
                    void* visit_context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY(callback(sink, "the callback"));
    Stop stop;
    QUIETUS_TRY_AS(const BackupOptions wanted, backup_options(how, stop));
    return made(held->backups().create(sink_of(sink, context, stop), wanted), stop, visit,
                visit_context);
  });
}

int quietus_snapshot_keys(quietus_vault vault, quietus_sink sink, void* context,
                          quietus_backup_visit visit, void* visit_context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY(callback(sink, "the callback"));
    Stop stop;
    return made(held->escrow().snapshot(sink_of(sink, context, stop)), stop, visit, visit_context);
  });
}

int quietus_verify_backup(quietus_vault vault, quietus_source backup, void* context,
                          quietus_source base, void* base_context, quietus_backup_report* report) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY(callback(backup, "the backup"));
    if (report != nullptr) QUIETUS_TRY(give(report, quietus_backup_report{}));
    Stop stop;
    ByteSource earlier;
    if (base != nullptr) earlier = source_of(base, base_context, stop);
    const auto opened = held->backups().verify(source_of(backup, context, stop),
                                               base != nullptr ? &earlier : nullptr);
    if (!opened) return stop.answer(opened.error());
    quietus_backup_report answer{};
    answer.size = sizeof answer;
    answer.records = opened->records;
    answer.opened = opened->opened;
    answer.erased = opened->erased;
    answer.purged = opened->purged;
    answer.missing = opened->missing;
    answer.damaged = opened->damaged;
    if (report != nullptr) QUIETUS_TRY(give(report, answer));
    if (!opened->sound())
      return Error(ErrorCode::kCorrupt,
                   "records of the backup do not open; make a new one, and check the vault");
    return QUIETUS_OK;
  });
}

int quietus_backups(quietus_vault vault, quietus_backup_visit visit, void* context) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY(callback(visit, "the callback"));
    QUIETUS_TRY_AS(const auto all, held->backups().list());
    for (const BackupInfo& one : all)
      if (show(one, visit, context) != 0) return QUIETUS_STOPPED;
    return QUIETUS_OK;
  });
}

int quietus_forget_backup(quietus_vault vault, const char* id) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto backup, text(id, "the id"));
    QUIETUS_TRY(held->backups().forget(backup));
    return QUIETUS_OK;
  });
}

int quietus_import_receipt(quietus_vault vault, const char* receipt) {
  return guarded([&]() -> Answer {
    QUIETUS_TRY_AS(const auto held, find<Vault>(vault));
    QUIETUS_TRY_AS(const auto note, text(receipt, "the receipt"));
    QUIETUS_TRY(held->escrow().import_receipt(note));
    return QUIETUS_OK;
  });
}
