// Doing what was approved, and the other ends of a request.
#include <quietus/lifecycle.hpp>
#include <quietus/retention.hpp>

#include <algorithm>

#include "base/failpoint.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "erase_scopes.hpp"
#include "keys/approved_by.hpp"
#include "request_change.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

// One execution. What was approved is used up by it, whatever becomes of it.
class Execution {
 public:
  Execution(std::shared_ptr<VaultCore> core, const RequestId& id)
      : core_(std::move(core)), id_(id), now_(core_->environment.clock.now()) {}

  Result<void> run() {
    QUIETUS_TRY(begin());
    if (row_.kind == RequestKind::kChange) {
      // So that an older copy of the store, with the rules before, is recognised.
      static_cast<void>(core_->keys->refresh_anchor());
      return {};
    }
    QUIETUS_FAILPOINT("request/begun");
    const bool erasing = row_.kind == RequestKind::kDeletion;
    Result<void> done = interrupted_ && erasing ? finish_interrupted() : carry_out();
    if (done) return finish();
    const ErrorCode code = done.error().code();
    // Begun and recorded, or somebody else is at it: it is finished by the next call.
    if (code == ErrorCode::kErasureIncomplete || code == ErrorCode::kBusy) return done;
    QUIETUS_TRY(give_up());
    return done;
  }

 private:
  // T1 of the approvals: checked and used up in one transaction.
  Result<void> begin() {
    return core_->update(
        [&](ControlWriter& writer, ScopeTable& scopes, RootRow& root) -> Result<void> {
          const RowSeal seal = scopes.seal();
          QUIETUS_TRY_AS(const Operator actor, require_actor(*core_, writer, seal, Duty::kExecute));
          actor_ = actor.id;
          QUIETUS_TRY_AS(row_, request_row(writer, seal, id_));
          interrupted_ = row_.state == RequestState::kExecuting;
          if (interrupted_) return {};
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
          if (row_.kind == RequestKind::kDeletion) QUIETUS_TRY(name_approval(writer, seal, plan));
          return rows::put_request(writer, seal, row_);
        });
  }

  // For the certificate, which may be written later, by another process.
  Result<void> name_approval(ControlWriter& writer, const RowSeal& seal, const Sha256& plan) {
    random_bytes(row_.erasure);
    ClaimedRequest claimed{id_, *Code::parse(name_of(row_.kind)), plan, {}};
    for (const Approval& one : row_.plan->approvals)
      claimed.approvals.push_back({one.who, one.key, one.time, one.touched, one.verified});
    return rows::put_approved_by(writer, seal, row_.erasure, claimed);
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
    return known.ended ? Result<void>() : retention.terminate(path, now_);
  }
  Result<void> withdraw(Retention& retention, const std::string& path) {
    QUIETUS_TRY_AS(const ScheduleInfo known, retention.schedule(path));
    return known.consent_withdrawn ? Result<void>() : retention.withdraw_consent(path, now_);
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
    QUIETUS_TRY(erase_approved(*core_, row_.scopes, row_.reason, guard, row_.erasure));
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
};

struct Ending {
  RequestEvent event = RequestEvent::kReject;
  Duty duty = Duty::kApprove;
  Code what = "none";
};
// Who opened it, or an admin, takes it back; who may approve it says no.
Result<void> check_may_end(const RequestRow& row, const Operator& actor, RequestEvent event) {
  const bool admin = (actor.roles & static_cast<Roles>(Role::kAdmin)) != 0;
  if (event == RequestEvent::kCancel ? admin || row.opened_by == actor.id : may_approve(row, actor))
    return {};
  return Error(ErrorCode::kRefused, actor.name + " may not end this request");
}

Result<RequestInfo> end_request(VaultCore& core, std::string_view id, const Ending& ending,
                                const Sha256& why) {
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const UnixMillis now = core.environment.clock.now();
  QUIETUS_TRY(core.update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(const Operator actor, require_actor(core, writer, seal, ending.duty));
    QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
    QUIETUS_TRY(check_may_end(row, actor, ending.event));
    QUIETUS_TRY(advance(row, ending.event));
    row.ended = now;
    QUIETUS_TRY(rows::remove_contact(writer, wanted));
    QUIETUS_TRY(rows::put_request(writer, seal, row));
    return log_decision(writer, seal, now, {ending.what, actor.id, wanted, why});
  }));
  return info_of(core, wanted);
}

}  // namespace

Result<RequestInfo> Governance::execute(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  QUIETUS_TRY(Execution(core, wanted).run());
  return info_of(*core, wanted);
}

Result<RequestInfo> Governance::reject(std::string_view id, std::string_view reason) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return end_request(*core, id, {RequestEvent::kReject, Duty::kApprove, "request-rejected"},
                     sha256(as_bytes(reason)));
}

Result<RequestInfo> Governance::cancel(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  return end_request(*core, id, {RequestEvent::kCancel, Duty::kAsk, "request-cancelled"}, {});
}

Result<RequestInfo> Governance::extend(std::string_view id, std::int64_t deadline_unix_ms,
                                       std::string_view reason) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  const auto why = Code::parse(reason);
  if (!why) return Error(ErrorCode::kInvalidArgument, "the reason of an extension is a code");
  const UnixMillis now = core->environment.clock.now();
  QUIETUS_TRY(
      core->update([&](ControlWriter& writer, ScopeTable& scopes, RootRow&) -> Result<void> {
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY_AS(const Operator actor, require_actor(*core, writer, seal, Duty::kVerify));
        QUIETUS_TRY_AS(RequestRow row, request_row(writer, seal, wanted));
        if (row.ended != 0) return Error(ErrorCode::kRefused, "the request has ended");
        if (deadline_unix_ms <= row.deadline)
          return Error(ErrorCode::kInvalidArgument, "an extension ends later than the deadline");
        row.deadline = deadline_unix_ms;
        row.extended = why->text();
        QUIETUS_TRY(rows::put_request(writer, seal, row));
        return log_decision(writer, seal, now, {"request-extended", actor.id, wanted, {}});
      }));
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

Result<RequestInfo> Governance::request(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  return info_of(*core, wanted);
}

Result<std::vector<RequestInfo>> Governance::requests() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  std::vector<RequestInfo> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        QUIETUS_TRY_AS(const auto all, rows::requests(reader, scopes.seal()));
        for (const RequestRow& row : all) {
          QUIETUS_TRY_AS(RequestInfo info, info_of(*core, reader, scopes, row));
          found.push_back(std::move(info));
        }
        return {};
      }));
  return found;
}

Result<std::vector<SignedText>> Governance::signatures(std::string_view id) {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  QUIETUS_TRY_AS(const RequestId wanted, parse_request_id(id));
  std::vector<SignedText> found;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        found.clear();
        const RowSeal seal = scopes.seal();
        QUIETUS_TRY(request_row(reader, seal, wanted));
        QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
        QUIETUS_TRY_AS(const auto statements, rows::statements_of(reader, seal, wanted));
        for (const rows::SignedStatement& one : statements) {
          found.push_back({name_in(people, one.who), one.text, one.signature});
        }
        return {};
      }));
  return found;
}

}  // namespace quietus
