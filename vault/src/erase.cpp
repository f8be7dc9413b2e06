// Erasing: plans, reasons, and what is reported. The protocol itself is in
// kms/keys/root_change.cpp.
#include <quietus/vault.hpp>

#include <algorithm>
#include <set>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "erase_many.hpp"
#include "erase_scopes.hpp"
#include "escrow_inbox.hpp"
#include "keys/certificate_copies.hpp"
#include "keys/schedule.hpp"
#include "keys/scope_graph.hpp"
#include "reasons.hpp"
#include "refusals.hpp"
#include "scope_paths.hpp"
#include "subjects.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr std::size_t kShownInPlan = 1000;
constexpr std::size_t kRoomForCertificate = std::size_t{64} * 1024;

// A scope whose rows are damaged can still be erased, by its id.
ScopeInfo damaged_scope(ScopeId id) {
  ScopeInfo info;
  info.id = id;
  return info;
}

// Older generations may have been destroyed before.
std::uint64_t living_keys(const KeyRow& row) {
  return static_cast<std::uint64_t>(
      std::count_if(row.keys.begin(), row.keys.end(),
                    [](const KeyRecord& key) { return !is_destroyed(key.state); }));
}

// What a scope of the closure adds to the plan. One whose row is damaged is there without details.
void add_to_plan(ControlReader& reader, ScopeTable& scopes, ScopeId scope, bool is_target,
                 ErasePlan& plan) {
  const auto row = rows::key_row(reader, scopes.seal(), scope);
  const std::uint64_t keys = row.ok() && row.value() ? living_keys(*row.value()) : 0;
  plan.keys_destroyed += keys;
  if (is_target) return;
  plan.keys_below += keys;
  ++plan.also_count;
  if (plan.also.size() >= kShownInPlan) return;
  auto info = describe_scope(reader, scopes, scope);
  if (!info) info = damaged_scope(scope);
  if (info->state != ScopeState::kErased) plan.also.push_back(std::move(info).value());
}

// A record store that cannot be read keeps nothing from being erased.
void count_records(RecordStore& store, const std::set<ScopeId>& scopes, ErasePlan& plan) {
  ScopeUsage all;
  for (const ScopeId scope : scopes) {
    const auto usage = store.usage(scope);
    if (!usage) return;
    all.records += usage->records;
    all.bytes += usage->bytes;
  }
  plan.records = all.records;
  plan.bytes = all.bytes;
  plan.counted = true;
}

Result<ErasePlan> plan_in(ControlReader& reader, ScopeTable& scopes, RecordStore& store,
                          const std::vector<ScopeId>& targets) {
  ErasePlan plan;
  for (const ScopeId target : targets) {
    auto info = describe_scope(reader, scopes, target);
    if (!info && info.error().code() != ErrorCode::kCorrupt) return std::move(info).error();
    plan.targets.push_back(info.ok() ? std::move(info).value() : damaged_scope(target));
  }
  // What an earlier erasure took, with all below it, is gone already and not counted again.
  QUIETUS_TRY_AS(const auto dying, scopes_dying_with(reader, scopes.seal(), targets));
  const std::set<ScopeId> asked(targets.begin(), targets.end());
  for (const ScopeId scope : dying) add_to_plan(reader, scopes, scope, asked.contains(scope), plan);
  count_records(store, dying, plan);
  QUIETUS_TRY_AS(plan.snapshots_clear_unix_ms, snapshots_clear(reader, scopes.seal(), targets));
  return plan;
}

Result<std::vector<ScopeId>> resolve_all(ControlReader& reader, ScopeTable& scopes,
                                         std::span<const std::string> paths) {
  if (paths.empty()) return Error(ErrorCode::kInvalidArgument, "no scope to erase");
  std::vector<ScopeId> ids;
  std::set<ScopeId> seen;
  for (const std::string& path : paths) {
    if (path.empty())
      return Error(ErrorCode::kInvalidArgument, "an empty path is the whole vault; name a scope");
    QUIETUS_TRY_AS(const ScopeId id, resolve_for_erasure(reader, scopes, path));
    if (seen.insert(id).second) ids.push_back(id);
  }
  return ids;
}

