// How a vault is unlocked, made and opened.
#pragma once

#include <quietus/export.h>
#include <quietus/bytes.hpp>
#include <quietus/result.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

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

// Makes a key file with 256 random bits, mode 0600, durable on return. kAlreadyExists; kIo.
QUIETUS_EXPORT Result<void> new_key_file(const std::filesystem::path& path);

struct CreateOptions {
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

struct OpenOptions {
  // Serves reads only and changes nothing, not even to finish an erasure that was begun. The way to
  // look at a vault on a read-only disk or one whose anchor is damaged.
  bool read_only = false;
  KeyCaching key_caching = KeyCaching::kGuarded;
  // How long an erasure waits for other processes to confirm that they dropped the key.
  std::chrono::milliseconds acknowledgement_timeout{5000};
  // How long to wait for the root-change lock before kBusy.
  std::chrono::milliseconds lock_timeout{10000};
  // Refuse (kUnavailable) when the system does not let key memory be locked against swapping.
  bool require_locked_memory = false;
};

}  // namespace quietus
