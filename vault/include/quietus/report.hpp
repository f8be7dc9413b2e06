// How a vault is unlocked, made and opened, and what it then says about itself.
#pragma once

#include <quietus/export.h>
#include <quietus/certificate.hpp>
#include <quietus/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quietus {

// The unlock secret, in guarded memory. Move-only; wiped with its last use. It protects the root
// slot only; it is not an encryption key of any data.
class QUIETUS_EXPORT Unlock {
 public:
  // A key file as new_key_file() makes it. It is read when the vault is made or opened.
  static Unlock key_file(std::filesystem::path path);
  // A file whose first line is the passphrase (the line end is not part of it).
  static Unlock passphrase_file(std::filesystem::path path);
  // One line from an open descriptor: a terminal (with echo off), a pipe.
  static Unlock passphrase_from(int descriptor);

  Unlock(const Unlock&) = delete;
  Unlock& operator=(const Unlock&) = delete;
  Unlock(Unlock&&) noexcept;
  Unlock& operator=(Unlock&&) noexcept;
  ~Unlock();

  struct Source;
  const Source& source() const noexcept { return *source_; }

 private:
  explicit Unlock(std::unique_ptr<Source> source);
  std::unique_ptr<Source> source_;
};

// A key file of 256 random bits, mode 0600, durable on return. kAlreadyExists, kNotFound, kIo.
QUIETUS_EXPORT Result<void> new_key_file(const std::filesystem::path& path);

struct CreateOptions {  // of a new vault
  // The folder under which the root slots and the anchor lie, in <root_folder>/<vault id>; empty
  // means /var/lib/quietus-roots for root, else $XDG_STATE_HOME/quietus/roots. Keep it out of every
  // backup.
  std::filesystem::path root_folder;
  // Allows root_folder inside the vault's folder, where every copy of the vault takes the slots
  // along. Certificates then say so.
  bool insecure_root_in_vault = false;
  // Allows a file system that is not known to overwrite in place (btrfs, ZFS, overlay, network, …).
  // Certificates then state the assurance as unknown and are never `complete`.
  bool accept_unknown_medium = false;
  // Argon2id cost for a passphrase; ignored for a key file. Bounds: 2 to 64 passes, 64 MiB to 4
  // GiB.
  std::uint32_t passphrase_passes = 3;
  std::uint32_t passphrase_memory_kib = 256 * 1024;
};

// Keys of scopes in use are kept in guarded memory and dropped whenever a root change is published.
// kNone keeps nothing between calls and starts no thread, at the price of unwrapping on each call.
enum class KeyCaching { kGuarded, kNone };

struct OpenOptions {  // of a vault that is there
  // Serves reads only and changes nothing, not even to finish an erasure that was begun: the way to
  // look at a vault on a read-only disk or one whose anchor is damaged.
  bool read_only = false;
  KeyCaching key_caching = KeyCaching::kGuarded;  // whether they are kept
  // How long an erasure waits for other processes to confirm that they dropped the key.
  std::chrono::milliseconds acknowledgement_timeout{5000};
  // How long to wait for the root-change lock before kBusy.
  std::chrono::milliseconds lock_timeout{10000};
  // Refuse (kUnavailable) when the system does not let key memory be locked against swapping.
  bool require_locked_memory = false;
  // Told, a line each, what open() did or found besides its answer: an erasure that it finished,
  // key memory that is not locked. For the caller's log: the library writes none.
  std::function<void(std::string_view line)> notice;
};

// What the scope answers: the states of all that it depends on count.
enum class ScopeState { kActive, kErased, kPreActivation, kSuspended, kDeactivated, kCompromised };
QUIETUS_EXPORT std::string_view name_of(ScopeState state) noexcept;  // "active", "erased", …

struct ScopeInfo {   // what is known of a scope
  std::string path;  // "acme/customer-data/user-7"
  std::string name;  // last element; empty when erased (the name went with the key)
  std::string data_class;
  std::uint64_t id = 0;
  ScopeState state = ScopeState::kActive;
  std::int64_t created_unix_ms = 0;
  std::int64_t erased_unix_ms = 0;          // 0 unless erased
  std::vector<std::uint64_t> derived_from;  // ids of source scopes
};

