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
#include "keys/scope_graph.hpp"
#include "scope_paths.hpp"

namespace quietus {
namespace {

bool destroys(const RequestRow& request) {
  return request.kind == RequestKind::kDeletion;
}

// What lies below must not grow while people read the plan.
Result<void> check_frozen(ControlReader& reader, const RowSeal& seal, const RequestRow& request,
                          const std::set<ScopeId>& dying) {
  const std::set<ScopeId> targets(request.scopes.begin(), request.scopes.end());
  if (dying.size() == targets.size()) return {};
  for (const ScopeId scope : request.scopes) {
    const auto row = rows::key_row(reader, seal, scope);
    if (!row.ok() || !*row) continue;  // its keys are found all the same
    const KeyState state = (*row)->state;
    if (state == KeyState::kSuspended || state == KeyState::kDeactivated) continue;
    const auto alone = scopes_dying_with(reader, seal, {scope});
    if (alone && alone->size() == 1) continue;
    return Error(ErrorCode::kRefused,
                 "scope " + hex_id(scope) +
                     " has others below it, and could get more while the plan is approved: freeze "
                     "it first (`quietus key suspend` or `key deactivate`)");
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

// Every scope, or the plan is too long.
Result<void> say_what(PlanText& text, ControlReader& reader, ScopeTable& scopes,
                      const RequestRow& request) {
  for (const ScopeId scope : request.scopes) say_scope(text, reader, scopes, request, scope);
  text.line("scopes", std::to_string(request.scopes.size()));
  if (destroys(request)) {
    QUIETUS_TRY_AS(const auto dying, scopes_dying_with(reader, scopes.seal(), request.scopes));
    text.line("below-or-derived", std::to_string(dying.size() - request.scopes.size()));
    for (const ScopeId scope : dying)
      if (std::ranges::find(request.scopes, scope) == request.scopes.end())
        text.line("  also", name_of_scope(reader, scopes, scope));
    text.line("holds", "none");
  }
  if (request.kind != RequestKind::kChange) return {};
  text.blank().append(framed(request.change));
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
  ByteWriter covered;
  covered.raw(request.id).u8(static_cast<std::uint8_t>(request.kind)).text(request.reason);
  std::set<ScopeId> scopes(request.scopes.begin(), request.scopes.end());
  for (const ScopeId scope : scopes) covered.u64(scope);
  covered.text(request.change);
  if (destroys(request)) {
    QUIETUS_TRY(check_not_held(reader, seal, request.scopes));
    QUIETUS_TRY_AS(const auto dying, scopes_dying_with(reader, seal, request.scopes));
    QUIETUS_TRY(check_frozen(reader, seal, request, dying));
    for (const ScopeId scope : dying) covered.u64(scope);
  }
  return sha256(covered.view());
}

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
      .line("vault", to_hex(core.header.vault))
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
