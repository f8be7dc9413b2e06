// Doing what was approved.
#include <quietus/lifecycle.hpp>
#include <quietus/retention.hpp>

#include <algorithm>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "erase_scopes.hpp"
#include "evidence/utc_time.hpp"
#include "keys/approved_by.hpp"
#include "request_change.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

constexpr std::string_view kInterrupted =
    "it was interrupted, some of it may be done, and its approvals do not count any more: reject "
    "or "
    "cancel it, and look (`scope schedule`, `key show`)";

// What it allows is done by somebody else: an export, a corrected record.
bool is_allowance(RequestKind kind) {
  return kind == RequestKind::kAccess || kind == RequestKind::kPortability ||
         kind == RequestKind::kCorrection;
}

// One execution. What was approved is used up by it, whatever becomes of it.
class Execution {
 public:
  Execution(std::shared_ptr<VaultCore> core, const RequestId& id)
      : core_(std::move(core)), id_(id), now_(core_->environment.clock.now()) {}

  Result<void> run() {
    QUIETUS_TRY(begin());
    if (row_.kind == RequestKind::kChange) {
      after_change();
      return {};
    }
    QUIETUS_FAILPOINT("request/begun");
    const bool erasing = row_.kind == RequestKind::kDeletion;
    Result<void> done = interrupted_ && erasing ? finish_interrupted() : carry_out();
    // What is approved is used by whoever carries it out: see complete().
    if (done && is_allowance(row_.kind)) return {};
    if (done) return finish();
    const ErrorCode code = done.error().code();
    // Begun and recorded, or somebody else is at it: it is finished by the next call.
    if (code == ErrorCode::kErasureIncomplete || code == ErrorCode::kBusy) return done;
    QUIETUS_TRY(give_up());
    return done;
  }

  std::vector<SubjectOpening> take_subjects() { return std::move(subjects_); }

