// The adversary of docs/threat_model.md: knows every byte that was ever in the vault's files and
// every unlock secret, and of the root slots those that it is given. Works from the bytes and
// docs/format.md alone: no lock, log, tombstone or state of a key stops it.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "faults/lmdb_pages.hpp"
#include "keys/control_rows.hpp"
#include "keys/slot_file.hpp"
#include "record_format.hpp"

namespace quietus::test {

// NOLINTBEGIN(modernize-use-nullptr): the zero is in the compiler's own comparison

using RawKey = std::array<std::uint8_t, kKeySize>;

// One content of one slot file. What does not decode is tried and does nothing.
struct StolenSlot {
  SlotName slot;
  std::uint8_t mirror = 0;
  Bytes content;
  friend auto operator<=>(const StolenSlot&, const StolenSlot&) = default;
};

// What a slot file's name says; nothing for other files.
std::optional<StolenSlot> stolen_slot(const std::string& file_name, ByteView content);

struct Loot {
  VaultId vault{};
  std::vector<std::shared_ptr<const UnlockSecret>> secrets;
  std::set<StolenSlot> slots;
  std::set<RawKey> roots;  // that were sealed to epochs, opened at the recovery site
  LmdbPages control;
  LmdbPages records;
};

struct OpenedRecord {
  ScopeId scope = 0;
  std::string name;
  Bytes content;
  friend auto operator<=>(const OpenedRecord&, const OpenedRecord&) = default;
};

class Adversary {
 public:
  // Opens whatever can be opened. `loot` is borrowed for its life.
  explicit Adversary(const Loot& loot);

  // Keys by what they open; of scopes, every generation of the data line.
  const std::set<RawKey>& root_keys() const noexcept { return roots_; }
  std::set<RawKey> scope_keys(ScopeId scope) const;
  // The leaves, wrapping keys and keys of both lines of a scope, what is derived from them, and of
  // its records the keys of single messages.
  std::set<RawKey> everything_of(ScopeId scope) const;
  // Of those: the record keys, and the keys of single messages.
  std::set<RawKey> record_keys(ScopeId scope) const;
  std::set<RawKey> message_keys(ScopeId scope) const;
  // The keys of the nodes on the paths to the scope's leaves, the root's included.
  std::set<RawKey> path_of(ScopeId scope) const;
  // Everything of 32 bytes that it knows and that is secret.
  std::set<RawKey> all_secrets() const;

  const std::set<OpenedRecord>& records() const noexcept { return opened_; }
  // Plaintexts of rows of the control store, the nodes of the tree excepted.
  const std::set<Bytes>& rows() const noexcept { return plain_rows_; }

  // Tries all it knows as the key of everything that belongs to the scope, whatever it was made
  // for; how often that worked.
  std::size_t brute_force(ScopeId scope) const;

 private:
  struct Node {
    std::uint8_t level;
    std::uint64_t index;
    RawKey key;
    friend auto operator<=>(const Node&, const Node&) = default;
  };
  struct Leaf {
    RawKey key;
    std::uint64_t index;
    friend auto operator<=>(const Leaf&, const Leaf&) = default;
  };
  struct ScopeSecret {
    RawKey key;
    std::uint32_t generation;
    friend auto operator<=>(const ScopeSecret&, const ScopeSecret&) = default;
  };
  using Inputs = std::vector<RawKey>;

  void open_slots();
  void open_nodes();
  void open_node(const Node& node, ByteView row, std::vector<Node>& found);
  void open_control_rows();
  void open_scopes();
  bool unwrap(const KeyRow& row, const KeyRecord& key);
  bool unwrap_with(const KeyRow& row, const KeyRecord& key, const Inputs& inputs);
  std::vector<Inputs> inputs_of(const KeyRow& row, const KeyRecord& key) const;
  void open_scope_rows();
  void open_rows_with(const RawKey& row_key, const Bytes& key, const std::set<Bytes>& values);
  void open_records();
  void open_record(ScopeId scope, const Prf128& row, ByteView value);
  void open_object(ScopeId scope, const RawKey& record_key, const RecordMetadata& metadata);
  bool opens_row(const RawKey& row_key, ByteView key, ByteView value, Bytes* plain = nullptr) const;
  std::size_t opened_by(const RawKey& key, ScopeId scope) const;

  const Loot& loot_;
  const LmdbPages::Rows control_rows_;
  const LmdbPages::Rows record_rows_;
  std::unique_ptr<GcmContext> context_ = openssl_engine().make_context();
  std::set<RawKey> roots_;
  std::set<Node> nodes_;
  std::map<KeyId, std::set<Leaf>> leaves_;
  std::set<RawKey> row_keys_;  // the vault's
  std::map<ScopeId, std::set<Bytes>> key_rows_;
  std::map<ScopeId, std::set<ScopeSecret>> scopes_;
  std::map<ScopeId, std::set<RawKey>> others_;  // wrapping keys, lasting keys
  std::map<ScopeId, std::set<RawKey>> message_keys_;
  std::set<Bytes> plain_rows_;
  std::set<OpenedRecord> opened_;
};

// NOLINTEND(modernize-use-nullptr)

}  // namespace quietus::test