// What an erasure would do. Scopes erased along with a target, because they lie below it or were
// derived from it, are in `also`.
struct ErasePlan {
  std::vector<ScopeInfo> targets;
  std::vector<ScopeInfo> also;  // the first 1,000
  std::uint64_t also_count = 0;
  std::uint64_t keys_destroyed = 0;
  std::uint64_t keys_below = 0;       // of them, of scopes in `also`
  std::uint64_t records = 0;          // that become unreadable
  std::uint64_t bytes = 0;            // of ciphertext
  bool counted = false;               // false: the record store is not readable, and both are zero
  std::uint64_t root_generation = 0;  // before
  // Key snapshots that a recovery site opens until then hold the targets' keys too; 0: none does.
  std::int64_t snapshots_clear_unix_ms = 0;
};

struct ErasureReport {         // an erasure that is done
  std::string erasure_id;      // 32 hex digits
  std::string certificate_id;  // 32 hex digits
  std::string certificate;     // the signed document, as `cert show` prints it
  std::uint64_t root_generation_before = 0;
  std::uint64_t root_generation_after = 0;
  std::uint32_t holders_acknowledged = 0;  // processes that dropped the keys
  std::uint32_t holders_ended = 0;
  // Of destroy(): why the certificate's file could not be written, if so; this is the only copy.
  std::string certificate_problem;
  // What opens the certificate's subject commitments; of erase() only. The paths, and a tenant's
  // salt, are kept nowhere else: hand this over with the certificate.
  std::vector<SubjectOpening> subjects;
};

struct PendingErasure {  // one that was begun and is not done
  std::string erasure_id;
  std::string step;  // "begun", "keys-unreachable", "slot-destroyed"
  std::int64_t begun_unix_ms = 0;
};

struct VaultStatus {     // a vault at a glance
  std::string vault_id;  // 32 hex digits
  std::uint32_t format_version = 0;
  std::string root_provider;  // "file"
  std::string root_location;
  std::string assurance;
  std::uint64_t root_generation = 0;
  std::uint64_t tenants = 0;
  std::uint64_t log_size = 0;
  std::uint64_t certificates = 0;
  std::uint32_t processes = 0;  // with this vault open, this one included
  bool read_only = false;
  bool key_memory_locked = false;
  std::vector<PendingErasure> pending;
  std::int64_t backup_unix_ms = 0;  // when the newest was begun, in Unix milliseconds; 0: none
  std::int64_t snapshot_unix_ms = 0;
  std::int64_t snapshots_clear_unix_ms = 0;  // the last one not attested to be gone expires; or 0
  std::int64_t drill_unix_ms = 0;
  bool drill_passed = false;
};

struct Finding {                                        // of doctor()
  enum class Level { kOk, kNote, kWarning, kProblem };  // a problem: something fails
  Level level = Level::kOk;
  std::string subject;  // "root slots", "swap", "clock", …
  std::string text;     // what was seen, and what to do about it
};

struct Damage {       // something stored that is not as it was written
  std::string where;  // "record store, scope 1f…, row 9c…"
  std::string what;
};

struct CheckReport {  // of check(): what was read, and what is wrong with it
  std::uint64_t scopes = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // plaintext authenticated
  std::uint64_t log_entries = 0;
  std::uint64_t erased_records = 0;  // rows of erased scopes: unreadable, as they should be
  std::uint64_t orphaned_rows = 0;   // of interrupted writes; harmless, the next open removes them
  std::vector<Damage> damages;
};

struct CertificateInfo {  // a certificate that the vault keeps
  std::string id;
  std::string erasure_id;
  std::int64_t issued_unix_ms = 0;
  std::string status;  // "complete", "partial", "pending-snapshots"
};

// Of another instance's certificate (Backups::import_certificate).
struct CertificateImport {
  std::string instance_id;         // whose it is; all zeros: the instance that was created first
  std::string certificate_id;      // of the certificate
  std::uint64_t scopes = 0;        // that it is of; 0: that whole instance was destroyed
  std::vector<std::string> named;  // ids of instances that it made known, and has no receipt of
  std::vector<std::string> certificates;  // of this instance, written because more is known now
};

struct LogHead {  // the evidence log, so far
  std::string origin;
  std::uint64_t size = 0;
  std::string root_hash;  // 64 hex digits
};

}  // namespace quietus