ErasureReport report_of(const RootChangeOutcome& outcome) {
  ErasureReport report;
  report.erasure_id = to_hex(outcome.intent.id);
  // Of many scopes each has its own, which is drawn when it is asked for.
  if (!outcome.intent.batch) report.certificate_id = to_hex(outcome.certificate);
  report.certificate = outcome.certificate_document;
  report.root_generation_before = outcome.intent.generation_before;
  report.root_generation_after = outcome.intent.slot.generation;
  report.holders_acknowledged = outcome.holders.acknowledged;
  report.holders_ended = outcome.holders.ended;
  return report;
}

// When another process finished the erasure first, the certificate is the one that it made.
Result<ErasureReport> with_certificate(VaultCore& core, const RootChangeOutcome& outcome) {
  ErasureReport report = report_of(outcome);
  if (!report.certificate.empty()) return report;
  const auto read = core.read([&](ControlReader& reader, ScopeTable& scopes,
                                  const RootRow&) -> Result<void> {
    QUIETUS_TRY_AS(const auto id, rows::certificate_of(reader, scopes.seal(), outcome.intent.id));
    if (!id) return {};
    QUIETUS_TRY_AS(auto document, rows::certificate(reader, scopes.seal(), *id));
    report.certificate_id = to_hex(*id);
    report.certificate = std::move(document).value_or("");
    return {};
  });
  // Nothing from here on may say that nothing was destroyed.
  if (!read)
    return Error(
        ErrorCode::kErasureIncomplete,
        "the erasure was finished, and its certificate cannot be read: " + read.error().context());
  if (report.certificate.empty())
    return Error(ErrorCode::kErasureIncomplete, "the erasure was finished by another process");
  return report;
}

// Over the room that was set aside for it; where it does not fit there, in a file of its own.
Result<void> write_last_certificate(FileSystem& files, const std::filesystem::path& path,
                                    std::string_view text) {
  if (text.size() < kRoomForCertificate) {
    QUIETUS_TRY_AS(auto file, files.open(path, FileSystem::Open::kReadWrite));
    QUIETUS_TRY(file->write_at(0, as_bytes(text)));
    QUIETUS_TRY(file->resize(text.size()));
    return file->sync();
  }
  return write_file(files, path, as_bytes(text));
}

constexpr std::size_t kMaxTargets = 1024;  // in one root change
constexpr std::size_t kForgottenAtOnce = 1024;

// What is known of what is to be erased, besides its keys.
struct Described {
  std::vector<SubjectOpening> openings;
  std::set<ScopeId> dying;
};

// Damaged rows, of whatever, keep numbers from the certificate, not data from being erased.
void describe_erasure(VaultCore& core, ControlReader& reader, ScopeTable& scopes,
                      RootChangeRequest& request, Described& described) {
  request.unreadable = {};
  request.subjects.clear();
  described = {};
  const auto plan = plan_in(reader, scopes, *core.record_store, request.scopes);
  if (plan && plan->counted)
    request.unreadable = {plan->also_count, plan->keys_below, plan->records, plan->bytes, true};
  auto dying = scopes_dying_with(reader, scopes.seal(), request.scopes);
  if (dying) described.dying = std::move(dying).value();
  for (const ScopeId scope : request.scopes) {
    // Nothing can be said of whose scope it was when its rows are damaged.
    auto subject = subject_of(reader, scopes, request.id, scope);
    if (!subject) continue;
    request.subjects.emplace(scope, subject->claim);
    described.openings.push_back(std::move(subject->opening));
  }
}

