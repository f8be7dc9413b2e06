#include "request_plan.hpp"

#include <algorithm>
#include <set>

#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "crypto/random.hpp"
#include "evidence/log_store.hpp"
#include "evidence/utc_time.hpp"
#include "governance/policy_rows.hpp"
#include "governance_rules.hpp"
#include "keys/holds.hpp"
#include "keys/root_row.hpp"
#include "keys/scope_graph.hpp"
#include "request_change.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

constexpr std::size_t kScopesNamed = 100;  // of each list

bool destroys(const RequestRow& request) {
  return request.kind == RequestKind::kDeletion;
}

bool is_frozen(KeyState state) {
  return state == KeyState::kSuspended || state == KeyState::kDeactivated;
}

// A request is about living scopes. One whose row is damaged lives as far as is known.
Result<void> check_alive(ControlReader& reader, const RowSeal& seal, const RequestRow& request) {
  for (const ScopeId scope : request.scopes) {
    const auto row = rows::key_row(reader, seal, scope);
    if (!row.ok() || (*row && !is_destroyed((*row)->state))) continue;
    return Error(ErrorCode::kErased, "scope " + hex_id(scope) +
                                         " was erased since the request was opened: cancel it, and "
                                         "ask for what is left");
  }
  return {};
}

// What lies below must not grow while people read the plan, nor thaw and freeze again: since when
// it is frozen is part of what is approved.
Result<void> cover_frozen(ControlReader& reader, const RowSeal& seal, const RequestRow& request,
                          const std::set<ScopeId>& dying, ByteWriter& covered) {
  if (dying.size() == request.scopes.size()) return {};
  for (const ScopeId scope : request.scopes) {
    const auto row = rows::key_row(reader, seal, scope);
    if (!row.ok() || !*row) continue;  // its keys are found all the same
    const auto alone = scopes_dying_with(reader, seal, {scope});
    if (alone && alone->size() == 1) continue;
    if (!is_frozen((*row)->state))
      return Error(ErrorCode::kRefused,
                   "scope " + hex_id(scope) +
                       " has others below it, and could get more while the plan is approved: "
                       "freeze it first (`quietus key suspend` or `key deactivate`)");
    covered.u64(scope).u64(static_cast<std::uint64_t>((*row)->changed));
  }
  return {};
}

