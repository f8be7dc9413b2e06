#include "faults/adversary.hpp"

#include <algorithm>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "base/text_encoding.hpp"
#include "crypto/key_wrap.hpp"
#include "crypto/row_seal.hpp"
#include "faults/adversary_keys.hpp"
#include "keys/key_tree.hpp"
#include "keys/row_codec.hpp"

namespace quietus::test {
namespace {

constexpr std::uint8_t kRootLevel = kTreeHeight - 1;
constexpr std::size_t kNodePrefix = 8 + kGcmNonceSize;
constexpr KeyId kControlKey = 1;

std::size_t entries_size(std::uint8_t level) {
  return level == 0 ? kLeafNodeEntries * (8 + kKeySize) : kInnerNodeEntries * kKeySize;
}

bool is_zero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool is_of_table(ByteView key, char table, std::size_t size) {
  return key.size() == size && key[0] == static_cast<std::uint8_t>(table);
}

}  // namespace

std::optional<StolenSlot> stolen_slot(const std::string& file_name, ByteView content) {
  constexpr std::size_t kPrefix = 5;  // "slot-" or "gone-"
  if (file_name.size() != kPrefix + 16 + 1 + 32 + 2) return std::nullopt;
  const auto generation = from_hex(file_name.substr(kPrefix, 16));
  const auto id = from_hex(file_name.substr(kPrefix + 17, 32));
  if (!generation || !id) return std::nullopt;
  StolenSlot slot;
  slot.slot.generation = ByteReader(*generation).u64();
  std::copy(id->begin(), id->end(), slot.slot.id.begin());
  slot.mirror = static_cast<std::uint8_t>(file_name.back() - '0');
  slot.content.assign(content.begin(), content.end());
  return slot;
}

Adversary::Adversary(const Loot& loot)
    : loot_(loot), control_rows_(loot.control.rows()), record_rows_(loot.records.rows()) {
  open_slots();
  open_nodes();
  open_control_rows();
  open_scopes();
  open_scope_rows();
  open_records();
}

void Adversary::open_slots() {
  roots_ = loot_.roots;
  for (const StolenSlot& stolen : loot_.slots)
    for (const auto& secret : loot_.secrets) {
      const auto key =
          decode_slot({loot_.vault, stolen.slot, stolen.mirror}, *secret, stolen.content);
      if (key) roots_.insert(raw(*key));
    }
}

// From every root node down, in every version of every node.
void Adversary::open_nodes() {
  std::vector<Node> open;
  for (const RawKey& root : roots_) open.push_back({kRootLevel, 0, root});
  while (!open.empty()) {
    const Node node = open.back();
    open.pop_back();
    if (!nodes_.insert(node).second) continue;
    const std::size_t size = kNodePrefix + entries_size(node.level) + kTagSize;
    for (const Bytes& page : loot_.control.single_pages())
      if (page.size() >= size) open_node(node, ByteView(page).first(size), open);
  }
}

void Adversary::open_node(const Node& node, ByteView row, std::vector<Node>& found) {
  ByteReader prefix(row.first(kNodePrefix));
  const std::uint64_t generation = prefix.u64();
  const auto nonce = prefix.array<kGcmNonceSize>();
  ByteWriter associated;
  associated.raw(as_bytes(labels::kNodeData)).raw(loot_.vault).u8(node.level).u64(node.index);
  associated.u8(kTreeHeight).u64(generation);
  Bytes entries(row.size() - kNodePrefix - kTagSize);
  if (!context_->open(node.key, nonce, associated.view(), row.subspan(kNodePrefix), entries))
    return;
  if (node.level == 0) {
    for (std::size_t i = 0; i < kLeafNodeEntries; ++i) {
      ByteReader entry(ByteView(entries).subspan(i * (8 + kKeySize), 8 + kKeySize));
      const KeyId owner = entry.u64();
      if (owner != 0) leaves_[owner].insert({raw(entry.rest()), node.index * kLeafNodeEntries + i});
    }
    return;
  }
  for (std::size_t i = 0; i < kInnerNodeEntries; ++i) {
    const ByteView entry = ByteView(entries).subspan(i * kKeySize, kKeySize);
    if (!is_zero(entry))
      found.push_back({static_cast<std::uint8_t>(node.level - 1),
                       node.index * kInnerNodeEntries + i, raw(entry)});
  }
}

bool Adversary::opens_row(const RawKey& row_key, ByteView key, ByteView value, Bytes* plain) const {
  auto opened = open_row(*context_, made<RowKey>(row_key), loot_.vault, key, value);
  if (!opened) return false;
  if (plain != nullptr) *plain = std::move(opened).value();
  return true;
}

void Adversary::open_control_rows() {
  for (const Leaf& leaf : leaves_[kControlKey])
    row_keys_.insert(expanded(leaf.key, edges::kControlRows.label));
  for (const auto& [key, values] : control_rows_)
    for (const Bytes& value : values)
      for (const RawKey& row_key : row_keys_) {
        Bytes plain;
        if (!opens_row(row_key, key, value, &plain)) continue;
        if (is_of_table(key, 'K', 9))
          key_rows_[ByteReader(ByteView(key).subspan(1)).u64()].insert(plain);
        plain_rows_.insert(std::move(plain));
      }
}

// Again and again, because a key may be found after the row that needs it was tried.
void Adversary::open_scopes() {
  for (bool more = true; more;) {
    more = false;
    for (const auto& [scope, versions] : key_rows_)
      for (const Bytes& version : versions) {
        auto row = codec::decode_key_row(version);
        if (!row) continue;
        row->id = scope;
        for (const KeyRecord& key : row->keys) more = unwrap(*row, key) || more;
      }
  }
}

// Every combination of a leaf, a key of the parent and one of each source that it knows.
std::vector<Adversary::Inputs> Adversary::inputs_of(const KeyRow& row, const KeyRecord& key) const {
  std::vector<Inputs> all;
  if (const auto known = leaves_.find(key.id); known != leaves_.end())
    for (const Leaf& leaf : known->second) all.push_back({leaf.key});
  std::vector<ScopeId> needed = row.sources;
  if (row.id != 0) needed.insert(needed.begin(), row.parent);
  for (const ScopeId scope : needed) {
    std::vector<Inputs> longer;
    if (const auto known = scopes_.find(scope); known != scopes_.end())
      for (const ScopeSecret& secret : known->second)
        for (Inputs inputs : all) {
          inputs.push_back(expanded(secret.key, edges::kChildren.label));
          longer.push_back(std::move(inputs));
        }
    all = std::move(longer);
  }
  return all;
}

// Whether something new was learnt.
bool Adversary::unwrap(const KeyRow& row, const KeyRecord& key) {
  bool learnt = false;
  if (key.wrapped.size() == kWrappedKeySize)
    for (const Inputs& inputs : inputs_of(row, key))
      learnt = unwrap_with(row, key, inputs) || learnt;
  return learnt;
}

bool Adversary::unwrap_with(const KeyRow& row, const KeyRecord& key, const Inputs& inputs) {
  Bytes material;
  for (const RawKey& input : inputs) material.insert(material.end(), input.begin(), input.end());
  const Bytes bound = binding(loot_.vault, row, key);
  RawKey wrapping{};
  hkdf_sha256(material, {}, labelled(labels::kWrap, bound), wrapping);
  const auto unwrapped = unwrap_key<ScopeRole>(*context_, made<WrapKey>(wrapping),
                                               labelled(labels::kWrapData, bound), key.wrapped);
  if (!unwrapped) return false;
  others_[row.id].insert(wrapping);
  if (key.line == KeyLine::kLasting) return others_[row.id].insert(raw(*unwrapped)).second;
  return scopes_[row.id].insert({raw(*unwrapped), key.generation}).second;
}

// What is about a scope lies under its own key, the authority of its holds too, the reason of an
// erasure under the parent's.
void Adversary::open_scope_rows() {
  for (const auto& [scope, secrets] : scopes_)
    for (const ScopeSecret& secret : secrets)
      for (const auto& [key, values] : control_rows_)
        if (is_of_table(key, 'I', 9) || is_of_table(key, 'U', 25) || is_of_table(key, 'Z', 9))
          open_rows_with(expanded(secret.key, edges::kRows.label), key, values);
}

void Adversary::open_rows_with(const RawKey& row_key, const Bytes& key,
                               const std::set<Bytes>& values) {
  for (const Bytes& value : values) {
    Bytes plain;
    if (opens_row(row_key, key, value, &plain)) plain_rows_.insert(std::move(plain));
  }
}

std::set<RawKey> Adversary::scope_keys(ScopeId scope) const {
  std::set<RawKey> keys;
  if (const auto known = scopes_.find(scope); known != scopes_.end())
    for (const ScopeSecret& secret : known->second) keys.insert(secret.key);
  return keys;
}

std::set<RawKey> Adversary::record_keys(ScopeId scope) const {
  std::set<RawKey> keys;
  for (const RawKey& key : scope_keys(scope)) keys.insert(expanded(key, edges::kRecords.label));
  return keys;
}

std::set<RawKey> Adversary::message_keys(ScopeId scope) const {
  const auto known = message_keys_.find(scope);
  return known == message_keys_.end() ? std::set<RawKey>() : known->second;
}

std::set<RawKey> Adversary::everything_of(ScopeId scope) const {
  std::set<RawKey> keys = scope_keys(scope);
  for (const RawKey& key : scope_keys(scope))
    for (const std::string_view label :
         {edges::kRecords.label, edges::kNames.label, edges::kTags.label, edges::kRows.label,
          edges::kChildren.label})
      keys.insert(expanded(key, label));
  keys.merge(message_keys(scope));
  if (const auto known = others_.find(scope); known != others_.end())
    keys.insert(known->second.begin(), known->second.end());
  if (const auto versions = key_rows_.find(scope); versions != key_rows_.end())
    for (const Bytes& version : versions->second)
      for (const KeyRecord& key : codec::decode_key_row(version).value_or(KeyRow{}).keys)
        if (const auto known = leaves_.find(key.id); known != leaves_.end())
          for (const Leaf& leaf : known->second) keys.insert(leaf.key);
  return keys;
}

std::set<RawKey> Adversary::path_of(ScopeId scope) const {
  std::set<std::uint64_t> below;  // indices of leaves, then of nodes of one level
  if (const auto versions = key_rows_.find(scope); versions != key_rows_.end())
    for (const Bytes& version : versions->second)
      for (const KeyRecord& key : codec::decode_key_row(version).value_or(KeyRow{}).keys)
        below.insert(key.leaf);
  std::set<RawKey> keys;
  for (std::uint8_t level = 0; level < kTreeHeight; ++level) {
    std::set<std::uint64_t> above;
    for (const std::uint64_t index : below)
      above.insert(index / (level == 0 ? kLeafNodeEntries : kInnerNodeEntries));
    for (const Node& node : nodes_)
      if (node.level == level && above.contains(node.index)) keys.insert(node.key);
    below = std::move(above);
  }
  return keys;
}

std::set<RawKey> Adversary::all_secrets() const {
  std::set<RawKey> keys = roots_;
  for (const Node& node : nodes_) keys.insert(node.key);
  for (const auto& [owner, leaves] : leaves_)
    for (const Leaf& leaf : leaves) keys.insert(leaf.key);
  keys.insert(row_keys_.begin(), row_keys_.end());
  for (const auto& [scope, secrets] : scopes_) keys.merge(everything_of(scope));
  return keys;
}

}  // namespace quietus::test