// When they were last used, and what was decided about their end, is of no use any more. It is no
// part of the erasure: what cannot be removed now stays, sealed.
void forget_decisions(VaultCore& core, const std::set<ScopeId>& dead) {
  std::vector<ScopeId> left;
  const auto looked = core.read([&](ControlReader& reader, ScopeTable&, const RootRow&) {
    left.clear();
    for (const ScopeId scope : dead) {
      const auto any = rows::has_schedule(reader, scope);
      if (any && *any) left.push_back(scope);
    }
    return Result<void>();
  });
  if (!looked) return;
  for (std::span<const ScopeId> rest = left; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), kForgottenAtOnce));
    const auto removed =
        core.update([&](ControlWriter& writer, ScopeTable&, RootRow&) -> Result<void> {
          for (const ScopeId scope : some) QUIETUS_TRY(rows::remove_schedule(writer, scope));
          return {};
        });
    if (!removed) return;
    rest = rest.subspan(some.size());
  }
}

Result<ErasureReport> erase_some(VaultCore& core, std::span<const ScopeId> scopes_due,
                                 const std::string& reason, const RootChangeGuard& guard,
                                 const ErasureId& id = random_erasure_id()) {
  RootChangeRequest request;
  request.id = id;
  request.reason = reason;
  request.guard = guard;
  request.scopes.assign(scopes_due.begin(), scopes_due.end());
  Described described;
  QUIETUS_TRY(
      core.read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        describe_erasure(core, reader, scopes, request, described);
        return {};
      }));
  QUIETUS_TRY_AS(const RootChangeOutcome outcome, core.keys->change_root(request));
  forget_decisions(core, described.dying);
  QUIETUS_TRY_AS(ErasureReport report, with_certificate(core, outcome));
  report.subjects = std::move(described.openings);
  return report;
}

}  // namespace

Result<std::vector<ErasureReport>> erase_scopes(VaultCore& core, std::span<const DueErasure> due,
                                                const RootChangeGuard& guard) {
  std::vector<ScopeId> scopes;
  bool one_reason = true;
  for (const DueErasure& one : due) {
    if (scopes.size() < kMaxTargets) scopes.push_back(one.scope);
    one_reason = one_reason && one.reason == due.front().reason;
  }
  std::vector<ErasureReport> reports;
  if (one_reason && due.size() <= kMaxTargets) {
    QUIETUS_TRY_AS(auto report, erase_some(core, scopes, due.front().reason, guard));
    reports.push_back(std::move(report));
    return reports;
  }
  // Each has its own reason, and its own certificate, which is drawn when it is asked for.
  QUIETUS_TRY_AS(const ManyErased many, erase_many(core, due, guard));
  ErasureReport report;
  report.erasure_id = many.erasure_id;
  report.root_generation_before = many.root_generation_before;
  report.root_generation_after = many.root_generation_after;
  report.holders_acknowledged = many.holders_acknowledged;
  report.holders_ended = many.holders_ended;
  reports.push_back(std::move(report));
  return reports;
}

Result<ErasureReport> erase_approved(VaultCore& core, std::span<const ScopeId> scopes,
                                     const std::string& reason, const RootChangeGuard& guard,
                                     const ErasureId& id) {
  return erase_some(core, scopes, reason, guard, id);
}

Result<ErasePlan> Vault::plan_erase(std::span<const std::string> paths) {
  if (!core_) return closed();
  ErasePlan plan;
  QUIETUS_TRY(core_->read(
      [&](ControlReader& reader, ScopeTable& scopes, const RootRow& root) -> Result<void> {
        QUIETUS_TRY_AS(const auto targets, resolve_all(reader, scopes, paths));
        QUIETUS_TRY_AS(plan, plan_in(reader, scopes, *core_->record_store, targets));
        plan.root_generation = root.generation;
        return {};
      }));
  return plan;
}

Result<ErasureReport> Vault::erase(std::string_view path, std::string_view reason) {
  const std::string one[] = {std::string(path)};
  return erase(one, reason);
}

