// How requests end other than by being done, and how they get more time.
#include "base/text_encoding.hpp"
#include "evidence/utc_time.hpp"
#include "keys/approved_by.hpp"
#include "requests.hpp"

namespace quietus {
namespace {

// An erasure that was begun ends as one: it is finished or given up by `request execute`.
Result<void> check_not_decided(ControlReader& reader, const RowSeal& seal, const RequestRow& row) {
  if (row.kind != RequestKind::kDeletion) return {};
  QUIETUS_TRY_AS(const auto intent, rows::intent(reader, seal, row.erasure));
  QUIETUS_TRY_AS(const auto tombstone, rows::tombstone(reader, seal, row.scopes.front()));
  if (!intent && !(tombstone && tombstone->erasure == row.erasure)) return {};
  return Error(ErrorCode::kErasureIncomplete,
               "the erasure is begun and recorded; `request execute` again finishes it");
}

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
    if (row.state == RequestState::kExecuting) QUIETUS_TRY(check_not_decided(writer, seal, row));
    QUIETUS_TRY(advance(row, ending.event));
    row.ended = now;
    // It was being carried out, and nothing was decided.
    QUIETUS_TRY(rows::remove_approved_by(writer, row.erasure));
    row.erasure = {};
    QUIETUS_TRY(rows::remove_asked_for(writer, row));
    QUIETUS_TRY(rows::put_request(writer, seal, row));
    return log_decision(writer, seal, now, {ending.what, actor.id, wanted, why});
  }));
  return info_of(core, wanted);
}

}  // namespace

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
        const std::string what = format_utc(deadline_unix_ms) + " " + std::string(why->text());
        return log_decision(writer, seal, now,
                            {"request-extended", actor.id, wanted, sha256(as_bytes(what))});
      }));
  return info_of(*core, wanted);
}

}  // namespace quietus
