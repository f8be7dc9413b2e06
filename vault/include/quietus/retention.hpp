// When data ends: the retention policy, what was decided about single scopes, and the sweep that
// erases what is due (docs/policy.md, docs/retention.md).
#pragma once

#include <quietus/report.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace quietus {

struct VaultCore;

// A version of the retention policy (docs/policy.md).
struct PolicyInfo {
  std::uint32_t version = 0;
  std::int64_t applied_unix_ms = 0;
  std::int64_t effective_unix_ms = 0;
  bool in_force = false;  // now
  std::string text;       // the TOML file, byte for byte
};

// Whether the text is a policy. kInvalidArgument names the line. Needs no vault.
QUIETUS_EXPORT Result<void> check_policy(std::string_view text);
// What differs between two policies, one line each. kInvalidArgument.
QUIETUS_EXPORT Result<std::vector<std::string>> policy_differences(std::string_view before,
                                                                   std::string_view after);

// What was decided about a scope. Times are Unix milliseconds.
struct ScheduleInfo {
  std::uint64_t scope_id = 0;
  std::string path;  // empty when it cannot be read
  std::optional<std::int64_t> terminates;
  bool ended = false;  // the termination has come: reads go on, writes have ended
  std::optional<std::int64_t> consent_withdrawn;
  std::optional<std::int64_t> expires;
  std::optional<std::int64_t> erase_at;  // an erasure that was asked for and can be taken back
  std::string erase_reason;              // a code
  std::string chosen_period;             // "10d", in place of the rule's
};

// What a plan foresees for a scope.
struct Prospective {
  std::uint64_t scope_id = 0;
  std::string path;
  std::string data_class;
  std::int64_t when_unix_ms = 0;  // what was due before the plan was made keeps its day
  std::string rule;               // "customer-data: 15d after termination"
  std::string outlook;            // "due", "review", "held", "restricted", "waits"
  std::string waits_for;          // of "waits": the path of the first that is not due
  std::uint64_t below = 0;        // scopes that end along with it and are not listed
};

// What will end until a day.
struct RetentionPlan {
  std::int64_t made_unix_ms = 0;
  std::int64_t until_unix_ms = 0;
  std::uint32_t policy_version = 0;  // in force now; 0: none
  std::vector<Prospective> scopes;   // in the order of their time
  std::uint64_t living = 0;          // scopes of the vault
  std::uint64_t unreadable = 0;      // whose rows are damaged: nothing above them ends by a rule
};

// Whether, and how much, a sweep may erase.
struct SweepOptions {
  bool dry_run = false;
  // How many scopes may end. Without: 1,000 or a tenth of all, whichever is less, and 10 always.
  std::optional<std::uint64_t> max_scopes;
};

// What a sweep did.
struct SweepReport {
  RetentionPlan plan;        // what was due, and what was in the way
  std::uint64_t scopes = 0;  // that ended, or would
  std::uint64_t limit = 0;   // how many might
  // Processes that may know of use which is not written down; what is due by its last activity
  // waits for them.
  std::uint32_t unconfirmed = 0;
  std::vector<ErasureReport> erasures;   // with certificates
  std::uint64_t holds_ended = 0;         // whose day had come
  std::uint64_t terms_ended = 0;         // terminations that came into effect
  std::uint64_t keys_retired = 0;        // of older generations, that nothing needs any more
  std::string keys_kept_because;         // why that could not be done; empty: it could
  std::uint64_t rotations_finished = 0;  // that had been interrupted
};

// When an erasure that was asked for will be made.
struct ErasureAppointment {
  std::string path;
  std::int64_t when_unix_ms = 0;
  std::string grace;  // "7d"; "0d": now, and nothing was scheduled
};

// What the sweep has to do, at a glance.
struct RetentionStatus {
  // False: there are more than 20,000 scopes, or something cannot be read; plan() tells more.
  bool known = false;
  std::optional<std::int64_t> next_due;  // of what is not due yet, the first
  std::uint64_t due_now = 0;             // for the next sweep
  std::uint64_t overdue = 0;             // of it, for more than a day: is there a sweep each day?
  std::uint64_t kept = 0;                // whose day has come: held, restricted, to be reviewed
};

// Of an open vault; valid as long as that is. Thread-safe. Changes are durable on return and
// logged. All take scope paths as Vault::scope() does, with its errors.
class QUIETUS_EXPORT Retention {
 public:
  // Makes it the newest version of the vault's retention policy. kInvalidArgument names the line;
  // kRefused: it would take effect before its notice period, or that of the version before it, is
  // over; kAlreadyExists: it is the newest already.
  Result<PolicyInfo> apply_policy(std::string_view text);
  // Every version that was ever applied, oldest first.
  Result<std::vector<PolicyInfo>> policies();

  // The agreement with a tenant, or the term of another scope, ends then: from that day on nothing
  // is written in it and below it, reads go on, and rules that count from termination begin. A day
  // that is not in the future counts at once. kInvalidArgument: before the scope was made; kRefused
  // when it has ended already.
  Result<void> terminate(std::string_view path, std::int64_t effective_unix_ms);
  // Takes that back, as long as nothing is erased. kNotFound when there is no termination.
  Result<void> cancel_termination(std::string_view path);
  // Consent was withdrawn, or somebody opted out, then.
  Result<void> withdraw_consent(std::string_view path, std::int64_t when_unix_ms);
  Result<void> restore_consent(std::string_view path);  // kNotFound
  // A day on which this scope and what is below it is due at the latest: a rule that is over before
  // counts all the same. None: as the rules say.
  Result<void> set_expiry(std::string_view path, std::optional<std::int64_t> when_unix_ms);
  // A period in place of the one of the rules that apply, for the scope and what is below it;
  // empty: as the rules say. kRefused when the policy in force gives its class no room for it.
  Result<void> choose_period(std::string_view path, std::string_view period);
  // What was decided about this scope.
  Result<ScheduleInfo> schedule(std::string_view path);
  // Every scope about which something was decided.
  Result<std::vector<ScheduleInfo>> schedules();

  // When Vault::erase() with grace would destroy them: by the class of each, from now. Without a
  // policy 7 days for tenants and none for others.
  Result<std::vector<ErasureAppointment>> appointments(std::span<const std::string> paths);
  // Restricts the scopes at once and has the sweep destroy their keys after their grace. `reason`
  // as for Vault::erase(). kHeld. kAlreadyExists when an erasure of one was asked for before.
  Result<std::vector<ErasureAppointment>> schedule_erasure(std::span<const std::string> paths,
                                                           std::string_view reason);
  // All or none. kNotFound when none was asked for of one of them.
  Result<void> cancel_erasure(std::span<const std::string> paths);

  // What will be erased until then; `trial` is the text of a policy that is not applied, as if it
  // were the newest version.
  Result<RetentionPlan> plan(std::int64_t until_unix_ms, std::string_view trial = {});
  // Costs a look at every scope.
  Result<RetentionStatus> status();
  // Erases what is due, all in one root change, and certifies it. Also ends holds and terms whose
  // day has come, finishes interrupted rotations and destroys keys that rotations left. kRefused
  // when the clock went back or is far ahead, or when more would end than may: nothing is
  // destroyed, and the text says what to do. kErasureIncomplete as Vault::erase().
  Result<SweepReport> sweep(const SweepOptions& options = {});
  // Vouches for the clock after it had stopped the sweep. Logged.
  Result<void> accept_clock();

  explicit Retention(std::weak_ptr<VaultCore> core) : core_(std::move(core)) {}

 private:
  std::weak_ptr<VaultCore> core_;
};

}  // namespace quietus
