// A vault: one folder with encrypted records, the tree of their keys, and the log of what happened
// to the keys. Destroying a scope's key makes everything under it unrecoverable, in every copy of
// the folder made at any time.
#pragma once

#include <quietus/backup.hpp>
#include <quietus/escrow.hpp>
#include <quietus/governance.hpp>
#include <quietus/lifecycle.hpp>
#include <quietus/report.hpp>
#include <quietus/retention.hpp>
#include <quietus/scope.hpp>
#include <quietus/trust.hpp>

#include <functional>
#include <optional>
#include <span>

namespace quietus {

// Called now and then during long work: done so far, in all (0 when unknown). False stops the work.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct VaultCore;

// What a scope is told when it is made.
struct ScopeOptions {
  std::string data_class;                 // empty: the second path element, or its parent's class
  std::vector<std::string> derived_from;  // at most 16 existing scopes; fixed for ever
};

// What a tenant has of one data subject: the scopes whose last path element is its name.
struct SubjectScopes {
  std::vector<std::string> paths;
  std::vector<std::string> nothing_in;  // classes, the scopes directly below the tenant
  std::uint64_t erased = 0;             // scopes of that name that were erased
  std::uint64_t unreadable = 0;         // damaged rows: they, or what lies below, may be theirs too
};

// Thread-safe. Move-only. A process opens a vault once (kBusy otherwise); many processes may have
// it open at the same time, all on one machine and in one PID namespace. After fork() the child's
// handle answers kUnavailable and holds no keys.
class QUIETUS_EXPORT Vault {
 public:
  // Makes a vault in `folder` (absent or empty). Durable on return; after an error or a crash the
  // folder can be removed and nothing else is left behind but unused root slots, which the next
  // attempt removes. kAlreadyExists; kRefused when the medium or place of the root slots needs a
  // flag.
  static Result<Vault> create(const std::filesystem::path& folder, const Unlock& unlock,
                              const CreateOptions& options = {});
  // The same, governed from the beginning: `first` is its first admin (governance.hpp, govern()).
  // kInvalidArgument, before anything is made: they cannot be one.
  static Result<Vault> create_governed(const std::filesystem::path& folder, const Unlock& unlock,
                                       const OperatorSpec& first,
                                       const CreateOptions& options = {});

  // Opens a vault, and first finishes any erasure that a crash interrupted. kNotFound (no vault
  // there), kWrongKey, kRolledBack (an older copy was put back; nothing is touched), kCorrupt,
  // kErased (the whole vault was destroyed), kUnsupported (newer format), kBusy, kUnavailable.
  static Result<Vault> open(const std::filesystem::path& folder, const Unlock& unlock,
                            const OpenOptions& options = {});

  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;
  Vault(Vault&&) noexcept;
  Vault& operator=(Vault&&) noexcept;
  ~Vault();

  // Scopes are written as paths: "acme", "acme/customer-data", "acme/customer-data/user-7".
  // Elements are 1 to 255 bytes of UTF-8 without '/' and control characters, not "." or "..".
  // kNotFound; kErased.
  Result<Scope> scope(std::string_view path);
  // A handle through which a restricted scope is read and written for one of the uses that the law
  // allows. Each call is logged, durable on return.
  Result<Scope> scope(std::string_view path, RestrictedUse use);
  // The scope under which a token was sealed (Scope::seal), from its first 36 bytes or more.
  // kInvalidArgument, kRefused: of another vault; kErased; kNotFound.
  Result<Scope> scope_of(ByteView token);
  Result<Scope> scope_of(ByteView token, RestrictedUse use);  // as scope(path, use)
  // The parent must exist. kAlreadyExists; kErased when the name once belonged to an erased scope:
  // names of the erased are not given out again. Durable on return.
  Result<Scope> create_scope(std::string_view path, const ScopeOptions& options = {});
  // What is known of a scope. kNotFound.
  Result<ScopeInfo> describe(std::string_view path);
  // The direct children of a scope, tenants for "". Erased ones come without a name.
  Result<std::vector<ScopeInfo>> children(std::string_view path);

  // Everything of one person in a tenant, in whichever class and however deep. What lies below the
  // scopes that are found belongs to them.
  Result<SubjectScopes> subject(std::string_view tenant, std::string_view name);

  // States of keys, restriction, legal holds.
  Lifecycle lifecycle();
  // The policy, what is due when, and the sweep.
  Retention retention();
  // Copies of the records, and what is known of them.
  Backups backups();
  // Operators, requests, approvals.
  Governance governance();
  // The ring of a recovery site.
  Escrow escrow();

