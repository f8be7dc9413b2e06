// A log in memory with a key, and its checkpoints and proofs at any size.
#pragma once

#include <memory>
#include <string>

#include "evidence/add_checkpoint.hpp"
#include "evidence/checkpoint.hpp"
#include "evidence/log_store.hpp"
#include "evidence/memory_store.hpp"
#include "evidence/test_keys.hpp"
#include "support/result_matchers.hpp"

namespace quietus::test {

class SampleLog {
 public:
  // Logs of the same name have the same key; `story` makes their entries.
  explicit SampleLog(std::size_t size = 0, std::string story = "entry",
                     std::string name = "log.example")
      : name_(std::move(name)), story_(std::move(story)), secret_(signing_key(name_)) {
    grow(size);
  }

  void append(std::string_view entry) { must(append_entry(store_, seal(), as_bytes(entry))); }
  void grow(std::size_t size) {
    while (must(log_head(store_)).size < size)
      append(story_ + " " + std::to_string(must(log_head(store_)).size));
  }

  const std::string& name() const noexcept { return name_; }
  NoteKey key() const { return {name_, ed25519_public_key(secret_)}; }
  std::string vkey() const { return format_vkey(key()); }
  MemoryStore& store() noexcept { return store_; }
  LogSeal seal() { return {rows_, vault_, *context_}; }

  Checkpoint checkpoint(std::uint64_t size) { return {name_, {size, must(root_at(store_, size))}}; }
  std::string note(std::uint64_t size) { return must(sign_checkpoint(checkpoint(size), secret_)); }
  std::string request(std::uint64_t old_size, std::uint64_t size) {
    AddCheckpoint made{old_size, {}, note(size)};
    if (old_size != 0) made.proof = must(consistency_proof(store_, old_size, size));
    return format_add_checkpoint(made);
  }

 private:
  std::string name_;
  std::string story_;
  SigningKey secret_;
  RowKey rows_ = key_from<RowRole>(sha256(as_bytes("rows")));
  VaultId vault_{1, 2, 3};
  std::unique_ptr<GcmContext> context_ = openssl_engine().make_context();
  MemoryStore store_;
};

}  // namespace quietus::test
