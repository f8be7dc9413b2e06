// Who may decide what happens to a vault. Without operators a vault is one person's: who can unlock
// it may do everything. Governed, and that is for ever, what destroys, releases, exports or changes
// the rules is asked for, verified and approved first, by people who sign with SSH keys
// (docs/governance.md). This binds the honest program: who has the unlock secret and a program of
// their own is not bound by it (docs/threat_model.md).
#pragma once

#include <quietus/report.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quietus {

struct VaultCore;

// Times are Unix milliseconds; 0: never, or not yet.
struct OperatorKeyInfo {
  std::string type;            // "ssh-ed25519", …
  std::string fingerprint;     // "SHA256:…"
  std::string public_key;      // as a line of a .pub file, without comment
  bool second_factor = false;  // a security key
  std::int64_t added_unix_ms = 0;
  std::int64_t used_unix_ms = 0;
};
struct OperatorInfo {  // who may act, with the roles and keys there are
  std::string id;      // 32 hex digits; what the log has in place of the name
  std::string name;
  std::vector<std::string> roles;  // "admin", "operator", "approver", "verifier", "auditor"
  std::int64_t from_unix_ms = 0;
  std::int64_t until_unix_ms = 0;
  std::int64_t added_unix_ms = 0;
  std::int64_t used_unix_ms = 0;
  std::int64_t removed_unix_ms = 0;
  std::vector<OperatorKeyInfo> keys;
};

// An operator to be added, or how one is to be from now on.
struct OperatorSpec {
  std::string name;
  std::vector<std::string> roles;
  std::string keys;  // the text of a .pub, authorized_keys or allowed_signers file
  std::int64_t from_unix_ms = 0;
  std::int64_t until_unix_ms = 0;
};

struct ApprovalInfo {  // who signed the plan of a request
  std::string operator_id;
  std::string name;
  std::int64_t time_unix_ms = 0;
  bool touched = false;   // a security key, by somebody who was there
  bool verified = false;  // and showed a PIN or biometrics
};
struct RequestInfo {  // what was asked for, and how far it is
  std::string id;     // 32 hex digits
  std::string kind;   // "termination", "deletion", "restriction", "access", "portability",
                      // "correction", "consent-withdrawal", "change"
  std::string
      state;  // "open", "verified", "approved", "executing", "done", "rejected", "cancelled"
  std::vector<std::string> scopes;  // paths; the id of one whose path cannot be read
  std::string reason;
  std::string change;  // of a change: what is to be changed
  std::string opened_by;
  std::int64_t opened_unix_ms = 0;
  std::int64_t deadline_unix_ms = 0;
  std::string extended;  // why
  bool overdue = false;
  std::string method;         // how who asked was identified; empty: not verified
  std::string evidence_hash;  // SHA-256, hex
  std::string verified_by;
  std::int64_t plan_expires_unix_ms = 0;
  std::vector<ApprovalInfo> approvals;
  std::string missing;     // what the plan still needs; empty: nothing, or there is no plan
  std::string erasure_id;  // of its execution
  // What opens the certificate's commitments; from execute() of a deletion only. Hand it over with
  // the certificate: a tenant's salt is kept nowhere else.
  std::vector<SubjectOpening> subjects;
  std::int64_t ended_unix_ms = 0;  // 0: it is open
  // Who asked, and the records to be corrected: for who takes requests down or verifies them, and
  // as far as it can be read.
  std::string contact;
  std::vector<std::string> records;
};
struct RequestSpec {  // what is asked for
  std::string kind;
  std::vector<std::string> scopes;
  std::string reason;                     // a code
  std::string contact;                    // how to answer them; sealed under the first scope
  std::vector<std::string> records = {};  // of a correction: which; sealed likewise
};

// What was signed, for those who want to check it themselves: ssh-keygen -Y verify.
struct SignedText {
  std::string name;  // of the operator
  std::string text;
  std::string signature;
};

// Who decides, and what waits to be decided.
struct GovernanceStatus {
  bool governed = false;
  std::int64_t since_unix_ms = 0;
  std::uint64_t operators = 0;      // that may act now
  std::uint64_t admins = 0;         // of them; one decides alone who the others are
  std::uint64_t open_requests = 0;  // that have not ended
  std::uint64_t overdue_requests = 0;
  std::int64_t reviewed_unix_ms = 0;     // the last access review that was signed
  bool review_overdue = false;           // for more than 92 days
  std::int64_t break_glass_unix_ms = 0;  // when break_glass() can be finished; 0: it was not begun
};