Result<ErasureReport> Vault::erase(std::span<const std::string> paths, std::string_view reason) {
  if (!core_) return closed();
  QUIETUS_TRY(require_approved(*core_, "an erasure"));
  QUIETUS_TRY_AS(const ErasureReason why, parse_erasure_reason(reason));
  const UnixMillis now = core_->environment.clock.now();
  RootChangeRequest request;
  Described described;
  request.reason = why.code;
  request.reason_text = why.text;
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(request.scopes, resolve_all(reader, scopes, paths));
        describe_erasure(*core_, reader, scopes, request, described);
        return {};
      }));
  auto changed = core_->keys->change_root(request);
  if (!changed && changed.error().code() == ErrorCode::kHeld)
    for (const ScopeId scope : request.scopes) note_refused(*core_->keys, scope, "erase", now);
  QUIETUS_TRY_AS(const RootChangeOutcome outcome, std::move(changed));
  forget_decisions(*core_, described.dying);
  QUIETUS_TRY_AS(ErasureReport report, with_certificate(*core_, outcome));
  report.subjects = std::move(described.openings);
  return report;
}

Result<std::vector<ErasureReport>> Vault::resume() {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const auto finished, core_->keys->recover(core_->options.acknowledgement_timeout));
  core_->recovery_pending = false;
  tell_if_possible(*core_);
  std::vector<ErasureReport> reports;
  for (const RootChangeOutcome& outcome : finished)
    if (outcome.intent.kind == ChangeKind::kErase) reports.push_back(report_of(outcome));
  return reports;
}

Result<void> Vault::change_unlock(const Unlock& next) {
  if (!core_) return closed();
  QUIETUS_TRY_AS(const auto secret, load_secret(core_->environment.files, next));
  RootChangeRequest request;
  request.kind = ChangeKind::kUnlock;
  request.reason = "unlock-change";
  request.new_unlock = {secret, secret->fresh_parameters(Argon2Parameters{})};
  QUIETUS_TRY(core_->keys->change_root(request));
  return {};
}

Result<ErasureReport> Vault::destroy(const std::filesystem::path& certificate,
                                     std::string_view reason) {
  if (!core_) return closed();
  QUIETUS_TRY(require_approved(*core_, "the destruction of the vault"));
  FileSystem& files = core_->environment.files;
  QUIETUS_TRY_AS(const ErasureReason why, parse_erasure_reason(reason));
  QUIETUS_TRY_AS(const bool taken, files.exists(certificate));
  if (taken)
    return Error(ErrorCode::kAlreadyExists, certificate.string() + ": there is a file already");
  QUIETUS_TRY(check_last_words(*core_));
  // The certificate is the last thing the vault says: there must be room for it before anything
  // dies.
  QUIETUS_TRY(write_file(files, certificate, Bytes(kRoomForCertificate)));
  RootChangeRequest request;
  request.kind = ChangeKind::kDestroyVault;
  request.reason = why.code;
  request.scopes = {kVaultScope};
  auto outcome = core_->keys->change_root(request);
  if (!outcome) {
    if (outcome.error().code() == ErrorCode::kHeld)
      note_refused(*core_->keys, kVaultScope, "destroy-vault", core_->environment.clock.now());
    const auto removed = files.remove(certificate);
    static_cast<void>(removed);
    return std::move(outcome).error();
  }
  core_->destroyed = true;
  ErasureReport report = report_of(*outcome);
  QUIETUS_FAILPOINT("destroy/before-certificate");
  const auto written = write_last_certificate(files, certificate, report.certificate);
  if (!written) report.certificate_problem = written.error().context();
  // What is left in the folder is random bytes.
  const auto removed = core_->provider->remove_remains();
  static_cast<void>(removed);
  core_.reset();
  return report;
}

Result<void> Vault::finish_destruction(const std::filesystem::path& folder) {
  return VaultCore::finish_destruction(folder, {});
}

}  // namespace quietus
