// What an adversary got hold of who watched a vault all its life.
#pragma once

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "faults/adversary.hpp"
#include "faults/file_bytes.hpp"
#include "faults/vault_life.hpp"

namespace quietus::test {

struct Slots {
  std::set<StolenSlot> surviving;
  std::set<StolenSlot> destroyed;
  std::set<StolenSlot> abandoned;  // of the destroyed ones
};

inline Slots slots_of(const WholeLife& whole) {
  Slots slots;
  std::set<std::string> there;
  for (const auto& file : files_below(whole.life.root_folder())) {
    there.insert(file);
    if (auto slot = stolen_slot(file.filename(), bytes_of_file(file)))
      slots.surviving.insert(std::move(*slot));
  }
  replay(whole.life.calls(), [&](const RecordedCall& call, const FileContents& files) {
    const std::filesystem::path path = call.path;
    const std::string name = path.filename();
    if (call.kind != RecordedCall::Kind::kWrite || !name.starts_with("slot-")) return;
    const auto slot = stolen_slot(name, files.at(call.path));
    if (!slot || there.contains(path)) return;
    slots.destroyed.insert(*slot);
    if (name.substr(0, name.size() - 1) == whole.abandoned.substr(0, whole.abandoned.size() - 1))
      slots.abandoned.insert(*slot);
  });
  return slots;
}

inline Loot loot_of(const Life& life) {
  Loot loot;
  loot.vault = life.id();
  loot.secrets = life.all_secrets();
  for (const RecordedCall& call : life.calls()) {
    if (call.kind != RecordedCall::Kind::kWrite) continue;
    const std::string name = std::filesystem::path(call.path).filename();
    if (name == "control.mdb") loot.control.add(call.offset, call.bytes);
    if (name == "records.mdb") loot.records.add(call.offset, call.bytes);
  }
  return loot;
}

inline bool knows(const Adversary& adversary, ScopeId scope, const Fact& fact) {
  return adversary.records().contains({scope, fact.name, fact.content});
}

inline bool any_row_holds(const Adversary& adversary, std::string_view text) {
  return std::any_of(adversary.rows().begin(), adversary.rows().end(), [&](const Bytes& row) {
    return as_text(row).find(text) != std::string_view::npos;
  });
}

}  // namespace quietus::test