// What is signed in which namespace (ssh-keygen -Y sign -n …).
inline constexpr std::string_view kActNamespace = "act@quietus";
inline constexpr std::string_view kApproveNamespace = "approve@quietus";
inline constexpr std::string_view kVerifyNamespace = "verify@quietus";
inline constexpr std::string_view kReviewNamespace = "review@quietus";

// Of an open vault; valid as long as that is. Thread-safe. Changes are durable on return and
// logged. In a vault that is not governed everything but status() and govern() is kRefused.
class QUIETUS_EXPORT Governance {
 public:
  Result<GovernanceStatus> status();  // also when nobody governs
  Result<bool> governed();            // whether there are operators
  // Binds the first operator, who has to be an admin. There is no way back: the root is changed, so
  // that no older copy of the vault opens beside its slots. kRefused when it is governed already;
  // another error says whether it is now, and only the root could not be changed.
  Result<OperatorInfo> govern(const OperatorSpec& first);
  // When no admin can act any more: adds one, and ends those there are, seven days after the first
  // call with the same person, unless an admin acts in between, and within a month. It needs the
  // unlock secret and nobody's approval; it is logged, and status() shows it. When it can be
  // finished; 0: it is. kRefused: not yet.
  Result<std::int64_t> break_glass(const OperatorSpec& admin);
  // By name, removed ones too.
  Result<std::vector<OperatorInfo>> operators();

  // A text that the operator signs in the namespace kActNamespace, to show who acts through this
  // handle. Good for one act() of this handle.
  Result<std::string> challenge(std::string_view name, std::string_view action);
  // From now on this handle acts for that operator. `duty` is what is about to be done, by the
  // table of docs/roles.md. Logged. kUnverified; kRefused: not an operator now, or their roles do
  // not have that duty.
  Result<void> act(std::string_view signature, std::string_view duty);

  // Takes a request down. kInvalidArgument: no such kind or reason, or too much; kNotFound.
  Result<RequestInfo> open(const RequestSpec& request);
  // What is to be changed: one of add_operator(), remove_operator(), the text of a policy, or the
  // id of a hold to be released. Such a request needs no verification.
  Result<RequestInfo> propose_operator(const OperatorSpec& operator_or_new);
  Result<RequestInfo> propose_removal(std::string_view name);     // of an operator
  Result<RequestInfo> propose_policy(std::string_view text);      // TOML
  Result<RequestInfo> propose_release(std::string_view hold_id);  // of a hold
  // The statement that the verifier signs in kVerifyNamespace. `method` is a code; of the evidence,
  // which stays with who has it, the SHA-256 is noted.
  Result<std::string> verification(std::string_view id, std::string_view method, ByteView evidence);
  Result<RequestInfo> verify(std::string_view id, std::string_view statement,
                             std::string_view signature);  // takes that statement, signed
  // The plan that is to be approved, made anew when there is none, when it has expired, or when it
  // is not what would happen now; that ends the approvals of the one before.
  Result<std::string> plan(std::string_view id);
  // kUnverified; kRefused: not somebody who may approve it, twice by one person or key, expired, or
  // what would happen has changed.
  Result<RequestInfo> approve(std::string_view id, std::string_view signature);
  Result<RequestInfo> extend(std::string_view id, std::int64_t deadline_unix_ms,
                             std::string_view reason);                       // a later deadline
  Result<RequestInfo> reject(std::string_view id, std::string_view reason);  // says no
  Result<RequestInfo> cancel(std::string_view id);                           // takes it back
  // Does what was approved. Errors of what is done; kRefused when approvals are missing or no
  // longer cover what would happen. An erasure that is not finished (kErasureIncomplete) is
  // finished by calling it again. Access, portability and correction only become allowed by it,
  // through this handle and for who acts now; complete() ends them.
  Result<RequestInfo> execute(std::string_view id);
  // What execute() allowed was done: there is nothing left to do. kRefused: it was not executed.
  Result<RequestInfo> complete(std::string_view id);
  // Whether the scope may be exported through this handle: not governed, or execute() of a request
  // for access or portability that names it, or what it lies below. kRefused.
  Result<void> check_export(std::string_view scope_path);
  Result<RequestInfo> request(std::string_view id);                 // one; kNotFound
  Result<std::vector<RequestInfo>> requests();                      // of all times
  Result<std::vector<SignedText>> signatures(std::string_view id);  // of a request

  // Who can do what, since when, and last used when, as a text that an admin or auditor signs in
  // kReviewNamespace to close the quarter.
  Result<std::string> review();
  Result<void> sign_review(std::string_view text, std::string_view signature);  // takes it, signed

  explicit Governance(std::weak_ptr<VaultCore> core) : core_(std::move(core)) {}

 private:
  std::weak_ptr<VaultCore> core_;
};

}  // namespace quietus
