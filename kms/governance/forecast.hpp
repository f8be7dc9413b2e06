// What will be erased when, and by which rule: every living scope is visited once, children before
// parents. A plan and a sweep see the same: a sweep erases what the forecast has for now.
//
// A scope ends when a rule says so for it **and** for everything below it; until then only those
// below end that are due. A date that was set for a scope, its termination and the withdrawal of
// consent count for everything below it as well. An erasure that was asked for takes everything
// along. Nothing ends that a legal hold covers or that something held depends on, until that is
// over; nothing by a rule that is restricted, or that something restricted was derived from; and
// nothing by a rule that says `review`.
#pragma once

#include <quietus/result.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "governance/due.hpp"
#include "governance/policy_rows.hpp"
#include "keys/schedule.hpp"
#include "keys/scope_table.hpp"

namespace quietus {

// The policy in force at a time, and those that take effect later.
class PolicyTimeline {
 public:
  // `trial`: one more version, as if it had been applied last. kCorrupt when a stored version does
  // not parse.
  static Result<PolicyTimeline> from(const std::vector<PolicyVersion>& versions, UnixMillis now,
                                     const Policy* trial = nullptr);

  // A rule that is over counts from the day on which its policy takes effect.
  std::optional<Due> due_of(const ScopeFacts& facts, RetentionAction action) const;
  // The one that counts now; nullptr when there is none.
  const Policy* in_force() const noexcept;

 private:
  std::vector<std::pair<UnixMillis, Policy>> policies_;
  bool first_in_force_ = false;
};

enum class Outlook : std::uint8_t {
  kDue,         // will be erased then
  kReview,      // a person decides
  kHeld,        // a legal hold is in the way
  kRestricted,  // processing is restricted; it is not erased by a rule
  kWaits,       // for what lies below it
  kUnreadable,  // its rows are damaged
};
std::string_view name_of(Outlook outlook) noexcept;  // "due", "review", …

struct Prospect {
  ScopeId scope = 0;
  std::string path;
  std::string data_class;
  std::size_t level = 0;  // 1 a tenant, and so on
  UnixMillis when = 0;
  std::string rule;
  std::string reason;       // of the erasure, a code
  std::uint64_t below = 0;  // living scopes that end along with it and are not told by themselves
  // The day of its last activity, 0 for none, when the rule counts from that.
  std::optional<UnixMillis> activity;
  bool along = false;     // by no rule of its own: it was derived from what ends
  bool asked = false;     // an erasure was asked for: it takes along whatever lies below
  ScopeId waits_for = 0;  // of kWaits: the first that is not due
  Outlook outlook = Outlook::kDue;
};

class Forecast {
 public:
  struct Request {
    UnixMillis now = 0;    // what was due before is due now
    UnixMillis until = 0;  // what comes later is left out
    // Not all use is known: what counts from the last activity, and what it lies in, waits.
    bool activity_unknown = false;
  };
  Forecast(Request request, const PolicyTimeline& policies)
      : request_(request), policies_(policies) {}

  // To be called once, first: what holds keep. The policy must be of the same time. kCorrupt when a
  // hold cannot be read. Where a damaged row hides what a hold covers, the forecast may have for
  // due what is held.
  Result<void> note_holds(ControlReader& reader, ScopeTable& scopes);
  // To be called first as well: scopes that another run found to be restricted, and to be derived,
  // or to lie in something that was. What that was derived from does not end by a rule.
  Result<void> note_restricted(ControlReader& reader, ScopeTable& scopes,
                               const std::vector<ScopeId>& derived);

  // Visits about so many more scopes; true when all were. Each call may be on another snapshot, and
  // may be run again on the same.
  Result<bool> go_on(ControlReader& reader, ScopeTable& scopes, std::size_t budget);

  // Tenants and classes are told by themselves, what lies below them only when it ends at another
  // time.
  const std::vector<Prospect>& prospects() const noexcept { return prospects_; }
  std::vector<Prospect> take() { return std::move(prospects_); }
  std::uint64_t living() const noexcept { return living_; }  // scopes that were visited
  std::uint64_t unreadable() const noexcept { return unreadable_; }
  // Whose making or last activity lies in the future: a clock was wrong.
  const std::vector<ScopeId>& misdated() const noexcept { return misdated_; }
  const std::vector<ScopeId>& restricted_and_derived() const noexcept { return restricted_; }

 private:
  static constexpr UnixMillis kNever = INT64_MAX;

  // What counts for everything below the scope that says it.
  struct Inherited {
    std::optional<UnixMillis> terminated;
    std::optional<UnixMillis> consent_withdrawn;
    std::optional<UnixMillis> expires;
    std::map<std::string, Period> chosen;  // by class
    UnixMillis cap = kNever;               // an erasure that was asked for, of it or above
    std::string asked_reason;
    UnixMillis held_until = 0;  // 0: not
  };
  struct Frame {
    Prospect own;
    UnixMillis own_when = kNever;   // by rule
    UnixMillis kept_until = 0;      // by a hold on it, above it, or on what depends on it
    std::optional<Due> review;      // before it ends
    UnixMillis asked_for = kNever;  // by somebody
    std::string asked_reason;
    UnixMillis whole = 0;    // when everything below it is due
    ScopeId last_below = 0;  // what makes it wait
    Inherited for_below;
    std::vector<ScopeId> children;
    std::size_t next = 0;
    std::size_t first = 0;  // of the prospects below it
  };

  Result<void> enter(ControlReader& reader, ScopeTable& scopes, ScopeId scope);
  Result<bool> look_at(ControlReader& reader, ScopeTable& scopes, Frame& frame);
  Result<void> look_at_schedule(ControlReader& reader, ScopeTable& scopes, Frame& frame,
                                ScopeFacts& facts);
  Result<void> note_hold(ControlReader& reader, const RowSeal& seal, ScopeId scope,
                         UnixMillis until);
  Result<void> keep_above(ControlReader& reader, const RowSeal& seal, ScopeId scope,
                          UnixMillis until);
  void apply_rules(const ScopeFacts& facts, Frame& frame) const;
  void apply_holds(Frame& frame) const;
  Result<void> note_if_derived(ControlReader& reader, ScopeTable& scopes, ScopeId scope);
  void leave();
  void tell(Frame frame, UnixMillis when);
  void tell_review(const Frame& frame);
  UnixMillis clamped(UnixMillis when) const noexcept { return std::max(when, request_.now); }

  Request request_;
  const PolicyTimeline& policies_;
  std::map<ScopeId, UnixMillis> covered_;  // by a hold until then, and what lies below it
  std::map<ScopeId, UnixMillis> kept_;     // for something that depends on it, until then
  std::set<ScopeId> sources_of_restricted_;
  std::vector<ScopeId> restricted_;
  std::vector<Frame> stack_;
  bool begun_ = false;
  std::vector<Prospect> prospects_;
  std::vector<ScopeId> misdated_;
  std::uint64_t living_ = 0;
  std::uint64_t unreadable_ = 0;
};

}  // namespace quietus