  // What erase() would destroy.
  Result<ErasePlan> plan_erase(std::span<const std::string> paths);
  // Destroys the keys of the scopes, all in one root change, and certifies it. `reason` is a code
  // (see docs/erasure.md) or free text; free text is sealed under the parent and appears nowhere
  // else. On success the old root slot is gone and was read back as gone, and every process that
  // could hold the keys has dropped them. kHeld: a legal hold is in the way. kErasureIncomplete:
  // begun and recorded; it finishes at the next open or resume(); never a success. kUnavailable,
  // kInternal: look at status() whether it began. All other errors: nothing was destroyed.
  // kErased, kNotFound: one of them is, and none was destroyed. Their names are not given out
  // again.
  Result<ErasureReport> erase(std::span<const std::string> paths, std::string_view reason);
  Result<ErasureReport> erase(std::string_view path, std::string_view reason);
  // Finishes erasures that are pending; the certificates made. kErasureIncomplete when some remain.
  // Their reports have no `subjects`: reveal() gives what can still be known.
  Result<std::vector<ErasureReport>> resume();

  // A new root key in a new slot under the new secret; the old slot is destroyed. Errors as
  // erase().
  Result<void> change_unlock(const Unlock& next);
  // Destroys every root slot: all data, for ever. The last certificate is written to `certificate`,
  // durable on return; should that fail when all is destroyed, the report says so and holds it. The
  // handle is closed. kBusy while another process has the vault open.
  Result<ErasureReport> destroy(const std::filesystem::path& certificate, std::string_view reason);
  // Finishes a destroy() that was interrupted; there is no certificate then, because the key that
  // would sign it is gone. kRefused when none was begun.
  static Result<void> finish_destruction(const std::filesystem::path& folder);
  // Writes a new anchor where it is missing or damaged, after the operator has made sure that this
  // is the newest copy of the vault. Logged.
  static Result<void> rewrite_anchor(const std::filesystem::path& folder, const Unlock& unlock);

  // The vault at a glance.
  Result<VaultStatus> status();
  // What surrounds the vault and may weaken it, and what to do about it.
  std::vector<Finding> doctor();
  // Authenticates every stored byte and reports every damage it finds; it does not stop at the
  // first.
  Result<CheckReport> check(const Progress& progress = {});
  // Logged with time, records and bytes: a copy outside is known to later certificates.
  Result<void> record_export(std::string_view path, std::uint64_t records, std::uint64_t bytes);

  // All that were issued.
  Result<std::vector<CertificateInfo>> certificates();
  Result<std::string> certificate(std::string_view id);  // kNotFound
  // The certificate of an erased scope, by its path (while its parent lives) or id (16 hex digits).
  // Of a scope that was erased with many others it is made, kept and logged when it is first asked
  // for. kNotFound for one that was not erased itself; kErasureIncomplete.
  Result<std::string> certificate_of(std::string_view scope);
  // The salts of the certificate's commitments to whose scopes were erased, as far as their tenant
  // still lives. The paths are empty: they died with the scopes; who knows one puts it in.
  // kNotFound.
  Result<std::vector<SubjectOpening>> reveal(std::string_view certificate_id);
  Result<std::string> issuing_key_pem();               // its public half
  Result<LogHead> log_head();                          // how long the evidence log is
  Result<std::string> log_entry(std::uint64_t index);  // one line of JSON; kNotFound
  Result<std::string> log_verifier_key();              // C2SP vkey
  // The checkpoint that the log has now, or had at that size, signed (C2SP), with the cosignatures
  // that are kept for it below. kInvalidArgument for a size that it never had.
  Result<std::string> log_checkpoint(std::optional<std::uint64_t> size = {});
  // Recomputes everything; kUnverified, kCorrupt. With a checkpoint of this log from earlier it
  // also makes sure that the log goes on from there: kRolledBack when it is shorter.
  Result<LogHead> verify_log(std::optional<std::string_view> older_checkpoint = {});
  // What a witness is asked with, who last cosigned this log at that size: the proof that it goes
  // on from there to what it is now, or was at that size, with that checkpoint (C2SP tlog-witness,
  // body of add-checkpoint). kInvalidArgument.
  Result<std::string> log_proof(std::uint64_t old_size, std::optional<std::uint64_t> size = {});
  // Keeps the cosignatures, by witnesses of the trust file, below a checkpoint of this log; whose
  // they are. Durable on return. kUnverified when there is none, when one is bad, and when the
  // checkpoint is not one of this log.
  Result<std::vector<WitnessStatement>> add_cosignatures(std::string_view checkpoint,
                                                         const Trust& witnesses);
  // Writes the log, as it is now or was at that size, into a folder that is absent or empty: C2SP
  // tlog-tiles, for verify_log_folder(). Its entries are not secret, but for auditors only. The
  // checkpoint is written last: a folder without one was not finished. kAlreadyExists.
  Result<LogHead> export_log(const std::filesystem::path& folder,
                             std::optional<std::uint64_t> size = {});

  explicit Vault(std::shared_ptr<VaultCore> core);

 private:
  std::shared_ptr<VaultCore> core_;
};

}  // namespace quietus