class PlanText {
 public:
  PlanText& line(std::string_view word, std::string_view value) {
    text_.append(word).append(" ").append(value).append("\n");
    return *this;
  }
  PlanText& blank() {
    text_ += "\n";
    return *this;
  }
  PlanText& say(std::string_view sentence) {
    text_.append(sentence).append("\n");
    return *this;
  }
  PlanText& append(std::string_view text) {
    text_.append(text);
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string_view action_of(RequestKind kind) {
  switch (kind) {
    case RequestKind::kTermination: return "terminate";
    case RequestKind::kDeletion: return "erase";
    case RequestKind::kRestriction: return "restrict";
    case RequestKind::kAccess:
    case RequestKind::kPortability: return "export";
    case RequestKind::kCorrection: return "correct";
    case RequestKind::kConsentWithdrawal: return "withdraw-consent";
    case RequestKind::kChange: return "change";
  }
  return "none";
}

std::string name_of_scope(ControlReader& reader, ScopeTable& scopes, ScopeId scope) {
  const auto path = path_of(reader, scopes, scope);
  return (path ? visible(*path) : std::string("(its name cannot be read)")) + " scope " +
         hex_id(scope);
}

void say_scope(PlanText& text, ControlReader& reader, ScopeTable& scopes, const RequestRow& request,
               ScopeId scope) {
  text.line(action_of(request.kind), name_of_scope(reader, scopes, scope));
  const auto row = rows::key_row(reader, scopes.seal(), scope);
  if (!row.ok() || !*row) return;
  for (const KeyRecord& key : (*row)->keys)
    if (!is_destroyed(key.state))
      text.line("  key", hex_id(key.id) + " " + std::string(name_of(key.line)) + " generation " +
                             std::to_string(key.generation));
}

void say_scopes(PlanText& text, ControlReader& reader, ScopeTable& scopes,
                const RequestRow& request) {
  std::size_t said = 0;
  for (const ScopeId scope : request.scopes) {
    if (++said > kScopesNamed) break;
    say_scope(text, reader, scopes, request, scope);
  }
  if (request.scopes.size() > kScopesNamed)
    text.line("  and", std::to_string(request.scopes.size() - kScopesNamed) + " more");
  text.line("scopes", std::to_string(request.scopes.size()));
}

// All that dies is bound by `covers`; the first are named, for people.
Result<void> say_dying(PlanText& text, ControlReader& reader, ScopeTable& scopes,
                       const RequestRow& request) {
  QUIETUS_TRY_AS(const auto dying, scopes_dying_with(reader, scopes.seal(), request.scopes));
  const std::size_t others = dying.size() - request.scopes.size();
  text.line("below-or-derived", std::to_string(others));
  std::size_t said = 0;
  for (const ScopeId scope : dying) {
    if (std::ranges::find(request.scopes, scope) != request.scopes.end()) continue;
    if (++said > kScopesNamed) break;
    text.line("  also", name_of_scope(reader, scopes, scope));
  }
  if (others > kScopesNamed) text.line("  and", std::to_string(others - kScopesNamed) + " more");
  text.line("holds", "none");
  return {};
}

Result<void> say_what(PlanText& text, ControlReader& reader, ScopeTable& scopes,
                      const RequestRow& request) {
  if (request.kind != RequestKind::kChange) say_scopes(text, reader, scopes, request);
  if (destroys(request)) QUIETUS_TRY(say_dying(text, reader, scopes, request));
  if (request.kind != RequestKind::kChange) return {};
  text.say("change").append(framed(request.change));
  QUIETUS_TRY_AS(const std::string now, changed_now(reader, scopes, request.change));
  if (!now.empty()) text.say("in place of").append(framed(now));
  return {};
}

std::string_view meaning_of(RequestKind kind) {
  switch (kind) {
    case RequestKind::kDeletion:
      return "Who signs this approves that the keys of these scopes, and with them everything in "
             "and "
             "below\nthem and derived from them, are destroyed for ever. Keys that replace those "
             "above die in their stead.";
    case RequestKind::kTermination:
      return "Who signs this approves that writing ends, and that each class of data is erased "
             "when "
             "its rule says.";
    case RequestKind::kAccess:
    case RequestKind::kPortability:
      return "Who signs this approves that everything in and below these scopes is handed out.";
    case RequestKind::kRestriction: return "Who signs this approves that processing is restricted.";
    case RequestKind::kCorrection: return "Who signs this approves that records are corrected.";
    case RequestKind::kConsentWithdrawal:
      return "Who signs this approves that consent counts as withdrawn, and data is erased when "
             "its "
             "rule says.";
    case RequestKind::kChange: return "Who signs this approves this change.";
  }
  return "";
}

}  // namespace

std::string framed(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.append("| ").append(visible(text.substr(0, end))).append("\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Result<Sha256> plan_covers(ControlReader& reader, const RowSeal& seal, const RequestRow& request) {
  QUIETUS_TRY(check_alive(reader, seal, request));
  QUIETUS_TRY_AS(const SealedRootRow root, read_root_row(reader));
  ByteWriter covered;
  covered.raw(root.row.instance)
      .raw(request.id)
      .u8(static_cast<std::uint8_t>(request.kind))
      .text(request.reason);
  std::set<ScopeId> scopes(request.scopes.begin(), request.scopes.end());
  for (const ScopeId scope : scopes) covered.u64(scope);
  covered.text(request.change);
  if (destroys(request)) {
    QUIETUS_TRY(check_not_held(reader, seal, request.scopes));
    QUIETUS_TRY_AS(const auto dying, scopes_dying_with(reader, seal, request.scopes));
    for (const ScopeId scope : dying) covered.u64(scope);
    QUIETUS_TRY(cover_frozen(reader, seal, request, dying, covered));
  }
  if (request.kind == RequestKind::kChange)
    QUIETUS_TRY(cover_changed(reader, seal, request.change, covered));
  return sha256(covered.view());
}

namespace {

std::string instance_of(const VaultHeader& header) {
  if (header.instance == InstanceId{}) return {};
  return " instance " + to_hex(header.instance);
}

}  // namespace

Result<PlanRow> make_plan(VaultCore& core, ControlReader& reader, ScopeTable& scopes,
                          const RequestRow& request, UnixMillis now) {
  const RowSeal seal = scopes.seal();
  PlanRow plan;
  plan.expires = now - now % 1000 + kPlanLife;
  QUIETUS_TRY_AS(plan.covers, plan_covers(reader, seal, request));
  QUIETUS_TRY_AS(const auto people, rows::operators(reader, seal));
  QUIETUS_TRY_AS(const auto policies, rows::policies(reader, seal));
  QUIETUS_TRY_AS(const TreeHead log, log_head(reader));
  const PolicyVersion* const policy = in_force(policies, now);
  std::array<std::uint8_t, 16> nonce{};
  random_bytes(nonce);
  PlanText text;
  text.say("quietus-plan/v1")
      .line("vault", to_hex(core.header.vault) + instance_of(core.header))
      .line("log", std::to_string(log.size) + " " + to_hex(log.root))
      .line("request", to_hex(request.id) + " " + std::string(name_of(request.kind)))
      .line("opened", format_utc(request.opened) + " by " + name_in(people, request.opened_by));
  if (request.verification)
    text.line("verified", format_utc(request.verification->time) + " by " +
                              name_in(people, request.verification->by) + ", " +
                              std::string(request.verification->method.text()) + ", evidence " +
                              to_hex(request.verification->evidence));
  text.line("reason", request.reason)
      .line("policy", policy == nullptr ? "none" : std::to_string(policy->version))
      .line("expires", format_utc(plan.expires))
      .line("covers", to_hex(plan.covers))
      .line("nonce", to_hex(nonce))
      .blank();
  QUIETUS_TRY(say_what(text, reader, scopes, request));
  text.blank().say(meaning_of(request.kind));
  plan.text = text.take();
  if (plan.text.size() > kMaxPlanText)
    return Error(ErrorCode::kRefused, "the plan is too long to be read and signed; ask for less");
  return plan;
}

}  // namespace quietus