  // Ends what was allowed.
  Result<void> complete() {
    QUIETUS_TRY(
        core_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
          const RowSeal seal = scopes.seal();
          QUIETUS_TRY_AS(const Operator actor, require_actor(*core_, writer, seal, Duty::kExecute));
          actor_ = actor.id;
          QUIETUS_TRY_AS(row_, request_row(writer, seal, id_));
          if (!is_allowance(row_.kind))
            return Error(ErrorCode::kRefused, "a request for " + std::string(name_of(row_.kind)) +
                                                  " is done by its execution");
          return put_done(writer, seal);
        }));
    const std::lock_guard lock(core_->session.mutex);
    core_->session.may_export.clear();
    return {};
  }

 private:
  // What was changed stands. An older copy of the store, with the rules before, is recognised, and
  // one with the operators before opens no more; processes that know holds look again. What cannot
  // be done now leaves it at that.
  void after_change() {
    if (is_of_operators(row_.change)) {
      RootChangeRequest renewal;
      renewal.kind = ChangeKind::kUnlock;
      renewal.reason = "governed";
      static_cast<void>(core_->keys->change_root(renewal));
    } else {
      static_cast<void>(core_->keys->update_standing(
          [](ControlWriter&, ScopeTable&, RootRow&) -> Result<void> { return {}; }));
    }
    static_cast<void>(core_->keys->refresh_anchor());
  }

  // T1 of the approvals: checked and used up in one transaction.
  Result<void> begin() {
    return core_->update(
        [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          const RowSeal seal = scopes.seal();
          QUIETUS_TRY_AS(const Operator actor, require_actor(*core_, writer, seal, Duty::kExecute));
          actor_ = actor.id;
          QUIETUS_TRY_AS(row_, request_row(writer, seal, id_));
          interrupted_ = row_.state == RequestState::kExecuting;
          // An erasure that was decided goes on. Everything else needs its approvals still: else
          // one that was interrupted would be approved for ever.
          if (interrupted_ && row_.kind == RequestKind::kDeletion) return {};
          if (interrupted_) return check_plan(writer, seal, row_, now_).within(kInterrupted);
          QUIETUS_TRY(advance(row_, RequestEvent::kExecute));
          QUIETUS_TRY(check_plan(writer, seal, row_, now_));
          // The certificate names those that count.
          QUIETUS_TRY_AS(row_, with_standing_approvals(writer, seal, std::move(row_), now_));
          const Sha256 plan = sha256(as_bytes(row_.plan->text));
          QUIETUS_TRY(log_decision(writer, seal, now_, {"request-executing", actor_, id_, plan}));
          if (row_.kind == RequestKind::kChange) {
            QUIETUS_TRY(make_change(writer, scopes, root, row_, actor_, now_));
            return put_done(writer, seal);
          }
          if (row_.kind == RequestKind::kDeletion) QUIETUS_TRY(name_approval(writer, seal));
          return rows::put_request(writer, seal, row_);
        });
  }

  // For the certificate, which may be written later, by another process.
  Result<void> name_approval(ControlWriter& writer, const RowSeal& seal) {
    random_bytes(row_.erasure);
    return rows::put_approved_by(writer, seal, row_.erasure, claimed());
  }

  // What certificates of later erasures say of it.
  ClaimedRequest claimed() const {
    ClaimedRequest request{
        id_, *Code::parse(name_of(row_.kind)), sha256(as_bytes(row_.plan->text)), {}};
    for (const Approval& one : row_.plan->approvals)
      request.approvals.push_back({one.who, one.key, one.time, one.touched, one.verified});
    return request;
  }

  Result<void> carry_out() {
    QUIETUS_TRY_AS(const auto paths, paths_of());
    const ApprovedAction approved(core_->session);
    Retention retention(core_);
    switch (row_.kind) {
      case RequestKind::kDeletion: return erase();
      case RequestKind::kTermination:
        for (const std::string& path : paths) QUIETUS_TRY(terminate(retention, path));
        return {};
      case RequestKind::kRestriction:
        for (const std::string& path : paths) QUIETUS_TRY(restrict_scope(path));
        return {};
      case RequestKind::kConsentWithdrawal:
        for (const std::string& path : paths) QUIETUS_TRY(withdraw(retention, path));
        return {};
      case RequestKind::kAccess:
      case RequestKind::kPortability: return allow_export();
      case RequestKind::kCorrection:
      case RequestKind::kChange: return {};
    }
    return {};
  }

  // What was done before a crash, or by an attempt that failed in the middle, is not done again.
  Result<void> terminate(Retention& retention, const std::string& path) {
    QUIETUS_TRY_AS(const ScheduleInfo known, retention.schedule(path));
    if (known.ended) return {};
    auto done = retention.terminate(path, now_);
    // By another process meanwhile.
    const auto then = retention.schedule(path);
    return then && then->ended ? Result<void>() : done;
  }
  Result<void> withdraw(Retention& retention, const std::string& path) {
    QUIETUS_TRY_AS(const ScheduleInfo known, retention.schedule(path));
    if (known.consent_withdrawn) return {};
    auto done = retention.withdraw_consent(path, now_);
    const auto then = retention.schedule(path);
    return then && then->consent_withdrawn ? Result<void>() : done;
  }
  Result<void> restrict_scope(const std::string& path) {
    QUIETUS_TRY_AS(const KeyReport known, Lifecycle(core_).keys(path));
    if (known.state == "suspended") return {};
    QUIETUS_TRY(Lifecycle(core_).suspend(path, "objection"));
    return {};
  }

  // What is destroyed is what was approved, also in T2, on the snapshot that decides (attacks C12).
  Result<void> erase() {
    const auto guard = [this](ControlReader& reader, const RowSeal& seal, UnixMillis,
                              RootChangeRequest::Moment) -> Result<void> {
      QUIETUS_TRY_AS(const RequestRow row, request_row(reader, seal, id_));
      if (row.state != RequestState::kExecuting || row.erasure != row_.erasure)
        return Error(ErrorCode::kRefused, "the request is not being carried out any more");
      QUIETUS_TRY_AS(const Sha256 covers, plan_covers(reader, seal, row));
      if (covers == row.plan->covers) return {};
      return Error(ErrorCode::kRefused,
                   "what would be erased changed while it was begun; nothing was destroyed: make "
                   "another plan (`request plan`)");
    };
    QUIETUS_TRY_AS(ErasureReport report,
                   erase_approved(*core_, row_.scopes, row_.reason, guard, row_.erasure));
    subjects_ = std::move(report.subjects);
    return {};
  }

  Result<void> allow_export() {
    const std::lock_guard lock(core_->session.mutex);
    core_->session.may_export.insert(core_->session.may_export.end(), row_.scopes.begin(),
                                     row_.scopes.end());
    return {};
  }

  // A crash came in between, or somebody else is carrying it out.
  Result<void> finish_interrupted() {
    // What others left may fail; whether this one is done is looked at below.
    const auto recovered = core_->keys->recover(core_->options.acknowledgement_timeout);
    static_cast<void>(recovered);
    bool erased = false;
    QUIETUS_TRY(
        core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(erased, is_erased(reader, scopes.seal()));
          return {};
        }));
    if (erased) return {};
    return Error(ErrorCode::kRefused,
                 "it was interrupted before anything was done; its approvals are used up: make "
                 "another plan (`request plan`)");
  }

  // A tombstone is there from T2 on, when the old root slot still is: only when the intent is gone
  // as well, with T3, is it erased. kErasureIncomplete while it is not.
  Result<bool> is_erased(ControlReader& reader, const RowSeal& seal) {
    QUIETUS_TRY_AS(const auto intent, rows::intent(reader, seal, row_.erasure));
    if (intent)
      return Error(ErrorCode::kErasureIncomplete,
                   "the erasure is begun and recorded; `request execute` again finishes it");
    QUIETUS_TRY_AS(const auto tombstone, rows::tombstone(reader, seal, row_.scopes.front()));
    return tombstone && tombstone->erasure == row_.erasure;
  }

  Result<void> put_done(ControlWriter& writer, const RowSeal& seal) {
    QUIETUS_TRY(advance(row_, RequestEvent::kFinish));
    row_.ended = now_;
    QUIETUS_TRY(rows::put_request(writer, seal, row_));
    return log_decision(writer, seal, now_, {"request-done", actor_, id_, {}});
  }

  Result<void> finish() {
    return core_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
      QUIETUS_TRY_AS(row_, request_row(writer, scopes.seal(), id_));
      if (row_.state == RequestState::kDone) return {};  // by another process
      if (row_.kind == RequestKind::kTermination || row_.kind == RequestKind::kConsentWithdrawal)
        for (const ScopeId scope : row_.scopes)
          QUIETUS_TRY(rows::put_approved_for(writer, scopes.seal(), scope, claimed()));
      return put_done(writer, scopes.seal());
    });
  }

  Result<void> give_up() {
    return core_->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
      QUIETUS_TRY_AS(row_, request_row(writer, scopes.seal(), id_));
      if (row_.state != RequestState::kExecuting) return {};
      QUIETUS_TRY(check_undecided(writer, scopes.seal()));
      QUIETUS_TRY(advance(row_, RequestEvent::kGiveUp));
      row_.plan.reset();
      QUIETUS_TRY(rows::remove_approved_by(writer, row_.erasure));
      row_.erasure = {};
      QUIETUS_TRY(rows::put_request(writer, scopes.seal(), row_));
      return log_decision(writer, scopes.seal(), now_, {"request-given-up", actor_, id_, {}});
    });
  }

  // Only what was certainly not begun is given up: what was decided is certified as approved.
  Result<void> check_undecided(ControlReader& reader, const RowSeal& seal) {
    if (row_.kind != RequestKind::kDeletion) return {};
    QUIETUS_TRY_AS(const bool erased, is_erased(reader, seal));
    if (!erased) return {};
    return Error(ErrorCode::kErasureIncomplete,
                 "the erasure is done, and not noted; `request execute` again notes it");
  }

  Result<std::vector<std::string>> paths_of() {
    std::vector<std::string> paths;
    if (row_.kind == RequestKind::kDeletion) return paths;
    QUIETUS_TRY(
        core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          paths.clear();
          for (const ScopeId scope : row_.scopes) {
            QUIETUS_TRY_AS(std::string path, path_of(reader, scopes, scope));
            paths.push_back(std::move(path));
          }
          return {};
        }));
    return paths;
  }

  const std::shared_ptr<VaultCore> core_;
  const RequestId id_;
  const UnixMillis now_;
  OperatorId actor_{};
  RequestRow row_;
  bool interrupted_ = false;
  std::vector<SubjectOpening> subjects_;
};

}  // namespace

Result<RequestInfo> Governance::execute(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  Execution execution(core, wanted);
  QUIETUS_TRY(execution.run());
  QUIETUS_TRY_AS(RequestInfo info, info_of(*core, wanted));
  info.subjects = execution.take_subjects();
  return info;
}

Result<RequestInfo> Governance::complete(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  QUIETUS_TRY(Execution(core, wanted).complete());
  return info_of(*core, wanted);
}

Result<void> Governance::check_export(std::string_view scope_path) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  ScopeId scope = 0;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(scope, resolve_path(reader, scopes, scope_path));
        return {};
      }));
  return require_export_approved(*core, scope);
}

}  // namespace quietus
